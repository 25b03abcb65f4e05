"""Drift of float inversions: errors by hand, the law on made-up numbers, the authors' figures, claims that can fail."""

import dataclasses
import math

import numpy as np
import pytest
from matplotlib import pyplot

from mininet import MomentumNet
from mininet.experiments.drift import drift
from mininet.experiments.drift.drift import KINDS, Drift, Settings, claims, depths_for, functions, rate

SMALL = Settings(features=6, hidden=3, batch_size=4)
GAMMA = 0.9


def made_up(growth=1.0, start=1e-12, gamma=GAMMA, gradient=0.2):
    """A `Drift` whose error grows by gamma^-growth a layer."""
    depths = depths_for(gamma)
    errors = [start * gamma ** (-growth * depth) for depth in depths]
    return Drift(depths, errors, errors, [gradient] * len(depths))


def zero(gamma=GAMMA):
    depths = depths_for(gamma)
    return Drift(depths, *([0.0] * len(depths) for _ in range(3)))


DRIFTS = {GAMMA: {"float32": made_up(), "float64": made_up(start=1e-16), "exact": zero()}}
RIVALS = {"made_by": {"momentumnet": "0.10"}, "drift": {GAMMA: dataclasses.asdict(made_up(start=5e-12))}}


# Networks


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
def test_functions_have_the_lipschitz_constant_they_are_said_to_have(gamma):
    for function in functions(3, gamma, Settings()):
        norms = [np.linalg.svd(function[index].weight.data)[1][0] for index in (0, 2)]
        assert math.prod(norms) == pytest.approx(1 - gamma, rel=1e-5)  # float32 weights
        assert np.abs(function[0].bias.data).max() > 0


def test_depths():
    assert depths_for(0.5, longest=4) == [1, 3, 4, 6]  # 1.44, 2.89, 4.33, 5.77
    assert depths_for(0.99) == [99, 199, 298, 398, 497, 597, 696, 796, 895, 995]


# Errors


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_those_of_the_inversion(kind):
    """A root mean square is at most the largest of n numbers, and at least its n^(-1/2)."""
    dtype, arithmetic = KINDS[kind]
    depth = 40
    found = drift.measure(GAMMA, kind, [depth], SMALL)
    net = MomentumNet(functions(depth, GAMMA, SMALL, dtype), GAMMA, arithmetic=arithmetic)
    report = net.check_inversion(drift.inputs(SMALL, dtype))
    count = SMALL.features * SMALL.batch_size
    for ours, theirs in ((found.position, report.position_errors), (found.velocity, report.velocity_errors)):
        assert theirs[0] / count**0.5 * (1 - 1e-12) <= ours[0] <= theirs[0] * (1 + 1e-12)
    is_exact = kind == "exact"
    assert report.is_exact == is_exact
    assert [each[0] == 0 for each in (found.position, found.velocity, found.gradient)] == [is_exact] * 3


# The law


@pytest.mark.parametrize("growth", [0.9, 1, 1.1])
def test_rates_are_found_again(growth):
    found = made_up(growth)
    assert rate(found, GAMMA) == pytest.approx(growth, rel=1e-9)  # logarithms of float64
    for index in (0, 1, 2):
        found.position[index] *= 100  # before gamma^-N = e^4
    found.position[-1] = 5.0  # saturated
    assert rate(found, GAMMA) == pytest.approx(growth, rel=1e-9)


def test_where_the_law_holds_by_hand():
    found = Drift([3, 4, 5, 6], [1e-5, 1e-5, 0.09, 0.2], [], [])
    # log(1 / gamma) = 1: from four layers on
    assert drift.law_holds_for(found, math.exp(-1)).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="three depths where the law holds, got 2"):
        rate(found, math.exp(-1))


def test_first_wrong():
    assert drift.first_wrong(Drift([1, 2, 3], [], [], [0.05, 0.1, 0.2])) == 3
    assert drift.first_wrong(Drift([1, 2], [], [], [0.05, 0.1])) is None


def test_ratios_by_hand():
    float32 = Drift([4, 5, 6], [1e-3, 1e-2, 1.0], [], [])
    rival = {"depths": [3, 4, 5, 6, 7], "position": [9, 2e-3, 5e-3, 1, 9]}
    assert drift.ratios_to_float32(float32, rival, math.exp(-1)) == pytest.approx([2, 0.5], rel=1e-12)


# The authors' package


def test_the_authors_ran_the_same_networks():
    """Norms of stored gradients agree: 20 layers of float32, some 10 roundings of 6e-8 in each, at worst in line."""
    found = drift.authors()
    assert found["made_by"]["momentumnet"] == "0.10"
    assert found["settings"] == dataclasses.asdict(Settings())
    assert list(found["drift"]) == list(drift.GAMMAS)
    for gamma, each in found["drift"].items():
        assert each["depths"] == depths_for(gamma)
        assert len(each["position"]) == len(each["gradient"]) == len(each["depths"])
    theirs = dict(zip(found["drift"][0.5]["depths"], found["drift"][0.5]["gradient_norm"], strict=True))
    deepest, x = functions(20, 0.5, Settings()), drift.inputs(Settings())
    for depth in (1, 7, 20):
        net = MomentumNet(deepest[:depth], 0.5, arithmetic="float", backprop="stored")
        assert np.linalg.norm(drift.gradients(net, x)) == pytest.approx(theirs[depth], rel=20 * 10 * 6e-8)


# Claims


def test_good_numbers_hold():
    assert [claim.holds for claim in claims(DRIFTS, RIVALS)] == [True] * 4


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"float32": made_up(1.05)}, 0),
        ({"float64": made_up(0.95, 1e-16)}, 0),
        ({"exact": dataclasses.replace(zero(), position=[0.0] * 31 + [1e-12])}, 1),
        ({"exact": dataclasses.replace(zero(), velocity=[1e-12] + [0.0] * 31)}, 1),
        ({"exact": dataclasses.replace(zero(), gradient=[0.0] * 31 + [math.nan])}, 1),
        ({"float32": made_up(gradient=0.05)}, 2),
        ({"float32": made_up(start=4e-13)}, 3),  # theirs is 12.5 times as large
        ({"float32": made_up(start=6e-11)}, 3),  # and 12 times smaller
    ],
)
def test_each_claim_can_fail(changes, number):
    found = claims({GAMMA: DRIFTS[GAMMA] | changes}, RIVALS)
    assert [claim.holds for claim in found] == [index != number for index in range(4)]


def test_table_and_figure():
    lines = drift.table(DRIFTS, RIVALS).splitlines()
    assert len(lines) == 2 + 32 // 4
    assert lines[1].endswith("momentumnet 0.10")
    figure = drift.draw(DRIFTS, RIVALS)
    float32, law, *_ = figure.axes[0].lines
    np.testing.assert_array_equal(float32.get_ydata(), DRIFTS[GAMMA]["float32"].position)
    np.testing.assert_allclose(law.get_ydata(), float32.get_ydata(), rtol=1e-9)  # the made-up drift is on the law
    assert (drift.ZERO,) * 32 in [tuple(line.get_ydata()) for line in figure.axes[1].lines]
    pyplot.close(figure)
