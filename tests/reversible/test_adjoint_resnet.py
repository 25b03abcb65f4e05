"""The residual network that is run back by its neighbour's function."""

import numpy as np
import pytest
from reversible_support import assert_same_bits, batch, train_step

from mininet import ResidualNet, Tensor, manual_seed, nn
from mininet.reversible import AdjointResNet

X = batch(5, 4, dtype=np.float64)


class Small(nn.Module):
    """tanh(x W) / depth, with the same W in all layers."""

    def __init__(self, depth):
        super().__init__()
        self.inner, self.depth = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), depth

    def forward(self, x):
        return self.inner(x) / self.depth


def gradient_error(depth):
    manual_seed(0)
    net = AdjointResNet([Small(depth)] * depth).to(np.float64)
    ours, theirs = train_step(net, X), train_step(ResidualNet(net.functions), X)
    assert np.array_equal(ours["y"], theirs["y"])
    return np.abs(ours["grad.x"] - theirs["grad.x"]).max()


def test_the_error_of_gradients_falls_like_one_over_depth():
    assert gradient_error(40) / gradient_error(80) == pytest.approx(2, rel=0.1)


def test_a_gradient_is_that_at_the_position_that_came_back():
    x = Tensor(np.array([0.5]), requires_grad=True)
    AdjointResNet([lambda x: 0.25 * x * x])(x).backward(np.ones(1))
    y = 0.5 + 0.25 * 0.5**2
    assert x.grad == 1 + 0.5 * (y - 0.25 * y * y)
    assert repr(AdjointResNet([])) == "AdjointResNet(depth=0, is_residual=True, backprop='reversible')"


def test_invert_and_the_other_ways():
    net = AdjointResNet([lambda x: 0.5 * x] * 2)
    assert np.allclose(net.invert(net.run([4.0])), 4 * 0.75**2)  # x = 1.5^2 x_0, and each layer back takes half of x
    functions = [Small(3).to(np.float64) for _ in range(3)]
    for backprop in ("stored", "checkpointed"):
        ours = train_step(AdjointResNet(functions, backprop=backprop), X)
        assert_same_bits(ours, train_step(ResidualNet(functions), X))
