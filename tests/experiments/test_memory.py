"""Memory by depth: what each layer adds, counted by hand, and claims that can fail."""

import dataclasses

import numpy as np
import pytest
from matplotlib import pyplot

from mininet.experiments import memory, power_law, side_information
from mininet.experiments.memory import METHODS, Settings, by_depth, claims_by_depth, draw, held_by, network, tables
from mininet.kernels import buffers, threads

SETTINGS = Settings(features=12, hidden=3, batch_size=8)
DEPTHS = (9, 16, 36, 64)
ARRAY = 4 * SETTINGS.elements  # bytes of x in float32
TAPE = ARRAY + 4 * SETTINGS.batch_size * SETTINGS.hidden  # x, and tanh of the hidden layer
CHECKPOINT = (8 + 8 + 4) * SETTINGS.elements  # x, v and b of exact arithmetic


@pytest.fixture(scope="module")
def memories():
    return by_depth(DEPTHS, SETTINGS)


@pytest.fixture(scope="module")
def fits(memories):
    return {name: power_law.fit(DEPTHS, [each.peak_bytes for each in memories[name]]) for name in memory.EXPONENTS}


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
    x, net = memory.inputs(SETTINGS), network("exact", depth, SETTINGS)
    found = held_by(lambda: memory.train_step(net, x))
    trace = side_information.measure(net.functions[0], x, memory.GAMMA, depth)
    assert 8 * found.by_kind["side information"] == trace.held_bits[-1] * SETTINGS.elements


def test_networks():
    for method, (arithmetic, backprop) in METHODS.items():
        net = network(method, 20, SETTINGS)
        assert (net.arithmetic, net.backprop) == (arithmetic, backprop)
        assert net.gamma == (0.9 if method == "exact" else 0.999)
        assert len(net.functions) == 20
        assert all(function is net.functions[0] for function in net.functions)
    assert Settings() == Settings(500, 8, 500)


def test_counting_is_on_one_thread_without_reuse_and_leaves_both_as_they_were():
    before = buffers.get_limit(), threads.get_num_threads()
    buffers.set_limit(12_345)
    threads.set_num_threads(2)
    try:
        found = held_by(lambda: buffers.zeros(1000, np.float32, "state"))
        assert (found.peak_bytes, found.current_bytes) == (4000, 0)
        with pytest.raises(KeyError):
            held_by(fail_after_looking)
        assert (buffers.get_limit(), threads.get_num_threads()) == (12_345, 2)
    finally:
        buffers.set_limit(before[0])
        threads.set_num_threads(before[1])


def fail_after_looking():
    assert (buffers.get_limit(), threads.get_num_threads()) == (0, 1)
    raise KeyError


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


def test_text_and_figure(memories, fits):
    timed = DEPTHS[:2]
    seconds = memory.seconds_by_depth(timed, SETTINGS, rounds=1)
    assert list(seconds) == list(METHODS)
    assert all(len(each) == 2 and min(each) > 0 for each in seconds.values())
    lines = tables(DEPTHS, memories, timed, seconds).splitlines()
    assert len(lines) == 3 * (1 + len(METHODS))
    assert lines[0].split()[-4:] == ["9", "16", "36", "64"]
    information = {
        method: side_information.measure(memory.function(SETTINGS), memory.inputs(SETTINGS), gamma, 10)
        for method, gamma in (("exact", 0.9), ("paper", 0.998))
    }
    figure = draw(DEPTHS, memories, fits, information, timed, seconds, SETTINGS)
    peaks, _, plane = figure.axes
    drawn = [tuple(line.get_ydata()) for line in peaks.lines]
    for found in memories.values():
        assert tuple(each.peak_bytes for each in found) in drawn
    labels = [text.get_text() for text in peaks.get_legend().get_texts()]
    assert len(labels) == len(METHODS) + 1
    assert "N^{1.00}" in labels[0]
    assert "N^{0.50}" in labels[1]
    assert [tuple(line.get_xdata()) for line in plane.lines] == [tuple(each) for each in seconds.values()]
    pyplot.close(figure)
