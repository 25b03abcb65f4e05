"""Exercises of notebook 10, Learning to optimise, and why RevNets cannot."""

import numpy as np

from ...autodiff import no_grad
from ...experiments.learning_to_optimize import fixed_points
from ...reversible import MomentumNet, ResidualNet, RevNet
from ..checking import expect, require, returned

ROUNDING = 1e-12
"""Allowed difference of results of a few operations in float64, a few thousand times its precision."""


def exercise_1(nonnegative_step):
    """The minimiser of (u - w)^2 / 2 + t u over u >= 0: max(w - t, 0), a ReLU with bias -t."""
    w = np.array([[-1.5, -0.2, 0.0], [0.3, 0.8, 2.0]])
    for t in (0.5, 0.0):
        answer = returned(nonnegative_step(w.copy(), t), "nonnegative_step")
        require(not (np.asarray(answer) < 0).any(), "some entries are negative: not allowed here, u must be at least 0")
        expect(f"t = {t}", answer, np.maximum(w - t, 0), within=ROUNDING)


def exercise_2(attracts):
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


def exercise_3(two_maps):
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


CASES = (
    ("resnet", 0.5, 0), ("resnet", 1.9, 0), ("resnet", 2.1, 0), ("resnet", -0.2, 0),
    ("momentum", 2.1, 0.5), ("momentum", 5.8, 0.5), ("momentum", 6.2, 0.5), ("momentum", 37.0, 0.9),
    ("momentum", -0.2, 0.9), ("revnet", 0.2, 0), ("revnet", 1.0, 0), ("revnet", -1.0, 0),
)  # fmt: skip
LONG = 400
"""Layers after which all of `CASES` are settled: the factors per layer nearest to 1 are 0.95 and 1.1."""
