"""Memory by depth: what each layer adds, counted by hand, and claims that can fail."""

import dataclasses

import numpy as np
import pytest

from mininet.experiments import side_information
from mininet.experiments.memory import memory
from mininet.experiments.memory.memory import Settings, claims_by_depth, fit_power_law

SETTINGS = Settings(features=12, hidden=3, batch_size=8)
DEPTHS = (4, 9, 16, 25)
ARRAY = 4 * SETTINGS.elements  # bytes of x in float32
TAPE = ARRAY + 4 * SETTINGS.batch_size * SETTINGS.hidden  # x, and tanh of the hidden layer
CHECKPOINT = (8 + 8 + 4) * SETTINGS.elements  # x, v and b of exact arithmetic


@pytest.fixture(scope="module")
def memories():
    return memory.by_depth(DEPTHS, SETTINGS)


@pytest.fixture(scope="module")
def fits(memories):
    return {name: fit_power_law(DEPTHS, [each.peak_bytes for each in memories[name]]) for name in memory.EXPONENTS}


def growth(found, attribute="kept_for_backward"):
    return np.diff([getattr(each, attribute) for each in found])


def test_stored_keeps_two_arrays_a_layer(memories):
    assert growth(memories["stored"]).tolist() == (TAPE * np.diff(DEPTHS)).tolist()
    assert growth(memories["stored"], "peak_bytes").tolist() == (TAPE * np.diff(DEPTHS)).tolist()


def test_checkpoints_and_the_tapes_between_two_of_them(memories):
    """Of N = k^2 layers, k checkpoints and k tapes."""
    assert growth(memories["checkpointed"]).tolist() == ((TAPE + CHECKPOINT) * np.diff(np.sqrt(DEPTHS))).tolist()


@pytest.mark.parametrize("method", ["float", "exact", "paper"])
def test_memory_free_keeps_the_state(memories, method):
    state = 2 * ARRAY if method == "float" else CHECKPOINT
    for each in memories[method]:
        assert each.by_kind["state"] + each.by_kind["side information"] == state
    assert not growth(memories[method], "peak_bytes").any()


@pytest.mark.parametrize("depth", [10, 200])
def test_a_training_step_holds_the_side_information_of_the_trace(depth):
    x, net = memory.inputs(SETTINGS), memory.network("exact", depth, SETTINGS)
    found = memory.held_by(lambda: memory.train_step(net, x))
    trace = side_information.measure(net.functions[0], x, memory.GAMMA, depth)
    assert 8 * found.by_kind["side information"] == trace.held_bits[-1] * SETTINGS.elements


def test_claims(memories, fits):
    assert [claim.holds for claim in claims_by_depth(DEPTHS, memories, fits)] == [True] * 4


@pytest.mark.parametrize(("exponents", "number"), [((0.9, 0.5), 0), ((1.03, 0.5), 0), ((1, 0.6), 1), ((1, 1), 1)])
def test_other_laws_fail(memories, fits, exponents, number):
    changed = {
        name: dataclasses.replace(fit, exponent=exponent)
        for (name, fit), exponent in zip(fits.items(), exponents, strict=True)
    }
    assert [claim.holds for claim in claims_by_depth(DEPTHS, memories, changed)].index(False) == number


def test_memory_that_grows_is_not_flat(memories, fits):
    changed = memories | {"float": memories["checkpointed"]}
    assert [claim.holds for claim in claims_by_depth(DEPTHS, changed, fits)] == [True, True, False, True]
    changed = memories | {"paper": [memories["stored"][-1]] * len(DEPTHS)}  # flat, but no less
    assert [claim.holds for claim in claims_by_depth(DEPTHS, changed, fits)] == [True, True, True, False]


ALONG = np.array([4, 9, 25, 100, 400, 900])


@pytest.mark.parametrize("exponent", [0.5, 1, 1.25])
def test_a_law_is_found_again(exponent):
    law = fit_power_law(ALONG, 700 + 30 * ALONG**exponent)
    assert law.exponent == exponent
    # least squares on columns of condition number below 1e4, so 1e-16 becomes 1e-12 at most
    assert (law.offset, law.scale) == pytest.approx((700, 30), rel=1e-11)
    assert law.residual < 1e-11
    np.testing.assert_allclose(law.at(ALONG), 700 + 30 * ALONG**exponent, rtol=1e-11)


def test_the_residual_is_relative():
    values = 10 + ALONG + np.array([1, -1, 1, -1, 1, -1])
    law = fit_power_law(ALONG, values)
    assert law.residual == pytest.approx(np.sqrt(np.mean((law.at(ALONG) / values - 1) ** 2)), rel=1e-9)
    assert law.residual > 0
