"""What the tests of reversible networks share: nets from a seed, one training step, and all that came out of it."""

import itertools

import numpy as np
import pytest

from mininet import MomentumNet, Tensor, manual_seed, nn
from mininet import functional as F
from mininet.autodiff import is_recording, is_replaying

WAYS = ("reversible", "checkpointed", "stored")
ARITHMETICS = ("exact", "float")
MODES = list(itertools.product(ARITHMETICS, WAYS))
BUFFER_BYTES = np.dtype(np.uint32).itemsize
STATE_BYTES = {"exact": 2 * np.dtype(np.int64).itemsize + BUFFER_BYTES, "float": 2 * np.dtype(np.float32).itemsize}
"""For each element: x and v, and in exact arithmetic the buffer; floats are single."""

GAMMAS = (0.5, 0.9, 0.99, 1 - 1 / 50_000)

every_way = pytest.mark.parametrize("backprop", WAYS)
every_arithmetic = pytest.mark.parametrize("arithmetic", ARITHMETICS)
every_mode = pytest.mark.parametrize(("arithmetic", "backprop"), MODES)


def dense_block(features=4):
    return nn.Sequential(nn.Linear(features, features), nn.Tanh())


def dropout_block(features=4, p=0.1):
    return nn.Sequential(nn.Linear(features, features), nn.Tanh(), nn.Dropout(p))


def conv_block(channels=3):
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


class TwoInputs(nn.Module):
    """tanh(x W + b) + memory U: a residual function with an extra input, positional or by keyword."""

    def __init__(self, features=4, extra=3):
        super().__init__()
        self.layer1, self.layer2 = nn.Linear(features, features), nn.Linear(extra, features)

    def forward(self, x, memory):
        return F.tanh(self.layer1(x)) + self.layer2(memory)


def momentum_net(depth, block=dense_block, *, tied=False, start=None, dtype=np.float32, seed=0, **settings):
    """A MomentumNet with the same weights for the same seed; `start` builds the function of the initial velocity."""
    manual_seed(seed)
    functions = [block()] * depth if tied else [block() for _ in range(depth)]
    return MomentumNet(functions, init_velocity=start() if start else None, **settings).to(dtype)


def batch(*shape, dtype=np.float32, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def outcome(net, y, **leaves):
    """All arrays a step has left: output, gradients of inputs and parameters, and running statistics, by name."""
    arrays = {"y": y.data.copy()}
    for name, leaf in (leaves | dict(net.named_parameters())).items():
        arrays[f"grad.{name}"] = None if leaf.grad is None else leaf.grad.copy()
    arrays.update((f"after.{name}", array.copy()) for name, array in net.named_buffers())
    return arrays


def train_step(net, x, *inputs, forward=None, seed=2, **keywords):
    """Draw from `seed`, run forward, and backward from a random gradient; returns the `outcome`.

    forward : callable(x, *inputs, **keywords), `net` unless given
    inputs, keywords : arrays, made into tensors that require gradients
    """
    net.zero_grad()
    manual_seed(seed)
    leaves = {"x": Tensor(x, requires_grad=True)}
    leaves |= {f"input{i}": Tensor(array, requires_grad=True) for i, array in enumerate(inputs)}
    leaves |= {name: Tensor(array, requires_grad=True) for name, array in keywords.items()}
    y = (forward or net)(
        *(leaf for name, leaf in leaves.items() if name not in keywords), **{name: leaves[name] for name in keywords}
    )
    y.backward(batch(*y.shape, dtype=y.dtype, seed=seed))
    return outcome(net, y, **leaves)


def recurrence(net):
    """The forward pass of `net`, equation 2 written in tensor operations, for ordinary autodiff to differentiate."""

    def forward(x, *inputs, **keywords):
        v = net.init_velocity(x) if net.init_velocity else Tensor(np.zeros_like(x.data))
        for function in net.functions:
            value = function(x, *inputs, **keywords)
            residual = value if net.is_residual else value - x
            v = net.gamma * v + (1 - net.gamma) * residual
            x = x + v
        return x

    return forward


def assert_same_bits(ours, theirs):
    """Every array of two outcomes is equal in dtype and value, and as many are None."""
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        if array is None or theirs[name] is None:
            assert array is None, name
            assert theirs[name] is None, name
        else:
            assert array.dtype == theirs[name].dtype, name
            assert np.array_equal(array, theirs[name]), f"{name} differs by {np.abs(array - theirs[name]).max():.3g}"


def assert_close(ours, theirs, tolerance):
    """Every array agrees within `tolerance`, relative to its largest element (or to 1, if that is smaller)."""
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        if array is None or theirs[name] is None:
            assert array is None, name
            assert theirs[name] is None, name
        else:
            scale = max(1.0, np.abs(theirs[name]).max(initial=0))
            np.testing.assert_allclose(array, theirs[name], rtol=0, atol=tolerance * scale, err_msg=name)


def rounding(net, features=4):
    """How far a dense net's results in floating point may lie from the true ones, relative to their size.

    Let s be the largest slope of a residual function.  In the norm |dx| + |dv|, one layer forward stretches an error by
    at most max(1 + 2 (1 - gamma) s, 2 gamma), and one layer undone by 1 + (1 + (1 - gamma) s) / gamma.  Every layer
    adds rounding errors of about (features + a few) machine epsilons, which all layers, forward, back and in the
    adjoint, can stretch; gradients add up over layers, and depend on the state by another slope: depth squared.
    """
    slope = max(
        (
            float(np.prod([np.linalg.norm(p.data, 2) for p in function.parameters() if p.ndim == 2] or [1.0]))
            for function in net.functions
            if isinstance(function, nn.Module)
        ),
        default=1.0,
    )
    slope += 0 if net.is_residual else 1
    gamma, depth = net.gamma, len(net.functions)
    forward = max(1 + 2 * (1 - gamma) * slope, 2 * gamma)
    back = 1 + (1 + (1 - gamma) * slope) / gamma if net.backprop == "reversible" else 1
    epsilon = np.finfo(next(net.parameters()).dtype if any(True for _ in net.parameters()) else np.float64).eps
    return (features + 6) * depth**2 * epsilon * (forward * back) ** depth


def assert_agrees(ours, theirs, net):
    """Bit for bit, but for the reversible net in float arithmetic, which may drift by rounding errors."""
    if net.arithmetic == "exact" or net.backprop != "reversible":
        assert_same_bits(ours, theirs)
    else:
        assert_close(ours, theirs, rounding(net))


def engine_modes():
    """The switches that every error must leave as they were."""
    return is_recording(), is_replaying()
