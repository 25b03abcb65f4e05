"""Exercises of notebook 08, The second-order ODE."""

import numpy as np

from ...experiments.continuous_limit import reference
from ..checking import NotYet, expect, is_near, require, returned


def exercise_1(gamma_when_twice_as_deep):
    """eps = 1 / (N (1 - gamma)) stays, so 1 - gamma is halved."""
    for gamma in (0.0, 0.5, 0.9, 0.999):
        doubled = returned(gamma_when_twice_as_deep(gamma), "gamma_when_twice_as_deep")
        require(not np.isclose(doubled, gamma), "with the same gamma a deeper network has less inertia: another ODE")
        expect(f"gamma {gamma}", doubled, (1 + gamma) / 2, within=1e-12)
    print("a ResNet, gamma = 0, follows this ODE too, with eps = h; twice as deep, it needs gamma = 1/2 for that")


def exercise_2(first_zero):
    """pi - arctan(2 eps w), over w; never without oscillation."""
    for a, epsilon in ((30.0, 0.004), (1.0, 0.2)):
        expect(f"overdamped, a = {a:g}, epsilon = {epsilon}", first_zero(a, epsilon), np.inf)
    for a, epsilon in ((30.0, 0.05), (4.0, 0.5), (1.0, 100.0)):
        frequency = np.sqrt(4 * a * epsilon - 1) / (2 * epsilon)
        time = first_zero(a, epsilon)
        require(time is None or time > 0, "the time should be positive: tan has the period pi, take the next branch")
        if is_near(time, np.pi / 2 / frequency):
            raise NotYet("this is where cos(w t) = 0; the sine next to it is not 0 there")
        right = (np.pi - np.arctan(2 * epsilon * frequency)) / frequency
        expect(f"a = {a:g}, epsilon = {epsilon}", time, right, within=1e-9)
    print(f"with next to no friction, a quarter of a period: {right:.4g} against {np.pi / 2 / frequency:.4g}")


def exercise_3(explicit_matrix, explicit_limit):
    """Both rows use the old state; the determinant is 1 - h / eps + h^2 a / eps."""
    for a, h, epsilon in ((30.0, 0.02, 1.0), (2.0, 0.1, 0.3)):
        matrix = explicit_matrix(a, h, epsilon)
        right = np.array([[1, h], [-h * a / epsilon, 1 - h / epsilon]])
        gamma = 1 - h / epsilon
        ours = np.array([[1 - (1 - gamma) * h * a, gamma * h], [-(1 - gamma) * a, gamma]])
        if is_near(matrix, ours, rtol=1e-9, atol=0):
            raise NotYet("this is the matrix of section 7, where x moves with the new velocity, not with the old one")
        expect(f"a = {a:g}, h = {h}, epsilon = {epsilon}", matrix, right, within=1e-12)
    for a, epsilon in ((30.0, 1.0), (50.0, 0.1)):
        limit, semi_implicit = explicit_limit(a, epsilon), (np.sqrt(1 + 4 * a * epsilon) - 1) / a
        if is_near(limit, semi_implicit):
            raise NotYet("this is the limit of section 7, where x moves with the new velocity, not with the old one")
        expect(f"limit, a = {a:g}, epsilon = {epsilon}", limit, 1 / a, within=1e-9)
        print(f"  where x moves with the new velocity it is {semi_implicit:.4g}")


def exercise_4(digits_lost):
    """The largest of -Re r, in decimal digits."""
    for a in (0.0, 2.0, 50.0):
        lost = returned(digits_lost(a, 0.1), "digits_lost")
        root = np.sqrt(1 - 4 * a * 0.1 + 0j)
        slow, fast = (1 - root.real) / 0.2 / np.log(10), (1 + root.real) / 0.2 / np.log(10)
        require(np.ndim(lost) == 0 and np.isrealobj(lost), f"one real number is asked for, got {lost!r}")
        require(not np.isclose(lost, fast * np.log(10)), "that is the natural logarithm; digits are decimal")
        require(lost >= 0, "going back, e^(r t) becomes e^(-r t): errors grow")
        if a != 0 and np.isclose(lost, 1 / 0.1 / np.log(10)):
            raise NotYet(f"a = {a:g}: 1 / epsilon is right without force only; a spring takes part of the growth")
        require(slow == fast or not np.isclose(lost, slow), "this is the direction in which an error grows slower")
        expect(f"a = {a:g}", lost, fast, within=1e-9)
        h = 1e-4
        layer = np.array([[1 - h / 0.1 * h * a, h * (1 - h / 0.1)], [-h / 0.1 * a, 1 - h / 0.1]])
        print(f"  measured with 10,000 layers: {-np.log10(np.abs(np.linalg.eigvals(layer)).min()) / h:.3f}")


def exercise_5(symmetric_step):
    """Half a move, the velocity exactly, half a move; the error falls by 4 when the step is halved."""
    calls = []

    def force(x):
        calls.append(1)
        return 4 * x * (1 - x * x)

    x0 = np.array([[-1.5], [0.3], [0.7]])
    after = symmetric_step(x0.copy(), np.zeros_like(x0), force, 0.1, 0.5)
    require(isinstance(after, (tuple, list)) and len(after) == 2, "symmetric_step should return (x, u)")
    require(len(calls) == 1, f"f was evaluated {len(calls)} times in a step; once, between the two moves, is enough")

    exact = reference(lambda x, t: 4 * x * (1 - x * x), x0, 0.5)
    errors = []
    for depth in (16, 32, 64):
        x, u = x0.copy(), np.zeros_like(x0)
        for _ in range(depth):
            x, u = symmetric_step(x, u, force, 1 / depth, 0.5)
        errors.append(np.abs(x - exact.positions[-1]).max())
    order = np.log2(errors[-2] / errors[-1])
    print("errors at t = 1 with 16, 32, 64 layers:", ", ".join(f"{error:.3g}" for error in errors))
    require(order > 1.5, f"the order is {order:.2f}: is the velocity's decay exact, and each of the two moves h/2?")
    # where the force is constant, the whole step has a closed form
    x, u = symmetric_step(np.zeros(1), np.ones(1), lambda x: 0 * x + 3, 0.2, 0.5)
    decay = np.exp(-0.4)
    expect("u after a step, f = 3, h = 0.2, epsilon = 0.5", u, [3 - 2 * decay], within=1e-12)
    expect("x after it", x, [0.1 + 0.1 * (3 - 2 * decay)], within=1e-12)
    # the error is C h^2 (1 + c h^2), with c of the size of |f'| / eps, 46 at most: 0.045 at h = 1/32
    expect("the order", order, 2, within=0.05)
