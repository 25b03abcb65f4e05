"""Exercises of notebook 08: wrong answers with what is said of them, and right ones."""

import numpy as np


def frequency(a, epsilon):
    return np.sqrt(4 * a * epsilon - 1) / (2 * epsilon)


def negative_branch(a, epsilon):
    if 4 * a * epsilon <= 1:
        return np.inf
    return -np.arctan(2 * epsilon * frequency(a, epsilon)) / frequency(a, epsilon)


def quarter_of_a_period(a, epsilon):
    return np.inf if 4 * a * epsilon <= 1 else np.pi / 2 / frequency(a, epsilon)


def rates(a, epsilon):
    root = np.sqrt(1 - 4 * a * epsilon + 0j)
    return (1 - root) / (2 * epsilon), (1 + root) / (2 * epsilon)


WRONG = {
    1: [
        (lambda gamma: gamma, "less inertia"),
        (lambda gamma: np.sqrt(gamma), "less inertia"),
        (lambda gamma: 1 - 2 * (1 - gamma), "gamma 0.0: got -1.0, should be 0.5"),
    ],
    2: [
        (lambda a, epsilon: 0.5, "overdamped.* should be inf"),
        (negative_branch, "take the next branch"),
        (quarter_of_a_period, r"where cos\(w t\) = 0"),
    ],
    3: [
        (lambda a, epsilon: rates(a, epsilon)[1].real, "natural logarithm"),
        (lambda a, epsilon: -rates(a, epsilon)[1].real / np.log(10), "errors grow"),
        (lambda a, epsilon: rates(a, epsilon)[0].real / np.log(10), "grows slower"),
        (lambda a, epsilon: 1 / epsilon / np.log(10), "a = 2: 1 / epsilon is right without force only"),
    ],
}
