"""The paper's Table 1, measured: what distinguishes networks that can be run backwards, and what a step costs them.

Nothing here is asserted; each entry is the outcome of an attempt.
"""

import dataclasses
import statistics
import time

import numpy as np

from .. import plotting, seeding
from ..autodiff import Tensor
from ..nn import Conv2d, Linear, Module, Sequential, Tanh
from ..reversible import IResNet, MomentumNet, ResidualNet, RevNet, limit_lipschitz, spectral_norm
from .claim import Claim, Options, Report
from .step_memory import held_by

NETWORKS = {
    "ResNet": ResidualNet,
    "checkpointed ResNet": lambda functions: ResidualNet(functions, backprop="checkpointed"),
    "RevNet": RevNet,
    "i-ResNet": IResNet,
    "Momentum ResNet": MomentumNet,
}
CONTRACTIVE, EXPANDING = 0.5, 5.0
FEATURES, DEPTH = 8, 4


@dataclasses.dataclass(frozen=True)
class Properties:
    """One column of the table."""

    closed_form_inverse: bool  # undoing a layer takes one evaluation of its function
    same_parameters: bool  # takes a residual network's functions as they are, and trains nothing else
    unconstrained_training: bool  # with a Lipschitz constant of 5, gradients and inversion still work


def measure_properties(build):
    """The `Properties` of a kind of network, made of functions by `build`."""
    try:
        build(functions_of_slope(CONTRACTIVE, FEATURES))(_inputs())
        fits = True
    except ValueError:  # it does not take functions of a residual network: the shapes do not fit
        fits = False
    width = FEATURES if fits else FEATURES // 2  # of functions that the network does take
    contractive, expanding = (functions_of_slope(slope, width) for slope in (CONTRACTIVE, EXPANDING))
    same = fits and list(build(contractive).parameters()) == list(ResidualNet(contractive).parameters())
    evaluations = _evaluations_per_undone_layer(build, contractive)
    comes_back = evaluations is None or _evaluations_per_undone_layer(build, expanding) is not None
    return Properties(evaluations == 1, same, comes_back and _has_the_gradients_of_stored(build, expanding))


def table_one():
    """The table: `Properties` by the name of the network."""
    return {name: measure_properties(build) for name, build in NETWORKS.items()}


@dataclasses.dataclass(frozen=True)
class Costs:
    """What training steps of convolutional functions cost, which are half as wide for a RevNet."""

    kept_bytes: int  # what a step keeps for its backward pass, at most
    growth_bytes: float  # by how much that grows per layer, between half the depth and the depth
    milliseconds: float  # median time of a step


def measure_costs(build, depth=40, channels=32, size=16, batch_size=16, steps=5):
    """The `Costs` of networks made by `build`; a RevNet of half as wide layers gets twice as many."""
    x = np.random.default_rng(0).standard_normal((batch_size, size, size, channels), dtype=np.float32)
    half, whole = (_convolutional(build, layers, channels, size) for layers in (depth // 2, depth))
    kept = [held_by(lambda: _step(net, x)).kept_for_backward for net in (half, whole)]  # noqa: B023
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        _step(whole, x)
        seconds.append(time.perf_counter() - start)
    return Costs(kept[1], (kept[1] - kept[0]) / (depth - depth // 2), 1e3 * statistics.median(seconds))


def _convolutional(build, layers, channels, size):
    """A network of contractive functions, conv3x3 - tanh - conv3x3."""
    is_halved = build is RevNet
    width = channels // 2 if is_halved else channels
    with seeding.rewound((0, 0)):
        functions = [
            Sequential(Conv2d(width, width, 3, padding=1), Tanh(), Conv2d(width, width, 3, padding=1))
            for _ in range(2 * layers if is_halved else layers)
        ]
    for function in functions:
        limit_lipschitz(function, 0.7, (size, size))  # 0.7 * 0.7, so f is a contraction
    return build(functions)


def _step(net, x):
    """The gradients of the sum of what the network returns, by x and its parameters."""
    net.zero_grad()
    x = Tensor(x, requires_grad=True)
    y = net(x)
    y.backward(np.ones(y.shape, y.dtype))
    return [x.grad, *(parameter.grad for parameter in net.parameters())]


def formatted_costs(table):
    """Costs as text, a line for each network."""
    lines = [f"{'':22}{'kept':>12}{'a layer':>12}{'ms a step':>12}"]
    for name, cost in table.items():
        kept, growth = map(plotting.readable_bytes, (cost.kept_bytes, cost.growth_bytes))
        lines.append(f"{name:22}{kept:>12}{growth:>12}{cost.milliseconds:12.1f}")
    return "\n".join(lines)


def formatted(table):
    """The table as text, a line for each property."""
    names = [field.name for field in dataclasses.fields(Properties)]
    left = max(map(len, names))
    lines = ["  ".join([" " * left, *table])]
    for name in names:
        entries = ("yes" if getattr(column, name) else "no" for column in table.values())
        entries = (entry.ljust(len(title)) for entry, title in zip(entries, table, strict=True))
        lines.append("  ".join([name.replace("_", " ").ljust(left), *entries]).rstrip())
    return "\n".join(lines)


def reproduce(options: Options) -> Report:
    """The table, and what a step costs."""
    table = table_one()
    having_all = [name for name, column in table.items() if all(dataclasses.astuple(column))]
    claim = Claim("only the Momentum ResNet has all three", ", ".join(having_all), having_all == ["Momentum ResNet"])
    small = {"depth": 4, "channels": 8, "size": 8, "batch_size": 4, "steps": 1} if options.quick else {}
    costs = {name: measure_costs(build, **small) for name, build in NETWORKS.items()}
    return Report(f"{formatted(table)}\n\n{formatted_costs(costs)}", [claim])


class CountedFunction(Module):
    """tanh(x W) with a given Lipschitz constant, attained at 0, that counts its evaluations."""

    def __init__(self, slope, width):
        super().__init__()
        self.inner = Sequential(Linear(width, width, bias=False), Tanh()).to(np.float64)
        weight = self.inner[0].weight
        weight.data *= slope / spectral_norm(self.inner[0])
        self.evaluations = 0

    def forward(self, x):
        """The value, and one more evaluation."""
        self.evaluations += 1
        return self.inner(x)


def functions_of_slope(slope, width):
    """The functions that networks are tried on, always the same for a slope; random numbers stay where they are."""
    with seeding.rewound((0, 0)):
        return [CountedFunction(slope, width) for _ in range(DEPTH)]


def _inputs():
    # small, so that tanh is near its largest slope
    return 0.1 * np.random.default_rng(0).standard_normal((16, FEATURES))


def _evaluations_per_undone_layer(build, functions):
    """On average; None if layers cannot be undone, or what comes back is not where the run began."""
    net, x = build(functions), _inputs()
    state = net.run(x)
    before = sum(function.evaluations for function in functions)
    try:
        came_back = net.invert(state)
    except (ValueError, RuntimeError):
        return None
    x0 = came_back[0] if isinstance(came_back, tuple) else came_back
    if not np.allclose(x0, x, rtol=0, atol=1e-9):
        return None
    return (sum(function.evaluations for function in functions) - before) / len(functions)


def _has_the_gradients_of_stored(build, functions):
    stored = build(functions)
    stored.backprop = "stored"
    try:
        ours, theirs = (_step(net, _inputs()) for net in (build(functions), stored))
    except RuntimeError:
        return False
    return all(np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(ours, theirs, strict=True))
