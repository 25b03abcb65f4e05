"""RevNet's own: its integers, and what its states hold."""

import numpy as np
from reversible_support import batch, network

from mininet import RevNet, Tensor, nn, track_memory
from mininet.kernels import buffers
from mininet.reversible.revnet import ExactCoupledState


def test_a_run_follows_the_definition_in_integers():
    net, x = network("RevNet", 30, features=4), batch(3, 4)
    a, b = (np.rint(half.astype(np.float64) * 2**40).astype(np.int64) for half in (x[:, :2], x[:, 2:]))
    for function in net.functions:
        value = function(Tensor((b * 2.0**-40).astype(np.float32))).data
        a, b = b, a + np.rint(value.astype(np.float64) * 2**40).astype(np.int64)
    state = net.run(x)
    assert isinstance(state, ExactCoupledState)
    assert state.first.dtype == state.second.dtype == np.int64
    assert np.array_equal(state.first, a)
    assert np.array_equal(state.second, b)
    assert state.values().dtype == np.float32


def function(layer):
    """A sine, as a tanh that is saturated would not tell."""
    return lambda x: np.sin(x * (1 + layer % 3))


def test_a_state_that_expected_more_can_be_run_forward_again():
    """Undoing with `more` has the floats of a at hand; a step changes a, and they must not be taken for it."""
    state = ExactCoupledState(batch(5, 6))
    before = [array.copy() for array in state.arrays()]

    def walk(forward, back):
        for _ in range(forward):
            state.step(function(state.layer)(state.input()))
        for _ in range(back):
            state.undo(function(state.layer - 1), state.layer > 1)

    walk(10, 4)
    walk(4, 4)
    walk(4, 10)
    assert state.equals(before)
    assert state.can_be_start(None)
    state.second[0, 0] += 1
    assert not state.can_be_start(None)


def test_a_state_that_has_come_back_holds_no_floats_beside_its_integers():
    buffers.clear()
    net = RevNet([nn.Linear(32, 32)] * 3)
    state = net.run(np.ones((1024, 64), np.float32))
    with track_memory() as memory:
        net.invert(state)
    assert memory.current_by_kind["transient"] == 0
