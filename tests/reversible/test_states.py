"""States: run, invert, and the side information that exact inversion costs (the second promise)."""

import math

import numpy as np
import pytest
from reversible_support import (
    BUFFER_BYTES,
    GAMMAS,
    TwoInputs,
    assert_same_bits,
    batch,
    conv_block,
    dense_block,
    dropout_block,
    every_arithmetic,
    momentum_net,
    train_step,
)

from mininet import MomentumNet, Tensor, manual_seed, track_memory
from mininet.kernels.exact import as_fraction, step_reference
from mininet.reversible import ExactState, FloatState
from mininet.seeding import position

DEEP = 1000
NEARLY = 1e-9
"""For float64, 6 layers and back: each undone layer stretches 2^-52 at most 10 fold.  A wrong f is off by 0.1."""


def units(array):
    """The integers in units of 2^-40 that are nearest to floats."""
    return np.rint(array.astype(np.float64) * 2**40).astype(np.int64)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_start_comes_back_after_a_thousand_layers(gamma):
    x = batch(8, 4)
    net = momentum_net(DEEP, tied=True, start=dense_block, gamma=gamma)
    v = net.init_velocity(Tensor(x)).data
    state = net.run(x)
    assert state.layer == DEEP
    assert (units(v) < 0).any(), "negative velocities are the difficult ones"
    assert not np.array_equal(state.position, units(x))
    assert state.buffer.any()

    x0, v0 = net.invert(state)
    assert state.layer == 0
    assert np.array_equal(state.position, units(x))
    assert np.array_equal(state.velocity, units(v))
    assert not state.buffer.any()
    assert state.spilled == []
    assert np.array_equal(x0, (units(x) * 2.0**-40).astype(np.float32))
    assert np.array_equal(v0, (units(v) * 2.0**-40).astype(np.float32))


@pytest.mark.parametrize("depth", [1, 10, 100, DEEP])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_side_information_is_minimal(gamma, depth):
    x = batch(64, 4)
    net = momentum_net(depth, tied=True, gamma=gamma)
    with track_memory() as memory:
        state = net.run(x)
        side = memory.current_by_kind["side information"]
    assert side == state.buffer.nbytes + sum(low.nbytes for low in state.spilled)
    bits = 8 * side / x.size
    content = depth * math.log2(1 / gamma)
    assert bits <= 1.02 * content + 8 * BUFFER_BYTES
    assert bits >= content, "less than was destroyed cannot be enough"


@pytest.mark.parametrize("gamma", [0.5, 0.9])
def test_a_training_step_keeps_no_more_side_information(gamma):
    depth, x = 400, batch(64, 4)
    net = momentum_net(depth, tied=True, gamma=gamma)
    with track_memory() as memory:
        train_step(net, x)
    assert 8 * memory.by_kind["side information"] / x.size <= (1.02 * depth * math.log2(1 / gamma) + 8 * BUFFER_BYTES)


def test_a_run_follows_the_definition_in_integers():
    """Two layers and all of their integers, by Python's own integers, which cannot overflow."""
    gamma = as_fraction(0.9)
    net = momentum_net(30, start=dense_block, gamma=0.9)
    x = batch(2, 4)
    state = net.run(x)

    positions = [int(i) for i in units(x).ravel()]
    velocities = [int(i) for i in units(net.init_velocity(Tensor(x)).data).ravel()]
    buffers = [0] * x.size
    for function in net.functions:
        floats = (np.array(positions) * 2.0**-40).astype(np.float32).reshape(x.shape)
        values = function(Tensor(floats)).data.ravel()
        layer = [step_reference(*each, gamma) for each in zip(positions, velocities, buffers, values, strict=True)]
        positions, velocities, buffers = map(list, zip(*layer, strict=True))
    assert state.position.ravel().tolist() == positions
    assert state.velocity.ravel().tolist() == velocities
    assert state.buffer.ravel().tolist() == buffers


def test_floats_come_back_nearly():
    x = batch(8, 4, dtype=np.float64)
    net = momentum_net(20, start=dense_block, gamma=0.9, dtype=np.float64, arithmetic="float")
    state = net.run(x)
    assert isinstance(state, FloatState)
    x0, v0 = net.invert(state)
    # errors of an epsilon in each of 20 layers, stretched by (1 + slope of v -> x) / gamma <= 2.5 in each undone
    bound = 20 * np.finfo(np.float64).eps * 2.5**20
    np.testing.assert_allclose(x0, x, atol=bound, rtol=0)
    np.testing.assert_allclose(v0, net.init_velocity(Tensor(x)).data, atol=bound, rtol=0)


@every_arithmetic
def test_run_ends_where_the_net_ends(arithmetic):
    net, x = momentum_net(7, start=dense_block, arithmetic=arithmetic), batch(5, 4)
    y, (x_n, v_n) = net(x).data, net.run(x).values()
    x_before, _ = MomentumNet(net.functions[:-1], 0.9, net.init_velocity, arithmetic=arithmetic).run(x).values()
    assert np.array_equal(y, x_n)
    # v_N = x_N - x_{N-1}: both x are float32 of size at most a few, v is another rounding
    np.testing.assert_allclose(v_n, x_n - x_before, rtol=0, atol=4 * np.finfo(np.float32).eps * np.abs(x_n).max())


@every_arithmetic
def test_values_are_copies(arithmetic):
    net, x = momentum_net(3, arithmetic=arithmetic), batch(5, 4)
    state = net.run(x)
    first = state.values()
    for array in first:
        array[...] = 0
    assert np.array_equal(state.values()[0], net(x).data)
    state.kept_value()[...] = 0
    assert np.array_equal(state.values()[0], net(x).data)


@every_arithmetic
@pytest.mark.parametrize("block", [dropout_block, conv_block])
def test_invert_evaluates_the_functions_as_run_did(block, arithmetic):
    """The same dropout masks, training flags and no second update of statistics, whatever happened in between."""
    shape = (4, 4) if block is dropout_block else (2, 4, 4, 3)
    x = batch(*shape, dtype=np.float64)
    net = momentum_net(5, block, dtype=np.float64, arithmetic=arithmetic)
    state = net.run(x)
    statistics = net.state_dict()
    net.eval()
    manual_seed(123)
    before = position()
    x0, v0 = net.invert(state)
    assert position() == before
    assert not net.training
    assert_same_bits(net.state_dict(), statistics)
    np.testing.assert_allclose(x0, x, rtol=0, atol=NEARLY)
    np.testing.assert_allclose(v0, 0, rtol=0, atol=NEARLY)


@every_arithmetic
def test_extra_inputs_are_given_to_run_and_invert(arithmetic):
    net = momentum_net(6, TwoInputs, dtype=np.float64, arithmetic=arithmetic)
    x, memory = batch(5, 4, dtype=np.float64), Tensor(batch(5, 3, dtype=np.float64))
    state, by_name = net.run(x, memory), net.run(x, memory=memory)
    assert np.array_equal(state.position, by_name.position)
    np.testing.assert_allclose(net.invert(state, memory)[0], x, rtol=0, atol=NEARLY)
    np.testing.assert_allclose(net.invert(by_name, memory=memory)[0], x, rtol=0, atol=NEARLY)


@every_arithmetic
def test_a_copied_state_is_independent(arithmetic):
    net, x = momentum_net(200, tied=True, gamma=0.5, dtype=np.float64, arithmetic=arithmetic), batch(5, 4, dtype=float)
    state = net.run(x)
    position_before, spilled = state.position.copy(), list(getattr(state, "spilled", []))
    net.invert(state.copy())
    assert np.array_equal(state.position, position_before)
    assert state.layer == 200
    assert len(getattr(state, "spilled", [])) == len(spilled)
    if arithmetic == "exact":
        net.invert(state)
        assert np.array_equal(state.position, units(x))


@every_arithmetic
def test_settings_changed_after_run_do_not_matter(arithmetic):
    net, x = momentum_net(6, gamma=0.8, dtype=np.float64, arithmetic=arithmetic), batch(5, 4, dtype=np.float64)
    state = net.run(x)
    net.gamma = 0.3
    np.testing.assert_allclose(net.invert(state)[0], x, rtol=0, atol=NEARLY)


@every_arithmetic
def test_depth_zero(arithmetic):
    x = batch(5, 4)
    net = MomentumNet([], arithmetic=arithmetic)
    state = net.run(x)
    assert np.array_equal(net(x).data, net.invert(state)[0])
    np.testing.assert_allclose(state.values()[0], x, rtol=0, atol=2.0**-40)


@every_arithmetic
def test_running_leaves_x_alone(arithmetic):
    net, x = momentum_net(6, arithmetic=arithmetic), batch(5, 4)
    before = x.copy()
    state = net.run(x)
    net.invert(state)
    assert np.array_equal(x, before)
    assert not np.shares_memory(state.position, x)


def test_x_need_not_be_contiguous():
    net, x = momentum_net(6), batch(4, 5)
    assert np.array_equal(net(x.T).data, net(np.ascontiguousarray(x.T)).data)
    assert np.array_equal(net.invert(net.run(x.T))[0], (units(x.T) * 2.0**-40).astype(np.float32))


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99, 1 - 1 / 50_000, 1 / 3, 0.123456789, 0.7071067811865476, 2.0**-20])
def test_the_state_has_the_fraction_that_stands_for_gamma(gamma):
    net = momentum_net(1, gamma=gamma)
    state = net.run(batch(2, 4))
    assert state.fraction == as_fraction(gamma)
    assert state.gamma == float(as_fraction(gamma))


def test_every_state_has_the_fraction_that_stands_for_its_gamma():
    for gamma in [*np.random.default_rng(0).random(500), *np.logspace(-6, 0, 100, endpoint=False)]:
        fraction = as_fraction(gamma)
        assert MomentumNet([], gamma=float(gamma)).run(np.zeros(1)).fraction == fraction, gamma


def test_gamma_zero_runs_but_keeps_nothing():
    net, x = momentum_net(6, gamma=0, backprop="stored"), batch(5, 4)
    state = net.run(x)
    assert np.array_equal(state.values()[0], net(x).data)
    assert state.spilled == []
    assert not state.buffer.any()


def test_exact_states_hold_integers():
    state = momentum_net(3).run(batch(5, 4))
    assert isinstance(state, ExactState)
    assert state.position.dtype == state.velocity.dtype == np.int64
    assert state.buffer.dtype == np.uint32
    assert all(value.dtype == np.float32 for value in state.values())
