"""Exercises of notebook 08, The second-order ODE."""

import numpy as np

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


def exercise_3(digits_lost):
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
