"""States: run, invert, and the side information that exact inversion costs (the second promise)."""

import numpy as np
import pytest
from reversible_support import batch, dense_block, momentum_net, network

from mininet import MomentumNet, Tensor
from mininet.kernels.exact import as_fraction
from mininet.reversible import ExactState, FloatState

DEEP = 1000


def units(array):
    """The integers in units of 2^-40 that are nearest to floats."""
    return np.rint(array.astype(np.float64) * 2**40).astype(np.int64)


@pytest.mark.parametrize("gamma", [0.5, 0.9, 1 - 1 / 50_000])
def test_start_comes_back_after_a_thousand_layers(gamma):
    x = batch(64, 4)  # at 0.99998 a word leaves 0 once in 50,000 steps
    net = momentum_net(DEEP, tied=True, start=dense_block, gamma=gamma)
    v = net.init_velocity(Tensor(x)).data
    state = net.run(x)
    assert state.layer == DEEP
    assert (units(v) < 0).any(), "negative velocities are the difficult ones"
    assert not np.array_equal(state.position, units(x))
    assert state.remainders.packed.any()

    x0, v0 = net.invert(state)
    assert state.layer == 0
    assert np.array_equal(state.position, units(x))
    assert np.array_equal(state.velocity, units(v))
    assert not state.remainders.packed.any()
    assert state.remainders.spilled == []
    assert np.array_equal(x0, (units(x) * 2.0**-40).astype(np.float32))
    assert np.array_equal(v0, (units(v) * 2.0**-40).astype(np.float32))


@pytest.mark.parametrize("gamma", [0.9, 0.123456789, 2.0**-20])
def test_the_state_has_the_fraction_that_stands_for_gamma(gamma):
    net = momentum_net(1, gamma=gamma)
    state = net.run(batch(2, 4))
    assert state.fraction == as_fraction(gamma)
    assert state.gamma == float(as_fraction(gamma))
    assert FloatState(batch(2, 4), gamma).gamma == gamma


@pytest.mark.parametrize(("arithmetic", "gamma"), [("exact", 71 / 81), ("float", 0.8765432198)])
def test_the_gradient_has_the_gamma_of_the_state(arithmetic, gamma):
    x = Tensor(np.ones(1), requires_grad=True)
    MomentumNet([lambda x: x], 0.8765432198, arithmetic=arithmetic)(x).backward(np.ones(1))
    assert abs(x.grad - (2 - gamma)) <= 4 * np.finfo(float).eps


def test_gamma_zero_runs_but_keeps_nothing():
    net, x = momentum_net(6, gamma=0, backprop="stored"), batch(5, 4)
    state = net.run(x)
    assert np.array_equal(state.values()[0], net(x).data)
    assert state.remainders.spilled == []
    assert not state.remainders.packed.any()


@pytest.mark.parametrize("kind", [ExactState, FloatState])
@pytest.mark.parametrize("velocity", [np.zeros((5, 3), np.float32), np.zeros((5, 4))])
def test_a_velocity_unlike_the_position_is_refused(velocity, kind):
    with pytest.raises((TypeError, ValueError), match="velocity must"):
        kind(batch(5, 4), 0.9).set_velocity(velocity)


def test_a_layer_undone_by_hand_ends_at_its_input():
    net, x = network("RevNet", 1), batch(5, 4)
    state = net.run(x)
    state.undo(lambda x: net.functions[0](Tensor(x)).data)
    assert np.array_equal(state.values(), net.start(x, True).values())
