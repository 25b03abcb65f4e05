"""Gradients against two judges that know nothing of reversibility: ordinary autodiff, and finite differences."""

import numpy as np
import pytest
from reversible_support import (
    assert_agrees,
    assert_close,
    batch,
    conv_block,
    dense_block,
    dropout_block,
    every_mode,
    every_way,
    momentum_net,
    recurrence,
    rounding,
    train_step,
)

from mininet import MomentumNet, Tensor, check_gradient
from mininet import functional as F

DEPTH = 5
VARIANTS = {
    "learned velocity": {"start": dense_block},
    "learned velocity, whole map, dropout": {"start": dropout_block, "is_residual": False, "block": dropout_block},
}


@pytest.mark.parametrize("gamma", [0.5, 0.99])
@pytest.mark.parametrize("variant", VARIANTS)
@every_mode
def test_agrees_with_ordinary_autodiff(arithmetic, backprop, variant, gamma):
    settings = {"gamma": gamma, "dtype": np.float64, "arithmetic": arithmetic, **VARIANTS[variant]}
    net, x = momentum_net(DEPTH, backprop=backprop, **settings), batch(3, 4, dtype=np.float64)
    if arithmetic == "exact":
        # no rounding errors of layers undone, but units of 2^-40: up to n = 99 in a product with n/d
        bound = rounding(momentum_net(DEPTH, backprop="stored", **settings)) / np.finfo(np.float64).eps * 100 * 2.0**-40
    else:
        bound = rounding(net)
    assert_close(train_step(net, x), train_step(net, x, forward=recurrence(net)), bound)


@every_way
def test_batch_norm_agrees_with_ordinary_autodiff(backprop):
    nets = [momentum_net(4, conv_block, gamma=0.9, dtype=np.float64, arithmetic="float", backprop=backprop)
            for _ in range(2)]  # fmt: skip
    x = batch(3, 5, 5, 3, dtype=np.float64)
    ours, theirs = train_step(nets[0], x), train_step(nets[1], x, forward=recurrence(nets[1]))
    # A block of two 3x3 convolutions and two normalisations sums 27 * 2 + 75 * 2 products, and stretches by at most a
    # few tens (the norms of convolutions over the deviations that are divided by); 4 layers there and back: 40^4.
    assert_close(ours, theirs, 200 * np.finfo(np.float64).eps * 40.0**4)


@every_way
def test_the_whole_net_passes_the_gradient_check(backprop):
    def start(x):
        return F.tanh(x * 0.5)

    def function(x, weight, bias, memory):
        return F.tanh(F.linear(x, weight, bias)) + memory * x

    for is_residual in (True, False):
        net = MomentumNet([function] * 6, 0.8, start, is_residual, arithmetic="float", backprop=backprop)
        check_gradient(lambda x, *inputs, net=net: net(x, *inputs).sum(),
                       *(batch(*shape, dtype=np.float64) for shape in [(3, 4), (4, 4), (4,), (3, 4)]))  # fmt: skip


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
