"""What the tests of reversible networks share: nets from a seed, one training step, and all that came out of it."""

import itertools

import numpy as np
import pytest

from mininet import IResNet, MomentumNet, ResidualNet, RevNet, Tensor, manual_seed, nn
from mininet import functional as F
from mininet.autodiff import is_recording, is_replaying
from mininet.reversible import limit_lipschitz

WAYS = ("reversible", "checkpointed", "stored")
ARITHMETICS = ("exact", "float")
MODES = list(itertools.product(ARITHMETICS, WAYS))
BUFFER_BYTES = np.dtype(np.uint32).itemsize
STATE_BYTES = {"exact": 2 * np.dtype(np.int64).itemsize + BUFFER_BYTES, "float": 2 * np.dtype(np.float32).itemsize}
"""For each element: x and v, and in exact arithmetic the buffer; floats are single."""

GAMMAS = (0.5, 0.9, 0.99, 1 - 1 / 50_000)

NETWORKS = {kind.__name__: kind for kind in (MomentumNet, RevNet, IResNet, ResidualNet)}
NETWORK_MODES = [
    (name, arithmetic, way)
    for name, kind in NETWORKS.items()
    for arithmetic in kind.ARITHMETICS
    for way in kind.BACKPROPS
]  # fmt: skip
INVERTIBLE = [(name, arithmetic) for name, arithmetic, way in NETWORK_MODES if way == "reversible"]
NETWORK_STATE_BYTES = {
    ("MomentumNet", "exact"): STATE_BYTES["exact"],
    ("MomentumNet", "float"): STATE_BYTES["float"],
    ("RevNet", "exact"): np.dtype(np.int64).itemsize,
    ("RevNet", "float"): np.dtype(np.float32).itemsize,
    ("IResNet", "float"): np.dtype(np.float32).itemsize,
    ("ResidualNet", "float"): np.dtype(np.float32).itemsize,
}
"""For each element of x; floats are single."""

every_arithmetic = pytest.mark.parametrize("arithmetic", ARITHMETICS)
every_mode = pytest.mark.parametrize(("arithmetic", "backprop"), MODES)
every_network = pytest.mark.parametrize(("kind", "arithmetic", "backprop"), NETWORK_MODES)
every_invertible = pytest.mark.parametrize(("kind", "arithmetic"), INVERTIBLE)


def dense_block(features=4):
    return nn.Sequential(nn.Linear(features, features), nn.Tanh())


DROPOUT = 0.1


def dropout_block(features=4, p=DROPOUT):
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


def network(kind, depth, block=dense_block, *, features=4, tied=False, dtype=np.float32, seed=0, **settings):
    """A net of any `kind`, a name in NETWORKS, for x with so many `features`; the same weights for the same seed.

    block : callable(features), which makes a function; a RevNet's have half as many features, an IResNet's are made
        contractive
    """
    if NETWORKS[kind].ARITHMETICS == ("float",):
        assert settings.pop("arithmetic", "float") == "float"
    manual_seed(seed)
    width = features // 2 if kind == "RevNet" else features
    functions = [block(width)] * depth if tied else [block(width) for _ in range(depth)]
    net = NETWORKS[kind](functions, **settings).to(dtype)
    if kind == "IResNet":
        limit_lipschitz(net, CONTRACTION, size=(5, 5))
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):  # which divides by deviations of about 1/10 or more
                module.weight.data *= module.weight.dtype.type(0.02)
    return net


CONTRACTION = 0.6
"""The Lipschitz constant of an IResNet's functions, but for dropout, which divides by 1 - p."""


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
    """The forward pass of any network, written in tensor operations, for ordinary autodiff to differentiate."""

    def forward(x, *inputs, **keywords):
        def residual(function, x):
            value = function(x, *inputs, **keywords)
            return value if net.is_residual else value - x

        if isinstance(net, MomentumNet):  # equation 2
            v = net.init_velocity(x) if net.init_velocity else Tensor(np.zeros_like(x.data))
            for function in net.functions:
                v = net.gamma * v + (1 - net.gamma) * residual(function, x)
                x = x + v
            return x
        if isinstance(net, RevNet):
            half = x.shape[-1] // 2
            a, b = x[..., :half], x[..., half:]
            for function in net.functions:
                a, b = b, a + residual(function, b)
            return F.concatenate([a, b], axis=-1)
        for function in net.functions:
            x = x + residual(function, x)
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
    """How far a dense net's results may lie from the true ones, relative to their size.

    Let s be the largest slope of a residual function.  Every layer adds rounding errors of about (features + a few)
    machine epsilons, which all layers, forward, back and in the adjoint, can stretch; gradients add up over layers, and
    depend on the state by another slope: depth squared.

    With momentum, in the norm |dx| + |dv|, one layer forward stretches an error by at most max(1 + 2 (1 - gamma) s,
    2 gamma), and one layer undone by 1 + (1 + (1 - gamma) s) / gamma.  Where layers are x + f(x), or the same on two
    streams, one stretches an error by at most 1 + s forward.  Undoing a layer of two streams does the same; of a
    contraction it is 1 / (1 - s), and the iteration stops at 64 epsilons.  In exact arithmetic errors are units of
    2^-40 instead of epsilons, from rounding x and f.
    """
    modules = [function for function in net.functions if isinstance(function, nn.Module)]
    slopes = [np.prod([np.linalg.norm(p.data, 2) for p in each.parameters() if p.ndim == 2]) for each in modules]
    slope, is_whole = float(max(slopes, default=1.0)), 0 if net.is_residual else 1
    depth, errors, runs_back = len(net.functions), features + 6, net.backprop == "reversible"
    epsilon = float(np.finfo(next((parameter.dtype for parameter in net.parameters()), np.float64)).eps)
    forward, back = 1 + slope / (1 - DROPOUT) + is_whole, 1
    if isinstance(net, MomentumNet):
        push = (1 - net.gamma) * (slope + is_whole)
        forward, back = max(1 + 2 * push, 2 * net.gamma), 1 + (1 + push) / net.gamma if runs_back else 1
        epsilon *= 10 * 2.0**-40 / np.finfo(np.float64).eps if net.arithmetic == "exact" else 1
    elif net.arithmetic == "exact":
        epsilon = 2.0**-40
    elif isinstance(net, IResNet) and runs_back:
        back, errors = 1 / (2 - forward), errors + 64
    elif runs_back:
        back = forward
    return errors * max(1, depth) ** 2 * epsilon * (forward * back) ** depth


def assert_agrees(ours, theirs, net):
    """Bit for bit, but for the reversible net in float arithmetic, which may drift by rounding errors."""
    if net.arithmetic == "exact" or net.backprop != "reversible":
        assert_same_bits(ours, theirs)
    else:
        assert_close(ours, theirs, rounding(net))


def assert_a_kept_tape_gives_the_same_bits(net, shape=(5, 4)):
    """Backward twice with a kept tape, and a last time; then the tape is gone."""
    expected = train_step(net, batch(*shape))
    net.zero_grad()
    manual_seed(2)
    x = Tensor(batch(*shape), requires_grad=True)
    y = net(x)
    for keep_tape in (True, True, False):
        x.grad = None
        net.zero_grad()
        y.backward(batch(*shape, seed=2), keep_tape)
        assert_same_bits(outcome(net, y, x=x), expected)
    with pytest.raises(RuntimeError, match="keep_tape=True"):
        y.backward(batch(*shape, seed=2))


def engine_modes():
    """The switches that every error must leave as they were."""
    return is_recording(), is_replaying()
