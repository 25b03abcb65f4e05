"""The paper's Table 1, measured, with two networks that came later; each entry is the outcome of an attempt.

- *ResNet, adjoint* is the residual network run back approximately, x_n = x_{n+1} - f_n(x_{n+1}) (Sander, Ablin, Peyré,
  2022).
- *BDIA* (Zhang, Lewis, Kleijn, 2024) averages two steps at random in training, and is a residual network in evaluation.

The second table is a training step of 40 layers of convolutional functions: what it keeps for the backward pass, by how
much that grows with each layer, and the same in bits per element of x.  A momentum network with γ = 0.9 needs
log2(1/γ) = 0.152 bits per element and layer.  It puts them into a word of 32 bits, which has room for 194 layers, so
here nothing grows.  BDIA adds 1 bit with each layer.

The third table is how far gradients are from those of stored activations, relative to the largest, in float64.  Its
functions have slopes up to 2/N.  Then the neighbour's error falls with the depth N, and exact arithmetic has none.
"""

import dataclasses
import statistics
import time

import numpy as np

from .. import plotting, seeding
from ..autodiff import Tensor
from ..nn import Conv2d, Linear, Module, Sequential, Tanh
from ..reversible import (
    AdjointResNet,
    BDIANet,
    IResNet,
    MomentumNet,
    ResidualNet,
    RevNet,
    limit_lipschitz,
    spectral_norm,
)
from .claim import Claim, Options, Report, text_table
from .step_memory import held_by

NETWORKS = {
    "ResNet": ResidualNet,
    "checkpointed ResNet": lambda functions: ResidualNet(functions, backprop="checkpointed"),
    "RevNet": RevNet,
    "i-ResNet": IResNet,
    "Momentum ResNet": MomentumNet,
    "ResNet, adjoint": AdjointResNet,
    "BDIA": BDIANet,
}
LATER = ("ResNet, adjoint", "BDIA")
"""Those that the paper could not know."""

CONTRACTIVE, EXPANDING = 0.5, 5.0
FEATURES, DEPTH = 8, 4
DEPTHS = (10, 30, 100, 300)


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

    elements: int  # of x
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
    return Costs(x.size, kept[1], (kept[1] - kept[0]) / (depth - depth // 2), 1e3 * statistics.median(seconds))


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


def gradient_errors(build, depths=DEPTHS):
    """How far the largest gradient by x is off for each of `depths`, relative to it, with slopes up to 2 / depth."""
    width = FEATURES // 2 if build is RevNet else FEATURES
    errors = []
    for depth in depths:
        functions = functions_of_slope(2 / depth, width, depth)
        ours, stored = (_gradients(build, functions, backprop, 1.0)[0] for backprop in (None, "stored"))
        errors.append(np.abs(ours - stored).max() / np.abs(stored).max())
    return errors


def _gradients(build, functions, backprop, scale=0.1):
    """The gradients of a network on the inputs, with the same random numbers every time; None for its own backprop."""
    net = build(functions)
    net.backprop = backprop or net.backprop
    with seeding.rewound((0, 0)):
        return _step(net, _inputs(scale))


def formatted_errors(table, depths=DEPTHS):
    """Gradient errors as text, a line for each network."""
    rows = [("error of gradients", [f"{depth} layers" for depth in depths])]
    rows += [(name, [f"{error:.2g}" for error in errors]) for name, errors in table.items()]
    return text_table(rows, 20, 15)


def formatted_costs(table):
    """Costs as text, a line for each network."""
    lines = [f"{'a training step':20}{'kept':>10}{'a layer':>10}{'bits a layer':>14}{'ms':>8}"]
    for name, cost in table.items():
        kept, growth = map(plotting.readable_bytes, (cost.kept_bytes, cost.growth_bytes))
        bits = 8 * cost.growth_bytes / cost.elements
        lines.append(f"{name:20}{kept:>10}{growth:>10}{bits:>14.3g}{cost.milliseconds:>8.1f}")
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
    """The table, what a step costs, and gradient errors by depth."""
    table = table_one()
    having_all = [name for name, column in table.items() if all(dataclasses.astuple(column))]
    in_paper = [name for name in having_all if name not in LATER]
    text = "of the paper's networks, only the Momentum ResNet has all three"
    claim = Claim(text, ", ".join(in_paper), in_paper == ["Momentum ResNet"])
    small = {"depth": 4, "channels": 8, "size": 8, "batch_size": 4, "steps": 1} if options.quick else {}
    costs = {name: measure_costs(build, **small) for name, build in NETWORKS.items()}
    depths = DEPTHS[:2] if options.quick else DEPTHS
    errors = {name: gradient_errors(build, depths) for name, build in NETWORKS.items()}
    tables = formatted(table), formatted_costs(costs), formatted_errors(errors, depths)
    found = (
        f"Three things are wanted together: an inverse in closed form, a residual network's parameters, and training "
        f"without constraints. These have all three: {', '.join(having_all)}."
    )
    title = "Which networks can be run backwards, and at what cost?"
    return Report("\n\n".join(tables), [claim], title=title, found=found)


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


def functions_of_slope(slope, width, depth=DEPTH):
    """The functions that networks are tried on, always the same for a slope; random numbers stay where they are."""
    with seeding.rewound((0, 0)):
        return [CountedFunction(slope, width) for _ in range(depth)]


def _inputs(scale=0.1):
    # by default small, so that tanh is near its largest slope
    return scale * np.random.default_rng(0).standard_normal((16, FEATURES))


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
    try:
        ours, theirs = (_gradients(build, functions, backprop) for backprop in (None, "stored"))
    except RuntimeError:
        return False
    return all(np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(ours, theirs, strict=True))
