"""Undoing layers, with the next layer's first half in the same pass or without: the same integers in every layer."""

import weakref

import numpy as np
import pytest
from reversible_support import (
    GAMMAS,
    STATE_BYTES,
    assert_a_kept_tape_gives_the_same_bits,
    assert_agrees,
    assert_close,
    assert_same_bits,
    batch,
    conv_block,
    dense_block,
    dropout_block,
    every_arithmetic,
    every_mode,
    momentum_net,
    recurrence,
    train_step,
)

from mininet import Tensor, nn, track_memory
from mininet.reversible import ExactState, FloatState, states

DEPTH = 240
SHAPE = (5, 7)
KINDS = {"exact": ExactState, "float": FloatState}


def residual(layer, value):
    """Of both signs, and different in every layer."""
    return np.tanh(value * value.dtype.type(1 + layer % 3) + value.dtype.type(0.1 * layer))


def state_at_start(gamma, dtype=np.float32, kind=ExactState):
    state = kind(batch(*SHAPE, dtype=dtype), gamma)
    state.set_velocity(batch(*SHAPE, dtype=dtype, seed=4))
    return state


def step(state):
    state.step(residual(state.layer, state.value()))


def undo(state, go_on=False):
    state.undo_position()
    state.undo_velocity(residual(state.layer, state.value()), go_on)


def contents(state):
    """Copies of all arrays of a state."""
    arrays = {"position": state.position, "velocity": state.velocity}
    if isinstance(state, ExactState):
        arrays |= {"buffer": state.buffer} | {f"spilled{i}": low for i, low in enumerate(state.spilled)}
    return {name: array.copy() for name, array in arrays.items()}


PATTERNS = {
    "never": lambda layer: False,
    "always": lambda layer: True,
    "every other time": lambda layer: layer % 2 == 0,
    "three, then two": lambda layer: layer % 5 < 3,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_layer_comes_back_whether_or_not_it_goes_on(pattern, gamma, dtype):
    state = state_at_start(gamma, dtype)
    before, values = [contents(state)], [state.value().copy()]
    for _ in range(DEPTH):
        step(state)
        before.append(contents(state))
        values.append(state.value().copy())
    assert any("spilled0" in arrays for arrays in before) == (gamma <= 0.9)

    for layer in reversed(range(DEPTH)):
        state.undo_position()
        assert state.layer == layer
        assert np.array_equal(state.position, before[layer]["position"])
        assert state.value().dtype == dtype
        assert np.array_equal(state.value(), values[layer])
        go_on = layer > 0 and PATTERNS[pattern](layer)
        state.undo_velocity(residual(layer, state.value()), go_on)
        found = contents(state)
        assert np.array_equal(found.pop("position"), before[layer - go_on]["position"])
        assert_same_bits(found, {name: array for name, array in before[layer].items() if name != "position"})
    state.verify_start(batch(*SHAPE, dtype=dtype, seed=4))


def test_going_on_makes_no_difference_in_floats():
    one, other = (state_at_start(0.9, kind=FloatState) for _ in range(2))
    for _ in range(20):
        step(one)
        step(other)
    for layer in reversed(range(20)):
        undo(one, go_on=layer > 0)
        undo(other)
        assert_same_bits(contents(one), contents(other))


def test_unless_told_to_go_on_a_state_stands_at_its_layer():
    state = momentum_net(3).run(batch(5, 4))
    state.undo_position()
    position = state.position.copy()
    state.undo_velocity(batch(5, 4, seed=2))
    assert np.array_equal(state.position, position)


def test_the_last_layer_of_a_run_stays_ahead_of_nothing():
    """After a walk that went on wherever it could, the state is one to run forward and back again."""
    state = state_at_start(0.9)
    before = contents(state)
    for _ in range(3):
        for _ in range(10):
            step(state)
        for layer in reversed(range(10)):
            undo(state, go_on=layer > 0)
        assert_same_bits(contents(state), before)


# Values and copies


def test_values_are_overwritten_by_no_later_step():
    state = state_at_start(0.9)
    found, copies = [], []

    def look():
        found.append(state.value())
        copies.append(state.value().copy())

    look()
    for _ in range(10):
        step(state)
        look()
    for layer in reversed(range(10)):
        state.undo_position()
        look()
        state.undo_velocity(residual(layer, state.value()), go_on=layer > 3)
    assert all(np.array_equal(value, copy) for value, copy in zip(found, copies, strict=True))


@every_arithmetic
@pytest.mark.parametrize("layers", [0, 1, 5])
def test_a_kept_value_belongs_to_the_caller(layers, arithmetic):
    state = state_at_start(0.9, kind=KINDS[arithmetic])
    for _ in range(layers):
        step(state)
    kept = state.kept_value()
    alive = weakref.ref(kept)
    assert np.array_equal(kept, state.value())
    assert not np.shares_memory(kept, state.value())
    assert not any(np.shares_memory(kept, array) for array in state.arrays())
    del kept
    assert alive() is None


@every_arithmetic
def test_what_values_returns_is_not_kept_alive(arithmetic):
    state = momentum_net(3, arithmetic=arithmetic).run(batch(5, 4))
    alive = [weakref.ref(array) for array in state.values()]
    assert all(array() is None for array in alive)


MOMENTS = {
    "at the start": lambda state: None,
    "after some layers": lambda state: [step(state) for _ in range(30)],
    "with a layer undone": lambda state: [[step(state) for _ in range(30)], undo(state)],
    "ahead": lambda state: [[step(state) for _ in range(30)], undo(state, go_on=True)],
    "ahead, at a multiple of spills": lambda state: [
        [step(state) for _ in range(60)],
        *(undo(state, go_on=True) for _ in range(15)),
    ],
}


@every_arithmetic
@pytest.mark.parametrize("moment", MOMENTS)
def test_copies_share_nothing_that_changes(moment, arithmetic):
    state = state_at_start(0.5, kind=KINDS[arithmetic])
    MOMENTS[moment](state)
    value = state.value()
    other = state.copy()
    ours, theirs = ([*entry.arrays(), entry.value()] for entry in (state, other))
    if arithmetic == "exact":
        ours.append(state.buffer)
        theirs.append(other.buffer)
        assert other.spilled is not state.spilled
        assert not np.shares_memory(other.value(), value)
    for array, twin in zip(ours, theirs, strict=True):
        assert np.array_equal(array, twin)
        assert not any(np.shares_memory(array, entry) for entry in theirs)

    before = contents(state)
    while other.layer > 0:
        undo(other, go_on=other.layer > 1)
    assert_same_bits(contents(state), before)
    assert np.array_equal(state.value(), value)
    while state.layer > 0:
        undo(state)
    assert_same_bits(contents(state), contents(other))
    if arithmetic == "exact":
        state.verify_start(batch(*SHAPE, seed=4))


def test_checkpoints_hold_no_values():
    """Each is the integers and nothing else, also where the value is at hand when the copy is made."""
    state = state_at_start(0.9)
    state.value()
    with track_memory() as memory:
        checkpoint = state.copy("checkpoints")
        assert memory.current_bytes == memory.current_by_kind["checkpoints"]
        assert memory.current_bytes == checkpoint.position.size * STATE_BYTES["exact"]
        value = state.value()
        alive = weakref.ref(value)
        state.kept_value()
        del value
        assert alive() is None, "the copy does not hold it"


# Whole nets


@pytest.mark.parametrize("start", [None, dense_block])
@pytest.mark.parametrize("depth", [0, 1, 2, 7])
def test_all_but_the_first_layer_are_undone_in_one_pass(depth, start, monkeypatch):
    calls = []
    for name in ("undo_position", "undo_velocity", "undo_velocity_and_position"):
        original = getattr(states.exact, name)

        def noting(*arguments, name=name, original=original):
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(states.exact, name, noting)
    train_step(momentum_net(depth, start=start), batch(5, 4))
    one_pass = ["undo_velocity_and_position"] * (depth - 1)
    assert calls == (["undo_position", *one_pass, "undo_velocity"] if depth else [])


@pytest.mark.parametrize("gamma", [0.5, 0.9])
@every_mode
def test_a_kept_tape_gives_the_same_bits_each_time(arithmetic, backprop, gamma):
    """Long enough that at gamma 1/2 bits are spilled, and popped from the stack each time."""
    depth = 80 if arithmetic == "exact" else 5
    net = momentum_net(depth, dropout_block, start=dense_block, gamma=gamma, arithmetic=arithmetic, backprop=backprop)
    assert_a_kept_tape_gives_the_same_bits(net)


@every_mode
@pytest.mark.parametrize("start", [None, dense_block], ids=["at rest", "with a start"])
@pytest.mark.parametrize("block", [dense_block, conv_block], ids=["dense", "conv"])
def test_depth_one(block, start, arithmetic, backprop):
    shape = (5, 4) if block is dense_block else (2, 4, 4, 3)
    if start:
        start = block
    settings = {"start": start, "gamma": 0.75, "dtype": np.float64, "arithmetic": arithmetic}
    net, twin, stored = (momentum_net(1, block, backprop=way, **settings) for way in (backprop, backprop, "stored"))
    x = batch(*shape, dtype=np.float64)
    ours = train_step(net, x)
    assert_agrees(ours, train_step(stored, x), net)
    # one layer: x and v are rounded to units of 2^-40, or to an epsilon, which f and its gradients stretch, less than
    # a hundredfold, over sums of up to 100 products
    unit = 2.0**-40 if arithmetic == "exact" else np.finfo(np.float64).eps
    assert_close(ours, train_step(twin, x, forward=recurrence(twin)), 1e4 * unit)

    x = np.round(x * 64) / 64  # comes back exactly, then
    state = net.run(x)
    assert state.layer == 1
    x0, v0 = net.invert(state)
    if arithmetic == "exact":
        assert np.array_equal(x0, x)
        assert state.layer == 0
        assert not state.buffer.any()
        assert net.check_inversion(x).is_exact
    else:
        np.testing.assert_allclose(x0, x, rtol=0, atol=1e4 * unit)
    if start is None:
        np.testing.assert_allclose(v0, 0, rtol=0, atol=0 if arithmetic == "exact" else 1e4 * unit)


# Memory


@every_arithmetic
@pytest.mark.parametrize("depth", [1, 30])
def test_the_state_keeps_no_output_alive(depth, arithmetic):
    """Between forward and backward, without the output, there is the state and nothing else."""
    net = nn.Sequential(momentum_net(depth, tied=True, arithmetic=arithmetic))
    leaf = Tensor(batch(50, 4), requires_grad=True)
    with track_memory() as memory:
        y = net(leaf)
        total = y.sum()
        alive = weakref.ref(y.data)
        del y
        assert alive() is None
        known = leaf.data.nbytes + total.data.nbytes + sum(parameter.data.nbytes for parameter in net.parameters())
        assert memory.current_bytes - known == leaf.size * STATE_BYTES[arithmetic]
        total.backward()


def test_states_hold_one_value_at_a_time():
    """Large enough that values come from `buffers`: going through layers needs the one before and the one after."""
    x = batch(128, 256)
    state = ExactState(x, 0.9)
    still = np.zeros_like(x)
    with track_memory() as memory:
        state.value()
        for _ in range(5):
            state.step(still)
        for layer in reversed(range(5)):
            state.undo_position()
            state.undo_velocity(still, go_on=layer > 0)
        values = memory.by_kind["transient"]
    assert values == 2 * x.nbytes
