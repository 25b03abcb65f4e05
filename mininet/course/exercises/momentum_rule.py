"""Exercises of notebook 05, The momentum rule, its inverse, and the drift of floats."""

import numpy as np

from ...experiments.drift import drift
from ...reversible import MomentumNet
from ..checking import NotYet, expect, is_near, require, returned

EPSILON = float(np.finfo(np.float64).eps)


def exercise_1(merged):
    """Two points that a momentum layer from rest takes to the same position, with f(x) = -2 x^3 and gamma = 0.5."""
    points = returned(merged(), "merged")
    require(np.shape(points) == (2,), f"merged should return two numbers, not {points!r}")
    x0 = np.array(points, float)
    require(np.isfinite(x0).all() and x0[0] != x0[1], f"a and b should be two different points, got {points!r}")
    v1 = 0.5 * (-2 * x0**3)
    x1 = x0 + v1
    # half a dozen roundings of numbers of the size of v_1
    if not abs(x1[0] - x1[1]) <= 8 * EPSILON * max(1, np.abs(v1).max()):
        raise NotYet(f"x_1 is {x1[0]:g} for a and {x1[1]:g} for b: one layer takes x_0 to x_0 + 0.5 f(x_0)")
    print(f"both have x_1 = {x1[0]:g}, and v_1 = {v1[0]:g} and {v1[1]:g}: the velocity remembers what x has forgotten")
    x_back = x1 - v1
    expect("x_0 from x_1 and v_1", x_back, x0, within=8 * EPSILON * max(1, np.abs(v1).max()))


def exercise_2(run_back):
    """The inverse of the rule that moves x first, with a momentum for each layer."""
    random = np.random.default_rng(1)
    start, push = random.uniform(-2, 2, (2, 50))

    def forward(functions, gammas):
        x, v = start.copy(), push.copy()
        for f, gamma in zip(functions, gammas, strict=True):
            x = x + v
            v = gamma * v + (1 - gamma) * f(x)
        return x, v

    def compare(name, functions, gammas):
        answer = run_back(*forward(functions, gammas), list(functions), list(gammas))
        returned(answer, "run_back", 2, "two arrays, x_0 and v_0")
        # roundings of about EPSILON times values below 8, grown by 1 / gamma in each layer; the functions are flat but
        # for jumps, or have slopes below 1
        within = 100 * EPSILON * float(np.prod(1 / np.array(gammas)))
        expect(f"{name}: v_0", answer[1], push, within=within)
        expect(f"{name}: x_0", answer[0], start, within=within)

    one = [lambda x: np.floor(3 * x)]
    x1, v1 = forward(one, [0.5])
    answer = run_back(x1.copy(), v1.copy(), one, [0.5])
    if answer is not None and len(answer) == 2:
        wrong = (v1 - 0.5 * one[0](x1 - v1)) / 0.5
        if is_near(answer[1], wrong):
            raise NotYet("f was evaluated at x_1 - v_1; here v moved after x, so evaluate f_0 at x_1: x_0 is x_1 - v_0")
    compare("one layer", one, [0.5])
    compare("two layers", [np.sin, np.cos], [0.5, 0.9])
    functions = [np.sin, lambda x: np.floor(x), np.cos, np.tanh, np.sign] * 3
    compare("15 layers", functions, random.uniform(0.5, 0.95, len(functions)))


def exercise_3(layers_until_lost):
    """How many layers can be undone before a rounding error has grown to the size of the value."""
    for gamma, bits in ((0.55, 24), (0.9, 24), (0.9, 53), (0.99, 24)):  # where rounding logarithms cannot matter
        right, answer = int(np.floor(bits / np.log2(1 / gamma))), layers_until_lost(gamma, bits)
        expect(f"gamma = {gamma}, {bits} bits", answer, right)
        require(isinstance(answer, (int, np.integer)), f"a number of layers is an integer, not {answer!r}: use int()")
    settings = drift.Settings(features=64, hidden=2, batch_size=4)
    for gamma in (0.5, 0.8, 0.9):
        predicted = layers_until_lost(gamma, 24)
        depth = 2 * predicted
        net = MomentumNet(drift.functions(depth, gamma, settings), gamma, arithmetic="float")
        x = drift.inputs(settings)
        # the velocities are the differences of the positions; of the run back, largest errors by layers undone
        largest = np.abs(np.diff(net.trajectory(x), axis=0)).max()
        errors = net.check_inversion(x).velocity_errors[::-1]
        measured = int(np.argmax(errors > largest))
        print(f"gamma = {gamma}: predicted {predicted} layers, the error of v passes its values after {measured}")


def exercise_4(weakest_spring):
    """The weakest spring with which errors grow like gamma^(-N/2)."""
    for gamma in (0.25, 0.81, 0.9, 0.99):
        root = np.sqrt(gamma)
        # 1 + gamma - 2 root, which is (1 - root)^2, has some roundings of numbers below 2: relative to it this many
        within = 8 * EPSILON / (1 - root) ** 2
        expect(f"gamma = {gamma}", weakest_spring(gamma), (1 - root) / (1 + root), within=within)
    for share in (0.5, 1.5):
        slope = -share * weakest_spring(0.9)
        matrix = np.array([[1, -1], [-0.1 * slope / 0.9, (1 + 0.1 * slope) / 0.9]])
        growth = np.abs(np.linalg.eigvals(matrix)).max()
        print(f"gamma = 0.9, {share} times this spring: errors grow by {growth:.4f} a layer; 1 / sqrt(gamma) = 1.0541")
