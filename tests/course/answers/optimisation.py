"""Exercises of notebook 10: wrong answers with what is said of them, and right ones."""

import numpy as np


def soft_threshold(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def without_revnets(kind, a, gamma):
    return 0 < a < 2 * (1 + gamma) / (1 - gamma)


def as_gradient_descent(kind, a, gamma):
    return kind != "revnet" and 0 < a < 2


def for_any_sign(kind, a, gamma):
    return kind != "revnet" and a < 2 * (1 + gamma) / (1 - gamma)


def maps(J, gamma):
    one, zero = np.eye(len(J)), np.zeros_like(J)
    return np.block([[one, zero], [(1 - gamma) * J, gamma * one]]), np.block([[one, one], [zero, one]])


def without_damping(J, gamma):
    one, zero = np.eye(len(J)), np.zeros_like(J)
    return np.block([[one, zero], [J, gamma * one]]), maps(J, gamma)[1]


WRONG = {
    1: [
        (soft_threshold, "negative: not allowed"),
        (lambda w, t: np.where(w > t, w, 0), r"t = 0.5 at \(1, 1\): got 0.8, should be 0.3"),
    ],
    2: [
        (lambda kind, a, gamma: "yes", "True or False"),
        (without_revnets, "2 of 12 predictions are wrong: a RevNet's determinant is 1"),
        (as_gradient_descent, r"3 of 12 predictions are wrong: a momentum layer's p\(1\) and p\(-1\)"),
        (for_any_sign, "2 of 12 predictions are wrong: a ResNet's layer is 1 - a.*; a momentum layer's"),
    ],
    3: [
        (lambda J, gamma: maps(J, gamma)[0], "two arrays"),
        (lambda J, gamma: maps(J, gamma)[::-1], "rows of push that give the new x"),
        (without_damping, r"rows of push that give the new v .* gamma v \+ \(1 - gamma\) J x"),
    ],
}
