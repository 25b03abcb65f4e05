"""Inputs and parameters of a momentum net in every mode; much of this the authors' package (0.10) gets wrong."""

import numpy as np
import pytest
from reversible_support import (
    assert_agrees,
    assert_close,
    assert_same_bits,
    batch,
    dense_block,
    every_mode,
    momentum_net,
    rounding,
    train_step,
)

from mininet import MomentumNet, Tensor, nn
from mininet import functional as F


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
def test_the_net_after_itself(arithmetic, backprop):
    settings, x = {"dtype": np.float64, "arithmetic": arithmetic}, batch(5, 4, dtype=np.float64)
    net, stored = (momentum_net(3, backprop=way, **settings) for way in (backprop, "stored"))
    ours, theirs = (train_step(each, x, forward=lambda x, net=each: net(net(x))) for each in (net, stored))
    if (arithmetic, backprop) == ("float", "reversible"):
        # each of the two passes is stretched by the other at most as by itself
        assert_close(ours, theirs, rounding(net) ** 2 / (10 * np.finfo(np.float64).eps))
    else:
        assert_same_bits(ours, theirs)


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


@every_mode
def test_v_0_is_that_of_x_0_on_the_way_back_too(arithmetic, backprop):
    nets = [momentum_net(6, start=dense_block, arithmetic=arithmetic, backprop=w) for w in (backprop, "stored")]
    assert_agrees(*(train_step(net, batch(5, 4)) for net in nets), nets[0])
