"""Undoing layers, with the next layer's first half in the same pass or without: the same integers in every layer."""

import weakref

import numpy as np
import pytest
from reversible_support import assert_same_bits, batch, dense_block, every_arithmetic, momentum_net, train_step

from mininet import track_memory
from mininet.kernels import exact
from mininet.reversible import ExactState, FloatState

DEPTH = 240
SHAPE = (5, 7)
KINDS = {"exact": ExactState, "float": FloatState}


def residual(layer, x):
    """Of both signs, and different in every layer."""
    return np.tanh(x * x.dtype.type(1 + layer % 3) + x.dtype.type(0.1 * layer))


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
    arrays = {"position": state.position, "velocity": state.velocity}
    if isinstance(state, ExactState):
        arrays["words"] = state.remainders.words
        arrays |= {f"spilled{i}": low for i, low in enumerate(state.remainders.spilled)}
    return {name: array.copy() for name, array in arrays.items()}


PATTERNS = {
    "never": lambda layer: False,
    "always": lambda layer: True,
    "three, then two": lambda layer: layer % 5 < 3,
}


@pytest.mark.parametrize(("gamma", "dtype"), [(0.5, np.float32), (0.9, np.float64), (1 - 1 / 50_000, np.float32)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_layer_comes_back_whether_or_not_more_are_undone(pattern, gamma, dtype):
    state = state_at_start(gamma, dtype)
    before, inputs = [contents(state)], [state.input()]
    for _ in range(DEPTH):
        step(state)
        before.append(contents(state))
        inputs.append(state.input())
    assert any("spilled0" in arrays for arrays in before) == (gamma <= 0.9)

    for layer in reversed(range(DEPTH)):

        def function(x, layer=layer):
            assert np.array_equal(state.position, before[layer]["position"])
            assert x.dtype == dtype
            assert np.array_equal(x, inputs[layer])
            return residual(layer, x)

        more = layer > 0 and PATTERNS[pattern](layer)
        state.undo(function, *[True] * more)
        assert state.layer == layer
        found = contents(state)
        assert np.array_equal(found.pop("position"), before[layer - more]["position"])
        assert_same_bits(found, {name: array for name, array in before[layer].items() if name != "position"})


def test_where_a_run_can_have_begun():
    velocity = batch(*SHAPE, seed=4)
    state = state_at_start(0.9)
    assert state.can_be_start(velocity)
    assert not state.can_be_start(None)
    assert not state.can_be_start(velocity + np.float32(1e-3))
    state.remainders.words[0, 0] = 1
    assert not state.can_be_start(velocity)
    assert ExactState(velocity, 0.9).can_be_start(None)


def test_undoing_more_makes_no_difference_in_floats():
    one, other = (state_at_start(0.9, kind=FloatState) for _ in range(2))
    step(one, 20)
    step(other, 20)
    for layer in reversed(range(20)):
        undo(one, layer > 0)
        undo(other)
        assert_same_bits(contents(one), contents(other))


def test_after_undoing_all_a_state_can_be_run_again():
    state = state_at_start(0.9)
    before = contents(state)
    for _ in range(3):
        step(state, 10)
        for layer in reversed(range(10)):
            undo(state, layer > 0)
        assert_same_bits(contents(state), before)


# Inputs and copies


@every_arithmetic
def test_inputs_that_are_kept_are_overwritten_by_no_later_step(arithmetic):
    state = state_at_start(0.9, kind=KINDS[arithmetic])
    found, copies = [], []

    def look():
        found.append(state.input(keep=True))
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


MOMENTS = {
    "at the start": lambda state: None,
    "with a layer undone": lambda state: [step(state, 30), undo(state)],
    "ahead, at a multiple of spills": lambda state: [step(state, 60), *(undo(state, True) for _ in range(15))],
}


@every_arithmetic
@pytest.mark.parametrize("moment", MOMENTS)
def test_copies_share_nothing_that_changes(moment, arithmetic):
    state = state_at_start(0.5, kind=KINDS[arithmetic])
    MOMENTS[moment](state)
    values = state.input().copy()
    other = state.copy()
    ours, theirs = contents(state), contents(other)
    assert_same_bits(ours, theirs)
    for array in (*other.arrays(), *other.side_information(), other.input()):
        assert not any(
            np.shares_memory(array, entry) for entry in (*state.arrays(), *state.side_information(), state.input())
        )
    while other.layer > 0:
        undo(other, other.layer > 1)
    assert_same_bits(contents(state), ours)
    assert np.array_equal(state.input(), values)
    while state.layer > 0:
        undo(state)
    assert_same_bits(contents(state), contents(other))


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
