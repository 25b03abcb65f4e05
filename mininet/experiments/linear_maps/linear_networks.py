"""Deep linear networks that are to be a given matrix, with the theta of the theorem of section 4 or a trained one.

All layers share one matrix, x -> h x theta with h = 1 / depth.  They map the rows of x, so from the identity a network
returns its own matrix.  As h shrinks, that goes to Psi_eps(theta) at first order, see `continuous_limit`.

Networks are trained at a finite, even depth.  There, the residual network (1 + h theta)^depth is the square of a real
matrix, in which unpaired negative eigenvalues are as impossible as in exp(theta).  The momentum network has a bar of
its own, 0.02 above lambda_eps at the settings below; targets keep further away than that.
"""

import dataclasses
import itertools

import numpy as np
from tqdm import tqdm

from ...autodiff import Tensor
from ...nn import Module, Parameter
from ...optim import Adam, CosineDecay
from ...reversible import MomentumNet, ResidualNet
from ..continuous_limit import Convergence, momentum_net
from .linear_flow import psi_by_eigenvalues, psi_of_matrix
from .representable import construct, is_exponential, is_representable, needed_factor

DEPTHS = tuple(2**k for k in range(6, 14))
EPSILON = 1.0
SLACK = 1.25
"""How much further than needed a matrix is divided."""


@dataclasses.dataclass(frozen=True)
class Constructed:
    """A representable matrix, and the theta that the theorem promises."""

    matrix: np.ndarray
    theta: np.ndarray
    epsilon: float
    error: float  # |Psi_eps(theta) - matrix|, the largest of two ways to compute Psi_eps


def constructed(matrix, epsilon):
    """`Constructed` for a representable matrix."""
    theta = construct(matrix, epsilon)
    values = psi_of_matrix(theta, epsilon), psi_by_eigenvalues(theta, epsilon)
    return Constructed(matrix, theta, epsilon, max(float(np.linalg.norm(value - matrix)) for value in values))


def discrete_convergence(made, depths=DEPTHS):
    """How networks of layers x -> h x theta approach each matrix as h = 1 / depth shrinks, by eps and size."""
    found = []
    steps = tuple(1 / depth for depth in depths)
    for (epsilon, size), group in itertools.groupby(sorted(made, key=_kind), _kind):
        matrices, thetas = (np.stack(each) for each in zip(*((one.matrix, one.theta) for one in group), strict=True))
        identity = np.zeros_like(matrices) + np.eye(size)
        nets = (momentum_net(lambda x, t, thetas=thetas: x @ thetas, epsilon, depth) for depth in depths)
        errors = [np.linalg.norm(net.run(identity).output() - matrices, axis=(1, 2)) for net in nets]
        found += [Convergence(steps, tuple(map(float, each))) for each in zip(*errors, strict=True)]
    return found


def _kind(one):
    return one.epsilon, len(one.matrix)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the trainings, which are ours and not the paper's."""

    depth: int = 16  # even
    steps: int = 2000  # of Adam, with a learning rate that falls to 0 along a cosine
    learning_rates: tuple = (0.3, 1.0)
    seeds: int = 3  # starts per learning rate; the best training counts: can it be learned at all?
    random_targets: int = 8
    reached: float = 0.01  # below this distance, a target counts as learned


@dataclasses.dataclass(frozen=True)
class Trained:
    """How near the two networks, by name, came to a target in Frobenius norm, and whether the theorem allows it."""

    name: str
    matrix: np.ndarray
    distances: dict
    possible: dict


def divided(matrix, epsilon=EPSILON):
    """The matrix if it is representable, else divided by SLACK times the least factor that makes it so."""
    factor = needed_factor(matrix, epsilon)
    return matrix if factor == 1 else matrix / (SLACK * factor)


def targets(random_targets, epsilon=EPSILON):
    """Matrices (3, 3) by name: with unpaired negative eigenvalues, as they are and halved; with a pair; random ones."""
    mirror, minus = np.diag([1.0, 1.0, -1.0]), -np.eye(3)
    named = {
        "mirror": mirror,
        "mirror / 2": mirror / 2,
        "−1": minus,
        "−1 / 2": minus / 2,
        "rotation by π": np.diag([-1.0, -1.0, 1.0]),
    }
    random = np.random.default_rng(1)
    for k in range(random_targets):
        named[f"random {k + 1}"] = divided(random.standard_normal((3, 3)), epsilon)
    return named


class ScaledLinear(Module):
    """x -> h x theta, for a stack of matrices x and theta: many independent networks at once."""

    def __init__(self, theta, h):
        super().__init__()
        self.weight = Parameter(theta)
        self.h = h

    def forward(self, x):
        """The value, like x."""
        return self.h * (x @ self.weight)


def networks(depth, epsilon=EPSILON):
    """Functions that make the "momentum" and the "residual" network of a layer's function; exact and memory-free."""
    return {
        "momentum": lambda function: MomentumNet([function] * depth, gamma=1 - 1 / (depth * epsilon)),
        "residual": lambda function: ResidualNet([function] * depth),
    }


def train(make_net, matrices, settings, learning_rate, progress=False):
    """Train networks to be each of `matrices` (count, n, n), all at once; returns how far (count,) they still are."""
    function = ScaledLinear(0.1 * np.random.default_rng(0).standard_normal(matrices.shape), 1 / settings.depth)
    net, identity = make_net(function), Tensor(np.zeros_like(matrices) + np.eye(matrices.shape[-1]))
    optimizer = Adam(net.parameters(), learning_rate)
    schedule = CosineDecay(optimizer, settings.steps)
    for _ in tqdm(range(settings.steps), f"training at {learning_rate:g}", disable=not progress):
        optimizer.zero_grad()
        ((net(identity) - matrices) ** 2).sum().backward()  # gradients of each network from its own loss alone
        optimizer.step()
        schedule.step()
    return np.linalg.norm(net.run(identity).output() - matrices, axis=(1, 2))


def train_all(settings=None, epsilon=EPSILON, progress=False):
    """`Trained` for each of the `targets`."""
    settings = settings or Settings()
    chosen = targets(settings.random_targets, epsilon)
    matrices = np.repeat(np.stack(list(chosen.values())), settings.seeds, axis=0)
    best = {}
    for kind, make_net in networks(settings.depth, epsilon).items():
        tried = [train(make_net, matrices, settings, rate, progress) for rate in settings.learning_rates]
        best[kind] = np.min(tried, axis=0).reshape(len(chosen), settings.seeds).min(axis=1)
    return [
        Trained(
            name, matrix, {kind: float(distances[k]) for kind, distances in best.items()},
            {"momentum": is_representable(matrix, epsilon), "residual": is_exponential(matrix)},
        )
        for k, (name, matrix) in enumerate(chosen.items())
    ]  # fmt: skip
