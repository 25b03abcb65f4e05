"""What the authors' package gets wrong (measured with `momentumnet` 0.10), in every mode.

What else it gets wrong is tested where it belongs: large errors after 100 layers (`test_exactness`), dropout masks that
are drawn anew (`test_every_network`), gamma = 0 (`test_misuse`).


In float arithmetic the reversible way drifts like gamma^-N, and at depths where this is more than the values themselves
only the ways that do not run back are held to their gradients.
"""

import numpy as np
import pytest
from reversible_support import (
    assert_close,
    assert_same_bits,
    batch,
    dense_block,
    every_arithmetic,
    every_mode,
    momentum_net,
    recurrence,
    rounding,
    train_step,
)

from mininet import MomentumNet, Tensor, nn
from mininet import functional as F

DEPTH = 6
DRIFTS = ("float", "reversible")


def twins(depth, arithmetic, backprop, *args, **settings):
    """The net under test, and the same net with stored backprop."""
    return [momentum_net(depth, *args, arithmetic=arithmetic, backprop=way, **settings) for way in (backprop, "stored")]


def constant_start(value):
    def start(x):
        return Tensor(np.full(x.shape, value, x.dtype))

    return start


@every_arithmetic
def test_negative_velocities_survive_the_round_trip(arithmetic):
    """Truncating division with a floored remainder loses every negative v."""
    net = momentum_net(20, dtype=np.float64, arithmetic=arithmetic)
    net.init_velocity = constant_start(-0.3)
    x = batch(5, 4, dtype=np.float64)
    state = net.run(x)
    x0, v0 = net.invert(state)
    if arithmetic == "exact":
        assert np.array_equal(state.velocity, np.full((5, 4), round(-0.3 * 2**40)))
        assert np.array_equal(state.position, np.rint(x * 2**40))
    else:  # 20 layers undone, each stretching an epsilon at most 2.5 fold
        bound = 20 * np.finfo(np.float64).eps * 2.5**20
        np.testing.assert_allclose(v0, -0.3, rtol=0, atol=bound)
        np.testing.assert_allclose(x0, x, rtol=0, atol=bound)


@every_mode
@pytest.mark.parametrize(("gamma", "depth"), [(0.9, 297), (0.5, 60)])
def test_no_silent_overflow_of_the_side_information(gamma, depth, arithmetic, backprop):
    net, stored = twins(depth, arithmetic, backprop, tied=True, gamma=gamma)
    x = batch(5, 4)
    if (arithmetic, backprop) == DRIFTS:
        assert np.array_equal(net(x).data, stored(x).data)
    else:
        assert_same_bits(train_step(net, x), train_step(stored, x))
    if arithmetic == "exact":
        assert net.check_inversion(x).is_exact


@every_mode
def test_gamma_near_one_does_not_become_one(arithmetic, backprop):
    """0.99999, rounded to multiples of 2^-16, is 1."""
    gamma = 0.99999
    net = MomentumNet([lambda x: x * 3.0], gamma, constant_start(0.5), arithmetic=arithmetic, backprop=backprop)
    x = Tensor(np.array([1.0, -2.0]), requires_grad=True)
    y = net(x)
    y.backward(np.ones(2))
    # exact: 0.99999 is 99999/100000; a product is off by less than n = 99,999 units; float: two or three roundings
    bound = 100_000 * 2.0**-40 if arithmetic == "exact" else 4 * np.finfo(np.float64).eps * 3
    assert bound < 0.1 * (1 - gamma), "or the test could not tell gamma from 1"
    np.testing.assert_allclose(y.data, x.data + gamma * 0.5 + (1 - gamma) * 3 * x.data, rtol=0, atol=bound)
    np.testing.assert_allclose(x.grad, 1 + (1 - gamma) * 3, rtol=0, atol=4 * np.finfo(np.float64).eps)


@every_mode
def test_unused_parameters_keep_no_gradient(arithmetic, backprop):
    class HalfUsed(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return F.tanh(self.used(x))

    net = momentum_net(3, HalfUsed, arithmetic=arithmetic, backprop=backprop)
    step = train_step(net, batch(5, 4))
    assert {name for name, array in step.items() if array is None} == {
        f"grad.functions.{i}.unused.{name}" for i in range(3) for name in ("weight", "bias")
    }


@every_mode
def test_keyword_arguments_that_are_not_tensors(arithmetic, backprop):
    def function(x, factor=1.0, *, switch=False):
        return x * factor if switch else 0 * x

    net = MomentumNet([function], 0.5, arithmetic=arithmetic, backprop=backprop)
    assert np.array_equal(net(np.ones(2), factor=0.5, switch=True).data, [1.25, 1.25])
    assert np.array_equal(net(np.ones(2), factor=0.5).data, [1.0, 1.0])


@every_mode
@pytest.mark.parametrize("name", ["layer", "state", "run", "needs_tape"])
def test_keyword_arguments_may_have_any_name(name, arithmetic, backprop):
    def function(x, **keywords):
        return x * keywords[name]

    net = MomentumNet([function] * 2, 0.5, arithmetic=arithmetic, backprop=backprop)
    x, factor = Tensor(np.ones(1), requires_grad=True), Tensor(np.full(1, 0.5), requires_grad=True)
    y = net(x, **{name: factor})
    y.backward(np.ones(1))
    assert np.array_equal(y.data, [1.6875])
    assert np.array_equal(factor.grad, [1.5])
    assert np.array_equal(net.invert(net.run(x, **{name: factor}), **{name: factor})[0], [1.0])


@every_mode
@pytest.mark.parametrize("velocity", [-2048.0, 5000.25])
def test_large_velocities(velocity, arithmetic, backprop):
    """Theirs corrupts |v| >= 2048 silently."""
    net, stored = twins(DEPTH, arithmetic, backprop, dtype=np.float64, gamma=0.5)
    for each in (net, stored):
        each.init_velocity = constant_start(velocity)
    x = batch(5, 4, dtype=np.float64)
    ours = train_step(net, x)
    assert_same_bits({"y": ours["y"]}, {"y": train_step(stored, x)["y"]})
    expected = train_step(net, x, forward=recurrence(net))["y"]
    # 6 layers, each rounding to a unit of 2^-40, or to an epsilon of |v|, and stretching by less than 3
    unit = 2.0**-39 if arithmetic == "exact" else np.finfo(np.float64).eps * 2 * abs(velocity)
    np.testing.assert_allclose(ours["y"], expected, rtol=0, atol=6 * unit * 3.0**6)
    if arithmetic == "exact":
        assert_same_bits(ours, train_step(stored, x))
        state = net.run(x)
        net.invert(state)
        assert np.array_equal(state.velocity, np.full((5, 4), int(velocity * 2**40)))
        assert np.array_equal(state.position, np.rint(x * 2**40))


@every_mode
def test_the_same_net_used_twice_before_backward(arithmetic, backprop):
    net, _ = twins(DEPTH, arithmetic, backprop, start=dense_block)
    first, second = Tensor(batch(5, 4), requires_grad=True), Tensor(batch(3, 4, seed=4), requires_grad=True)
    leaves = [first, second, *net.parameters()]
    net(first).sum().backward()
    net(second).sum().backward()
    separately = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    (net(first).sum() + net(second).sum()).backward()
    # the sum of two numbers does not depend on their order
    assert all(np.array_equal(leaf.grad, gradient) for leaf, gradient in zip(leaves, separately, strict=True))


@every_mode
def test_the_net_after_itself(arithmetic, backprop):
    net, stored = twins(3, arithmetic, backprop, dtype=np.float64)
    x = batch(5, 4, dtype=np.float64)
    ours, theirs = (train_step(each, x, forward=lambda x, net=each: net(net(x))) for each in (net, stored))
    if (arithmetic, backprop) == DRIFTS:  # each of the two passes is stretched by the other at most as by itself
        assert_close(ours, theirs, rounding(net) ** 2 / (10 * np.finfo(np.float64).eps))
    else:
        assert_same_bits(ours, theirs)
