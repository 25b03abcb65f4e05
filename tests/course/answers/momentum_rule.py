"""Exercises of notebook 05: wrong answers with what is said of them, and right ones."""

import numpy as np


def weights_without_the_later_momenta(gammas):
    return np.append(np.prod(gammas), 1 - gammas)


def constant_push_from_rest(x0, v0, c, gamma, n):
    return x0 + n * c - c * gamma * (1 - gamma**n) / (1 - gamma), (1 - gamma**n) * c


def run_back(x, v, functions, gammas, order=reversed):
    for f, gamma in zip(order(functions), reversed(gammas), strict=True):
        v = (v - (1 - gamma) * f(x)) / gamma
        x = x - v
    return x, v


def run_back_position_first(x, v, functions, gammas):
    for f, gamma in zip(reversed(functions), reversed(gammas), strict=True):
        x = x - v
        v = (v - (1 - gamma) * f(x)) / gamma
    return x, v


WRONG = {
    1: [
        (lambda: (0.0, 0.5), r"x_0 to x_0 \+ 0.5 f"),  # merged by the ResNet, whose map is x - 2 x^3, near 0 and 0.7
        (lambda: (1.0, 1.0), "two different points"),
    ],
    2: [
        (weights_without_the_later_momenta, "weights for gamma = 0.5, 4 layers at 1 is 0.5, and should be 0.0625"),
        (lambda gammas: gammas[0] ** np.array([4, 4, 3, 2, 1]) if len(gammas) == 4 else np.ones(12), "13 weights"),
    ],
    3: [
        (constant_push_from_rest, "x_0 = 0.5, v_0 = -2.* v_n"),
        (lambda *_: None, "returns nothing"),
    ],
    4: [
        (run_back_position_first, "v moved after x"),
        (lambda *args: run_back(*args, order=list), "two layers: v_0"),
        (lambda *args: run_back(*args)[0], "two arrays"),
    ],
    5: [
        (lambda gamma, bits: int(bits / np.log(1 / gamma)), r"gamma = 0\.55, 24 bits"),
        (lambda gamma, bits: bits / np.log2(1 / gamma), r"gamma = 0\.55, 24 bits"),
        (lambda gamma, bits: int(bits / np.log2(1 / gamma)) + 1, r"gamma = 0\.55, 24 bits"),
        (lambda gamma, bits: bits // np.log2(1 / gamma), "a number of layers is an integer"),
    ],
    6: [
        (lambda gamma: 1 + gamma - 2 * np.sqrt(gamma), r"gamma = 0.25 is"),
        (lambda gamma: (1 + np.sqrt(gamma)) / (1 - np.sqrt(gamma)), r"gamma = 0.25 is"),  # where they stop to swing
    ],
}

RIGHT = [
    (6, lambda gamma: (1 + gamma - 2 * np.sqrt(gamma)) / (1 - gamma)),
]
