"""Why a RevNet cannot come to rest: eigenvalues of one layer at a point where its residual function vanishes.

Let f(x*) = 0 and J = df/dx there, d x d.  One layer, as a map of the network's whole state, has the Jacobian

    ResNet, of x:                    I + J
    Momentum ResNet, of (x, v):      [[I + (1 - gamma) J, gamma I], [(1 - gamma) J, gamma I]]     determinant gamma^d
    RevNet, of its two streams:      [[0, I], [I, J]]^2, for both are moved                       determinant 1

and the fixed point, (x*, 0) or (x*, x*), attracts if all eigenvalues lie inside the unit circle.  Their product is the
determinant: those of a RevNet cannot.  The same holds whatever functions its streams have.
"""

import dataclasses

import numpy as np

from ...autodiff import Tensor
from ...models.unrolled import IstaFunction
from ...reversible import MomentumNet, ResidualNet, RevNet
from ..claim import Claim


def slope_at(z, y, function):
    """df/dz (atoms, atoms) of an `IstaFunction` at z (atoms,) and y (measurements,), by one backward pass."""
    count = len(z)
    rows = Tensor(np.tile(z, (count, 1)), requires_grad=True)
    function(rows, np.tile(y, (count, 1))).backward(np.eye(count))
    return rows.grad


def layer_jacobians(slope, gamma):
    """Jacobians of one layer by kind of network, where df/dx = `slope` (d, d)."""
    one, zero = np.eye(len(slope)), np.zeros_like(slope)
    velocity = np.hstack([(1 - gamma) * slope, gamma * one])
    half = np.block([[zero, one], [one, slope]])
    return {
        "ResNet": one + slope,
        "Momentum ResNet": np.vstack([np.hstack([one, zero]) + velocity, velocity]),
        "RevNet": half @ half,
    }


def spectral_radius(matrix):
    """The largest modulus of an eigenvalue."""
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def stability_limit(gamma):
    """Where df/dx = -a, symmetric, a momentum network's fixed point attracts for 0 < a < 2 (1 + gamma) / (1 - gamma).

    The eigenvalues solve mu^2 - (1 + gamma - (1 - gamma) a) mu + gamma = 0, to which Jury's conditions apply.
    """
    return 2 * (1 + gamma) / (1 - gamma)


def radii(slopes, gamma):
    """`spectral_radius` of a layer with df/dx = -a, a number, by kind of network: ndarrays like `slopes`, the a."""
    jacobians = [layer_jacobians(np.array([[-a]]), gamma) for a in slopes]
    return {kind: np.array([spectral_radius(each[kind]) for each in jacobians]) for kind in jacobians[0]}


@dataclasses.dataclass(frozen=True)
class Rest:
    """What happens if one layer, a step of ISTA, is repeated."""

    jacobians: dict  # `layer_jacobians` at the solution z*
    distances: dict  # by kind of network, |z_n - z*| / |z*| from z_0 = 0; NaN or infinite beyond floats


def come_to_rest(task, gamma, depth=1000):
    """Repeat a step of ISTA `depth` times in each kind of network, for one sample."""
    y = task.samples(1, np.random.default_rng(0))
    solution = task.solve(y, iterations=10_000)
    function = IstaFunction(task.dictionary, task.penalty).to(np.float64)
    networks = {
        "ResNet": ResidualNet([function] * depth),
        "Momentum ResNet": MomentumNet([function] * depth, gamma, arithmetic="float"),
        "RevNet": RevNet([function] * 2 * depth, arithmetic="float"),
    }
    distances = {}
    for name, net in networks.items():
        streams = 2 if name == "RevNet" else 1
        with np.errstate(over="ignore", invalid="ignore"):  # a RevNet leaves all bounds
            z = net.trajectory(np.zeros((1, streams * solution.size)), y)[::streams, 0, -solution.size :]
            distances[name] = np.linalg.norm(z - solution, axis=1) / np.linalg.norm(solution)
    return Rest(layer_jacobians(slope_at(solution[0], y[0], function), gamma), distances)


def claims(rest, gamma):
    """That a momentum network comes to rest and a RevNet does not, as `Claim`s."""
    radius = {kind: spectral_radius(jacobian) for kind, jacobian in rest.jacobians.items()}
    determinant = float(np.linalg.det(rest.jacobians["RevNet"]))
    last = {kind: distances[-1] for kind, distances in rest.distances.items()}
    words = {kind: f"{end:.1e}" if np.isfinite(end) else "beyond the range of floats" for kind, end in last.items()}
    limit = stability_limit(gamma)
    slopes = limit * np.array([0.001, 0.25, 0.5, 0.75, 0.999, 1.001, 1.5])
    attracts = radii(slopes, gamma)["Momentum ResNet"] < 1
    inside, outside = (", ".join(f"{a:.3f}" for a in slopes[which]) for which in (attracts, ~attracts))
    return [
        Claim(
            "at the solution, all eigenvalues of the momentum net's layer lie inside the unit circle",
            f"the largest is {radius['Momentum ResNet']:.4f}, of the ResNet's {radius['ResNet']:.4f}",
            radius["Momentum ResNet"] < 1,
        ),
        Claim(
            "those of the RevNet's do not: its determinant is 1",
            f"1 {determinant - 1:+.1e}; the largest is {radius['RevNet']:.4f}",
            abs(determinant - 1) < 1e-9 and radius["RevNet"] > 1,
        ),
        Claim(
            f"{len(rest.distances['RevNet']) - 1} equal layers, steps of ISTA, come within 0.1 % of the solution in a "
            "ResNet and a momentum net, not in a RevNet",
            ", ".join(f"{kind}: {word}" for kind, word in words.items()),
            bool(last["ResNet"] < 1e-3 and last["Momentum ResNet"] < 1e-3 and not last["RevNet"] < 1),
        ),
        Claim(
            f"with γ = {gamma:g} and df/dx = -a, fixed points attract up to a = 2 (1 + γ) / (1 - γ) = {limit:g}",
            f"at {inside}; not at {outside}",
            bool((attracts == (slopes < limit)).all()),
        ),
    ]
