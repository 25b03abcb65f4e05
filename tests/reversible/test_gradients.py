"""Gradients against two judges that know nothing of reversibility: ordinary autodiff, and finite differences."""

import numpy as np
import pytest
from reversible_support import (
    TwoInputs,
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

from mininet import MomentumNet, Tensor, check_gradient, no_grad
from mininet import functional as F
from mininet.autodiff.gradcheck import STEP

DEPTH = 5
VARIANTS = {
    "plain": {},
    "learned velocity": {"start": dense_block},
    "tied": {"tied": True},
    "whole map": {"is_residual": False},
    "dropout": {"block": dropout_block},
    "learned velocity, whole map, dropout": {"start": dropout_block, "is_residual": False, "block": dropout_block},
}


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("variant", VARIANTS)
@every_way
def test_float_arithmetic_agrees_with_ordinary_autodiff(backprop, variant, gamma):
    net = momentum_net(DEPTH, gamma=gamma, dtype=np.float64, arithmetic="float", backprop=backprop, **VARIANTS[variant])
    x = batch(3, 4, dtype=np.float64)
    assert_close(train_step(net, x), train_step(net, x, forward=recurrence(net)), rounding(net))


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("variant", VARIANTS)
@every_way
def test_exact_arithmetic_agrees_with_ordinary_autodiff(backprop, variant, gamma):
    net = momentum_net(DEPTH, gamma=gamma, dtype=np.float64, backprop=backprop, **VARIANTS[variant])
    x = batch(3, 4, dtype=np.float64)
    # as `rounding` has it without undoing layers, but errors are units of 2^-40: up to n = 99 in a product with n/d
    net.backprop = "stored"
    bound = rounding(net) / np.finfo(np.float64).eps * 100 * 2.0**-40
    net.backprop = backprop
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


@every_mode
def test_extra_inputs_agree_with_ordinary_autodiff(arithmetic, backprop):
    net = momentum_net(DEPTH, TwoInputs, gamma=0.9, dtype=np.float64, arithmetic=arithmetic, backprop=backprop)
    inputs = batch(3, 4, dtype=np.float64), batch(3, 3, dtype=np.float64, seed=7)
    # exact arithmetic: units of 2^-40 instead of epsilons, 10 of them from a product with 9/10
    bound = rounding(net) * (1 if arithmetic == "float" else 10 * 2.0**-40 / np.finfo(np.float64).eps)
    assert_close(train_step(net, *inputs), train_step(net, *inputs, forward=recurrence(net)), bound)


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


@every_way
def test_parameter_gradients_agree_with_finite_differences(backprop):
    net = momentum_net(6, start=dense_block, gamma=0.8, dtype=np.float64, arithmetic="float", backprop=backprop)
    x, random = batch(3, 4, dtype=np.float64), np.random.default_rng(3)
    parameters = list(net.parameters())
    directions = [random.standard_normal(parameter.shape) for parameter in parameters]
    net(x).sum().backward()
    ours = sum(float(np.sum(p.grad * d)) for p, d in zip(parameters, directions, strict=True))

    def moved(step):
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.data += step * direction
        with no_grad():
            return float(net(x).sum().data)

    theirs = (moved(STEP) - moved(-2 * STEP)) / (2 * STEP)
    # truncation: STEP^2 times the third derivative, which tanh nets of this size keep below a thousand
    assert abs(ours - theirs) <= 1e3 * STEP**2 * max(1, abs(ours)) + 1e-10


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
def test_a_function_of_the_identity(arithmetic, backprop):
    net = MomentumNet([lambda x: x] * 3, 0.5, lambda x: x, arithmetic=arithmetic, backprop=backprop)
    x = Tensor(np.array([1.0, -2.0]), requires_grad=True)
    y = net(x)
    y.backward(np.array([1.0, 3.0]))
    # v: 1, then (v + x) / 2: 1, 1.5, 2.5; x: 1, 2, 3.5, 6.  Small dyadic numbers, so every mode has them exactly.
    assert np.array_equal(y.data, [6.0, -12.0])
    assert np.array_equal(x.grad, [6.0, 18.0])


@every_mode
def test_functions_that_do_not_depend_on_x(arithmetic, backprop):
    constant = Tensor(np.array([1.0, 2.0]))
    net = MomentumNet([lambda x: constant] * 2, 0.5, lambda x: constant, arithmetic=arithmetic, backprop=backprop)
    x = Tensor(np.zeros(2), requires_grad=True)
    y = net(x)
    y.backward(np.array([1.0, 3.0]))
    assert np.array_equal(y.data, [2.0, 4.0])
    assert np.array_equal(x.grad, [1.0, 3.0])


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
