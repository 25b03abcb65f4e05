"""The paper's Table 1, measured: what distinguishes networks that can be run backwards.

Nothing here is asserted; each entry is the outcome of an attempt.
"""

import dataclasses

import numpy as np

from .. import seeding
from ..autodiff import Tensor
from ..nn import Linear, Module, Sequential, Tanh
from .iresnet import IResNet
from .lipschitz import spectral_norm
from .momentum import MomentumNet
from .residual import ResidualNet
from .revnet import RevNet

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
    """One column of the table.

    Attributes
    ----------
    closed_form_inverse : bool
        Undoing a layer takes one evaluation of its function; False if it takes more, or cannot be done.
    same_parameters : bool
        The functions of a residual network can be used as they are, on the same x, and are all there is to be trained.
    unconstrained_training : bool
        With functions of a Lipschitz constant of 5, gradients are those of stored backpropagation, and layers can be
        undone if they can be with contractive ones.
    """

    closed_form_inverse: bool
    same_parameters: bool
    unconstrained_training: bool


def measure_properties(build):
    """The `Properties` of a kind of network.

    Parameters
    ----------
    build : callable(functions) -> LayeredNet
    """
    fits = _takes_functions_of_a_residual_network(build)
    width = FEATURES if fits else FEATURES // 2  # of functions that the network does take
    contractive, expanding = (functions_of_slope(slope, width) for slope in (CONTRACTIVE, EXPANDING))
    same = fits and list(build(contractive).parameters()) == list(ResidualNet(contractive).parameters())
    evaluations = _evaluations_per_undone_layer(build, contractive)
    comes_back = evaluations is None or _evaluations_per_undone_layer(build, expanding) is not None
    return Properties(evaluations == 1, same, comes_back and _has_the_gradients_of_stored(build, expanding))


def table_one():
    """The table: `Properties` by the name of the network."""
    return {name: measure_properties(build) for name, build in NETWORKS.items()}


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


def _takes_functions_of_a_residual_network(build):
    try:
        build(functions_of_slope(CONTRACTIVE, FEATURES))(_inputs())
    except ValueError:  # the shapes do not fit
        return False
    return True


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
    usual, stored = build(functions), build(functions)
    stored.backprop = "stored"
    try:
        ours, theirs = _gradients(usual), _gradients(stored)
    except RuntimeError:
        return False
    return all(np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(ours, theirs, strict=True))


def _gradients(net):
    net.zero_grad()
    x = Tensor(_inputs(), requires_grad=True)
    net(x).backward(np.ones(x.shape))
    gradients = [x.grad, *(parameter.grad for parameter in net.parameters())]
    net.zero_grad()
    return gradients
