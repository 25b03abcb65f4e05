"""Exercises of notebook 10, Learning to optimise, and why RevNets cannot."""

import numpy as np

from ...autodiff import Tensor, no_grad
from ...experiments.learning_to_optimize import fixed_points
from ...experiments.learning_to_optimize.sparse_coding import SparseCoding
from ...reversible import MomentumNet, ResidualNet, RevNet
from ..checking import NotYet, expect, require, returned

ROUNDING = 1e-12
"""Allowed difference of results of a few operations in float64, a few thousand times its precision."""


def exercise_1(nonnegative_step):
    """The minimiser of (u - w)^2 / 2 + t u over u >= 0: max(w - t, 0), a ReLU with bias -t."""
    w = np.array([[-1.5, -0.2, 0.0], [0.3, 0.8, 2.0]])
    for t in (0.5, 0.0):
        answer = returned(nonnegative_step(w.copy(), t), "nonnegative_step")
        require(not (np.asarray(answer) < 0).any(), "some entries are negative: not allowed here, u must be at least 0")
        expect(f"t = {t}", answer, np.maximum(w - t, 0), within=ROUNDING)


def exercise_2(violation):
    """How far from 0 the slopes of the lasso are."""
    random = np.random.default_rng(0)
    task = SparseCoding.random(6, 10, 0.1, random)
    y = task.samples(4, random)
    z = random.standard_normal((4, 10)) * (random.random((4, 10)) < 0.5)
    found = _violation(violation, z, y, task)
    slope = (z @ task.dictionary.T - y) @ task.dictionary
    used = z != 0
    size, outside = np.abs(slope + task.penalty * np.sign(z)), np.maximum(np.abs(slope) - task.penalty, 0)
    expect("where z is not 0 (the size of the slope)", found[used], size[used], within=ROUNDING)
    expect("where z is 0 (how far 0 lies outside the two slopes)", found[~used], outside[~used], within=ROUNDING)
    best = task.solve(y, iterations=20_000)
    # there, a step of ISTA has f = -eta times the violation, and |f| is at most sqrt(2 eta gap)
    allowed = np.sqrt(2 * task.duality_gap(best, y).clip(0).max() / task.step) + ROUNDING
    largest = _violation(violation, best, y, task).max()
    print(f"at the solution, the largest violation is {largest:.1e}")
    require(largest <= allowed, f"the violation should vanish at the solution, and is up to {largest:.2g}")
    small = 0.5 * task.penalty * y  # so that no entry of |D^T y| exceeds lambda / 2
    found = _violation(violation, np.zeros_like(best), small, task)
    require(not found.any(), "if no entry of |D^T y| exceeds lambda, z = 0 is the solution: it violates nothing")


def _violation(violation, z, y, task):
    found = returned(violation(z.copy(), y.copy(), task.dictionary.copy(), task.penalty), "violation")
    found = np.asarray(found)
    require(found.shape == z.shape, f"violation has shape {found.shape}, and should have that of z, {z.shape}")
    require(not (found < 0).any(), "a violation is a distance and cannot be negative")
    return found


CASES = (
    ("resnet", 0.5, 0), ("resnet", 1.9, 0), ("resnet", 2.1, 0), ("resnet", -0.2, 0),
    ("momentum", 2.1, 0.5), ("momentum", 5.8, 0.5), ("momentum", 6.2, 0.5), ("momentum", 37.0, 0.9),
    ("momentum", -0.2, 0.9), ("revnet", 0.2, 0), ("revnet", 1.0, 0), ("revnet", -1.0, 0),
)  # fmt: skip
LONG = 400
"""Layers after which all of `CASES` are settled: the factors per layer nearest to 1 are 0.95 and 1.1."""


def exercise_3(attracts):
    """Which fixed points attract; the networks are run after all predictions."""
    said = [attracts(*case) for case in CASES]
    require(not any(answer is None for answer in said), "attracts returns nothing")
    require(all(isinstance(answer, (bool, np.bool_)) for answer in said), "attracts should return True or False")
    wrong = []
    for (kind, a, gamma), answer in zip(CASES, said, strict=True):
        end = _end(kind, a, gamma)
        comes = end < 1
        where = "at rest" if comes else f"{end:.0e} away"
        momentum = f", gamma = {gamma}" if kind == "momentum" else ""
        label = f"{kind}, a = {a}{momentum}"
        print(f"{label:32} {LONG} layers from 1: {where:12} you said it {'attracts' if answer else 'does not attract'}")
        if bool(answer) != comes:
            wrong.append((kind, a, gamma))
    why = {
        "resnet": "a ResNet's layer is 1 - a, which must lie between -1 and 1",
        "momentum": "a momentum layer's p(1) and p(-1) must both be positive",
        "revnet": "a RevNet's determinant is 1, so nothing attracts, whatever a is",
    }
    reasons = "; ".join(why[kind] for kind in dict.fromkeys(kind for kind, _, _ in wrong))
    require(not wrong, f"{len(wrong)} of {len(CASES)} predictions are wrong: {reasons}")


def _end(kind, a, gamma):
    """The largest |x| of the state after `LONG` layers with f(x) = -a x, from 1 (in both streams)."""

    def function(x):
        return x * -a

    nets = {
        "resnet": lambda: ResidualNet([function] * LONG),
        "momentum": lambda: MomentumNet([function] * LONG, gamma, arithmetic="float"),
        "revnet": lambda: RevNet([function] * 2 * LONG, arithmetic="float"),
    }
    with no_grad():
        return float(np.abs(nets[kind]()(np.ones(2)).data).max())


def exercise_4(two_maps):
    """A momentum layer as two block-triangular maps."""
    gamma = 0.8
    J = np.random.default_rng(4).standard_normal((3, 3))
    answer = returned(two_maps(J.copy(), gamma), "two_maps", 2, "two arrays, (push, move)")
    push, move = (np.asarray(each) for each in answer)
    one, zero = np.eye(3), np.zeros((3, 3))
    pushed, moved = np.block([[one, zero], [(1 - gamma) * J, gamma * one]]), np.block([[one, one], [zero, one]])
    for name, found, right, hint in (
        ("push", push, pushed, "x stays, and v becomes gamma v + (1 - gamma) J x"),
        ("move", move, moved, "x becomes x + v, and v stays"),
    ):
        require(found.shape == (6, 6), f"{name} has shape {found.shape}, and should have (6, 6) for J of shape (3, 3)")
        for rows, what in ((slice(3), "x"), (slice(3, 6), "v")):
            close = np.allclose(found[rows], right[rows], rtol=0, atol=ROUNDING)
            require(close, f"the rows of {name} that give the new {what} are not right: {hint}")
    expect("first push, then move: move @ push", move @ push, fixed_points.layer_jacobians(J, gamma)["Momentum ResNet"],
           within=ROUNDING)  # fmt: skip
    print(f"determinants: push {np.linalg.det(push):.6f} = gamma^3, move {np.linalg.det(move):.6f}")


def exercise_5(rotating):
    """Linear functions with which a RevNet comes back after a given number of layers."""
    start = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, -0.8]])
    for period in (3, 4, 6, 25):
        answer = returned(rotating(period), "rotating", 2, "(alpha, beta)")
        alpha, beta = (float(number) for number in answer)
        passed = _circling(alpha, beta, period, start)
        away = np.abs(passed - start).max(axis=(1, 2))
        right = f"2 cos(2 pi / {period}) = {2 * np.cos(2 * np.pi / period):.4f}"
        why = f"the trace is 2 + alpha beta = {2 + alpha * beta:.4f}, and should be {right}"
        if not away[-1] < 1e-9:  # true for NaN, too
            raise NotYet(f"after {period} layers the points are {away[-1]:.2g} away from where they started; {why}")
        early = np.flatnonzero(away[1:-1] < 1e-9)
        back = 1 + early.min(initial=period)
        require(not early.size, f"the points are back before {period} layers are over, after {back} already")
        print(f"{period} layers: back where it started within {away[-1]:.1e}, on the way up to {away.max():.2f} away")
    far = np.abs(_circling(*rotating(25), 1000, start)).max()
    print(f"after 1,000 layers it has never been further than {far:.2f} from the fixed point, and has not come to rest")


def _circling(alpha, beta, layers, start):
    """The streams (layers + 1, n, 2) of a RevNet whose layers are two of `RevNet` each, from rows (x, y)."""

    def times(number):
        return lambda b: Tensor(number * b.data)

    net = RevNet([times(alpha), times(beta)] * layers, arithmetic="float")
    with np.errstate(over="ignore", invalid="ignore"):
        return net.trajectory(start)[::2]


def exercise_6(best_momentum):
    """The heavy ball's best parameters (Polyak, 1964)."""
    for slowest, fastest in ((0.01, 1.0), (0.5, 8.0), (0.3, 0.3)):
        answer = returned(best_momentum(slowest, fastest), "best_momentum", 2, "(gamma, s)")
        gamma, s = (float(number) for number in answer)
        require(0 <= gamma < 1 and s > 0, f"gamma must be in [0, 1) and s above 0, got {gamma:.4g} and {s:.4g}")
        slopes = s * np.linspace(slowest, fastest, 101)
        radius = fixed_points.radii(slopes, gamma)["Momentum ResNet"].max()
        ratio = np.sqrt(fastest / slowest)
        root = (ratio - 1) / (ratio + 1)
        resnet = (ratio**2 - 1) / (ratio**2 + 1)
        print(f"a from {slowest} to {fastest}: worst radius {radius:.5f}, possible {root:.5f}; a ResNet {resnet:.5f}")
        # eigenvalues that coincide are known to the root of the precision only, about 1e-8
        why = f"{root:.5f} is possible, with the whole range of s a just inside the complex case"
        if not radius < root + 1e-6:
            raise NotYet(f"with gamma = {gamma:.4g} and s = {s:.4g} the radius is {radius:.5f} for the worst a; {why}")
