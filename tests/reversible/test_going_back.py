"""Undoing layers, with the next layer's first half in the same pass or without: the same integers in every layer."""

import weakref

import numpy as np
import pytest
from reversible_support import assert_same_bits, batch, dense_block, every_arithmetic, momentum_net, train_step

from mininet import track_memory
from mininet.kernels import exact
from mininet.reversible import ExactState, FloatState
from mininet.reversible.revnet import ExactCoupledState

DEPTH = 240
SHAPE = (5, 6)
KINDS = {"exact": ExactState, "float": FloatState}


def residual(layer, x):
    """Of both signs, and different in every layer; a tanh that is saturated would not tell."""
    return np.sin(x * x.dtype.type(1 + layer % 3) + x.dtype.type(0.1 * layer))


def state_at_start(gamma, dtype=np.float32, kind=ExactState):
    state = kind(batch(*SHAPE, dtype=dtype), gamma)
    state.set_velocity(batch(*SHAPE, dtype=dtype, seed=4))
    return state


def step(state, times=1):
    for _ in range(times):
        state.step(residual(state.layer, state.input()))


def undo(state, *more):
    layer = state.layer - 1
    state.undo(lambda x: residual(layer, x), *more)


def contents(state):
    """Copies of all arrays of a state."""
    arrays = {name: getattr(state, name) for name in state.variables}
    if isinstance(state, ExactState):
        arrays["words"] = state.remainders.packed
        arrays |= {f"spilled{i}": low for i, low in enumerate(state.remainders.spilled)}
    return {name: array.copy() for name, array in arrays.items()}


STARTS = {
    "0.5": lambda: state_at_start(0.5),
    "0.9, float64": lambda: state_at_start(0.9, np.float64),
    "near 1": lambda: state_at_start(1 - 1 / 50_000),
    "RevNet": lambda: ExactCoupledState(batch(*SHAPE)),
}
PATTERNS = {"never": lambda layer: False, "always": lambda layer: True, "three, then two": lambda layer: layer % 5 < 3}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_layer_comes_back_whether_or_not_more_are_undone(pattern, start):
    state = STARTS[start]()
    before, inputs = [contents(state)], [state.input()]
    for _ in range(DEPTH):
        step(state)
        before.append(contents(state))
        inputs.append(state.input())
    assert any("spilled0" in arrays for arrays in before) == start.startswith("0")

    for layer in reversed(range(DEPTH)):

        def function(x, layer=layer):
            assert x.dtype == inputs[0].dtype
            assert np.array_equal(x, inputs[layer])
            return residual(layer, x)

        more = layer > 0 and PATTERNS[pattern](layer)
        state.undo(function, *[True] * more)
        assert state.layer == layer
        expected = dict(before[layer])
        if more and isinstance(state, ExactState):  # whose position is ahead
            expected["position"] = before[layer - 1]["position"]
        assert_same_bits(contents(state), expected)
    assert np.array_equal(state.input(), inputs[0])


def test_where_a_run_can_have_begun():
    velocity = batch(*SHAPE, seed=4)
    state = state_at_start(0.9)
    assert state.can_be_start(velocity)
    assert not state.can_be_start(None)
    assert not state.can_be_start(velocity + np.float32(1e-3))
    state.remainders.packed[0, 0] = 1
    assert not state.can_be_start(velocity)
    assert ExactState(velocity, 0.9).can_be_start(None)


# What is given out


@every_arithmetic
def test_inputs_that_are_kept_are_overwritten_by_no_later_step(arithmetic):
    state = state_at_start(0.9, kind=KINDS[arithmetic])
    found, copies = [], []

    def look():
        found.append(state.input(lasting=True))
        copies.append(found[-1].copy())
        assert not any(np.shares_memory(found[-1], array) for array in state.arrays())

    look()
    for _ in range(10):
        step(state)
        look()
    for layer in reversed(range(10)):
        undo(state, layer > 3)
        if layer <= 3:
            look()
    assert all(np.array_equal(kept, copy) for kept, copy in zip(found, copies, strict=True))


@every_arithmetic
@pytest.mark.parametrize("give", [lambda state: [state.output()], lambda state: state.values()])
def test_what_is_given_out_is_not_kept_alive(give, arithmetic):
    state = state_at_start(0.9, kind=KINDS[arithmetic])
    step(state, 3)
    given = give(state)
    assert np.array_equal(given[0], state.input())
    assert not any(np.shares_memory(given[0], array) for array in (state.input(), *state.arrays()))
    alive = [weakref.ref(array) for array in given]
    del given
    assert all(array() is None for array in alive)


def test_all_but_the_first_layer_are_undone_in_one_pass(monkeypatch):
    calls = []
    for name in ("undo_position", "undo_velocity", "undo_velocity_and_position"):
        original = getattr(exact, name)

        def noting(*arguments, name=name, original=original):
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(exact, name, noting)
    train_step(momentum_net(4, start=dense_block), batch(5, 4))
    assert calls == ["undo_position", *["undo_velocity_and_position"] * 3, "undo_velocity"]


def test_states_hold_one_array_of_floats_at_a_time():
    """Large enough that it comes from `buffers`: going through layers needs the one before and the one after."""
    x = batch(128, 256)
    state = ExactState(x, 0.9)
    still = np.zeros_like(x)
    with track_memory() as memory:
        state.input()
        for _ in range(5):
            state.step(still)
        for layer in reversed(range(5)):
            state.undo(lambda x: still, layer > 0)
        assert memory.by_kind["transient"] == 2 * x.nbytes
