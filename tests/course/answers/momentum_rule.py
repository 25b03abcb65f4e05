"""Exercises of notebook 05: wrong answers with what is said of them, and right ones."""

import numpy as np


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
        (run_back_position_first, "v moved after x"),
        (lambda *args: run_back(*args, order=list), "two layers: v_0"),
        (lambda *args: run_back(*args)[0], "two arrays"),
    ],
    3: [
        (lambda gamma, bits: int(bits / np.log(1 / gamma)), r"gamma = 0\.55, 24 bits"),
        (lambda gamma, bits: bits / np.log2(1 / gamma), r"gamma = 0\.55, 24 bits"),
        (lambda gamma, bits: int(bits / np.log2(1 / gamma)) + 1, r"gamma = 0\.55, 24 bits"),
        (lambda gamma, bits: bits // np.log2(1 / gamma), "a number of layers is an integer"),
    ],
    4: [
        (lambda gamma: 1 + gamma - 2 * np.sqrt(gamma), r"gamma = 0.25: got"),
        (lambda gamma: (1 + np.sqrt(gamma)) / (1 - np.sqrt(gamma)), r"gamma = 0.25: got"),  # where they stop to swing
    ],
}

RIGHT = [(4, lambda gamma: (1 + gamma - 2 * np.sqrt(gamma)) / (1 - gamma))]
