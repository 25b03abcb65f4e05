"""Gradients of a momentum net against ordinary autodiff: at gamma 0, and with inputs that are passed twice."""

import numpy as np
import pytest
from reversible_support import assert_agrees, assert_close, batch, every_mode, momentum_net, train_step

from mininet import MomentumNet, Tensor

DEPTH = 5


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_gamma_zero_is_the_plain_residual_network(arithmetic):
    net = momentum_net(DEPTH, gamma=0, dtype=np.float64, arithmetic=arithmetic, backprop="stored")

    def plain(x):
        for function in net.functions:
            x = x + function(x)
        return x

    x = batch(3, 4, dtype=np.float64)
    # x + (1 - 0) f is the same sum in floats; in units, every layer rounds f, and layers stretch that by 1 + slope
    slopes = [np.linalg.norm(function[0].weight.data, 2) for function in net.functions]
    unit = 2.0**-41 if arithmetic == "exact" else np.finfo(np.float64).eps
    assert_close(train_step(net, x), train_step(net, x, forward=plain), 10 * DEPTH * unit * np.prod(np.add(1, slopes)))


@every_mode
def test_the_same_tensor_may_be_passed_twice(arithmetic, backprop):
    net = MomentumNet([lambda x, a, b: a * b + x] * 4, 0.9, arithmetic=arithmetic, backprop=backprop)
    stored = MomentumNet([lambda x, a, b: a * b + x] * 4, 0.9, arithmetic=arithmetic, backprop="stored")

    def both(net):
        x, extra = Tensor(batch(3, 4, dtype=np.float64), requires_grad=True), Tensor(np.ones(4), requires_grad=True)
        net(x, extra, b=extra).sum().backward()
        return {"x": x.grad, "extra": extra.grad}

    assert_agrees(both(net), both(stored), net)
    # y is linear in a*b with weights that sum to S; d(a*b)/d(extra) = 2 extra: the gradient is twice that of a alone
    alone = Tensor(np.ones(4), requires_grad=True)
    net(Tensor(batch(3, 4, dtype=np.float64)), alone, Tensor(np.ones(4))).sum().backward()
    np.testing.assert_allclose(both(net)["extra"], 2 * alone.grad, rtol=1e-14)


@every_mode
def test_x_may_be_passed_as_an_extra_input_too(arithmetic, backprop):
    net = MomentumNet([lambda x, x0: x * 0.25 + x0 * 0.5] * 2, 0.5, arithmetic=arithmetic, backprop=backprop)
    x = Tensor(np.array([8.0]), requires_grad=True)
    y = net(x, x)
    y.backward(np.ones(1))
    # f = 0.75 x: v = 0.375, x = 1.375; f = 0.34375 + 0.5: v = 0.1875 + 0.421875 = 0.609375, x = 1.984375, times 8
    assert np.array_equal(y.data, [15.875])
    assert np.array_equal(x.grad, [1.984375])
