"""Order on a line: what is measured of a network, and the verdicts on it."""

import dataclasses
import math

import numpy as np
import pytest
from matplotlib import pyplot

from mininet import ResidualNet, nn
from mininet.experiments.toy import crossing
from mininet.experiments.toy.crossing import BEST_INCREASING, Outcome, claims, examine, grid


def linear_function(slope):
    """f(x) = slope x up to 1e-12 for |x| <= 1: small enough, tanh is linear (its next term is t^3 / 3)."""
    function = nn.Sequential(nn.Linear(1, 1), nn.Tanh(), nn.Linear(1, 1)).to(np.float64)
    for parameter, value in zip(function.parameters(), (1e-6, 0.0, slope * 1e6, 0.0), strict=True):
        parameter.data[...] = value
    return function


def test_the_grid_is_in_order_and_averages_like_an_integral():
    x = grid(1000)
    assert x.shape == (1000, 1)
    assert (np.diff(x[:, 0]) > 0).all()
    np.testing.assert_allclose(x, -x[::-1], rtol=0, atol=np.finfo(np.float64).eps)
    # midpoints: h^2 / 24 times the second derivative of x^6, at most 30, with h = 1 / 500
    assert np.mean(x**6) == pytest.approx(BEST_INCREASING, abs=30 / 24 / 500**2)


@pytest.mark.parametrize(("slope", "kept"), [(0.1, True), (-0.9, True), (-1.1, False)])
def test_a_linear_resnet_keeps_order_where_one_plus_slope_is_positive(slope, kept):
    """Then x_n = (1 + slope)^n x_0: all pairs are swapped after each odd layer, or none."""
    found = examine(ResidualNet([linear_function(slope)] * 3))
    assert found.least_slope == pytest.approx(1 + slope, rel=1e-6)
    assert found.keeps_order == kept
    assert found.swapped.tolist() == ([0, 0, 0, 0] if kept else [0, 1, 0, 1])
    # the mean of (a x + x^3)^2 is a^2 / 3 + 2 a / 5 + 1 / 7
    end = (1 + slope) ** 3
    assert found.loss == pytest.approx(end**2 / 3 + 2 * end / 5 + 1 / 7, rel=1e-4)


def test_a_step_that_is_too_large_in_the_middle_alone():
    """x - 2 tanh(x) falls where tanh'(x) = 1 - tanh(x)^2 > 1/2, so for |x| < artanh(sqrt(1/2)); most steeply at 0."""
    function = linear_function(0)
    function[0].weight.data[...], function[2].weight.data[...] = 1.0, -2.0
    found = examine(ResidualNet([function]))
    assert found.least_slope == pytest.approx(-1, abs=2 * 0.001**2)  # 0.001 is the point of the grid next to 0
    assert found.swapped[1] == pytest.approx(math.atanh(math.sqrt(0.5)), abs=2 / 1000)  # of pairs 1/500 apart


def outcome(loss, keeps_order, least_slope=None):
    return Outcome(None, loss, np.array([0, 0 if keeps_order else 0.5]), least_slope)


def outcomes(resnet=(0.143, True, 0.4), momentum=(0.002, False)):
    return {
        "ResNet": [outcome(*resnet)] * 3,
        "Momentum ResNet": [outcome(*momentum)] * 3,
        "ResNet, large steps": [outcome(0.001, False, -1.1)] * 3,
    }


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({}, [True] * 5),
        ({"resnet": (0.143, False, 0.4)}, [False, True, True, True, True]),
        ({"resnet": (0.143, True, -0.1)}, [False, True, True, True, True]),
        ({"resnet": (0.16, True, 0.4)}, [True, False, True, True, True]),
        ({"momentum": (0.002, True)}, [True, True, False, True, True]),
        ({"momentum": (0.02, False)}, [True, True, True, True, False]),
        ({"momentum": (0.03, False)}, [True, True, True, False, False]),
    ],
)
def test_each_claim_can_fail(changes, verdicts):
    assert [claim.holds for claim in claims(outcomes(**changes))] == verdicts


def test_the_table_counts_resnets_that_are_no_flow():
    found = outcomes()
    large = found["ResNet, large steps"]
    found["ResNet, large steps"] = [large[0], dataclasses.replace(large[0], loss=0.1), outcome(0.1, True, 0.2)]
    lines = crossing.table(found).splitlines()
    assert lines[1].split() == ["ResNet", "0.14300", "(0.14300", "to", "0.14300)", "3", "of", "3", "0.400"]
    assert lines[2].split()[-3:] == ["0", "of", "3"]
    assert lines[4].split()[-1] == f"{1 / 7:.5f}"
    assert lines[-1] == (
        "With large steps, 2 of 3 ResNets are no flow (1 + f' < 0), and the loss of 1 of 3 is below a fifth of 1/7."
    )


def test_the_figure_has_the_trajectories():
    kept = examine(ResidualNet([linear_function(-0.2)] * 15))
    figure = crossing.draw({name: [kept] for name in crossing.RIVALS}, points=5)
    lines = np.array([line.get_ydata() for line in figure.axes[0].lines]).T
    assert np.array_equal(lines, kept.net.trajectory(np.linspace(-1, 1, 5)[:, None])[..., 0])
    assert "order kept" in figure.axes[0].get_title()
    pyplot.close(figure)
