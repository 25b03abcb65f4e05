"""What a momentum network becomes at either end of gamma, and how much volume its layers lose in between.

gamma = 0 is the residual network, x <- x + f(x).

gamma -> 1: as the rule is written, v <- gamma v + (1 - gamma) f(x), nothing moves any more.  If f is divided by
1 - gamma, what is left is v <- v + f(x), x <- x + v: two layers of a RevNet, (a, b) -> (b, a + f(b)), the second one
with the identity,

    (v, x) -> (x, v + f(x)) = (x, v') -> (v', x + v')

In between, the Jacobian of a layer in (x, v) has determinant gamma^d, whatever f: both updates are shears, only the
product gamma v shrinks.  So a layer destroys log2(1 / gamma) bits for each of the d elements.
"""

import numpy as np

from ... import nn, seeding
from ...autodiff import Tensor, no_grad
from ...models.resnet import residual_function
from ...precision import bits_of_difference
from ...reversible import MomentumNet, ResidualNet, RevNet

FEATURES = 6


def bits_at_zero():
    """By how many bits a momentum network with gamma = 0 differs from the residual network of its functions."""
    random = np.random.default_rng(0)
    x, by_output = (random.standard_normal((4, 8, 8, 8), np.float32) for _ in range(2))
    with seeding.rewound((0, 0)):
        functions = [residual_function(8) for _ in range(4)]
    found = [
        _output_and_gradients(net, x, by_output)
        for net in (ResidualNet(functions), MomentumNet(functions, 0, arithmetic="float", backprop="stored"))
    ]
    bits = [bits_of_difference(ours, theirs) for ours, theirs in zip(*found, strict=True)]
    return {"output": bits[0], "gradient by x": bits[1], "gradients by parameters": max(bits[2:])}


def _output_and_gradients(net, x, by_output):
    net.zero_grad()
    leaf = Tensor(x, requires_grad=True)
    y = net(leaf)
    y.backward(by_output)
    return [y.data, leaf.grad, *(parameter.grad for parameter in net.parameters())]


def dense_functions(depth, features):
    """tanh(x W + b) in float64, always the same."""
    with seeding.rewound((0, 0)):
        return [nn.Sequential(nn.Linear(features, features), nn.Tanh()).to(np.float64) for _ in range(depth)]


def layer_determinant(gamma, features=FEATURES):
    """The determinant of the Jacobian of one layer in (x, v), by central differences, at a random x and v."""
    step = 1e-5  # errors of order step^2 f''' / 6 and epsilon / step, both about 1e-11
    around = np.random.default_rng(0).standard_normal(2 * features)
    points = np.concatenate([around + step * np.eye(2 * features), around - step * np.eye(2 * features)])
    x, v = points[:, :features], points[:, features:]
    net = MomentumNet(dense_functions(1, features), gamma, init_velocity=lambda _: Tensor(v), arithmetic="float")
    plus, minus = np.split(np.hstack(net.run(x).values()), 2)
    return float(np.linalg.det((plus - minus) / (2 * step)))


def limits_near_one(gammas):
    """|x_N - x_N of the RevNet| for functions divided by 1 - gamma, and |x_N - x_0| for f as written, by gamma."""
    functions, x = dense_functions(10, FEATURES), np.random.default_rng(0).standard_normal((1, FEATURES))
    alternating = [each for function in functions for each in (function, lambda x: x)]  # v <- v + f(x), x <- x + v
    with no_grad():
        both = RevNet(alternating, arithmetic="float")(np.hstack([np.zeros_like(x), x])).data
    limit = both[:, FEATURES:]

    def moved(gamma, scale):
        scaled = [lambda x, function=function: function(x) * scale for function in functions]
        return MomentumNet(scaled, gamma, arithmetic="float").run(x).values()[0]

    rescaled = [np.linalg.norm(moved(gamma, 1 / (1 - gamma)) - limit) for gamma in gammas]
    as_written = [np.linalg.norm(moved(gamma, 1.0) - x) for gamma in gammas]
    return np.array(rescaled), np.array(as_written)
