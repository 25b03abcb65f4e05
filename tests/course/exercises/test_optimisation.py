"""Exercises of notebook 10: the mistakes that learners make are refused, with a message that names the matter."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import optimisation as exercises


def soft_threshold(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def slope(z, y, D):
    return (z @ D.T - y) @ D


def with_the_sign_of_zero(z, y, D, penalty):
    return np.abs(slope(z, y, D) + penalty * np.sign(z))


def by_a_wrong_sign(z, y, D, penalty):
    return np.where(
        z != 0, np.abs(slope(z, y, D) - penalty * np.sign(z)), np.maximum(np.abs(slope(z, y, D)) - penalty, 0)
    )


def without_revnets(kind, a, gamma):
    return 0 < a < 2 * (1 + gamma) / (1 - gamma)


def as_gradient_descent(kind, a, gamma):
    return kind != "revnet" and 0 < a < 2


def for_any_sign(kind, a, gamma):
    return kind != "revnet" and a < 2 * (1 + gamma) / (1 - gamma)


def test_predictions_are_compared_with_what_the_networks_do():
    ends = {case: exercises._end(*case) for case in exercises.CASES}
    assert {kind: [end < 1 for case, end in ends.items() if case[0] == kind] for kind in ("resnet", "momentum")} == {
        "resnet": [True, True, False, False],
        "momentum": [True, True, False, True, False],
    }
    for end in ends.values():  # all are settled
        assert end < 1e-8 or end > 1e8


def maps(J, gamma, push=None, move=None):
    one, zero = np.eye(len(J)), np.zeros_like(J)
    right = np.block([[one, zero], [(1 - gamma) * J, gamma * one]]), np.block([[one, one], [zero, one]])
    return push or right[0], move or right[1]


def without_damping(J, gamma):
    one, zero = np.eye(len(J)), np.zeros_like(J)
    return np.block([[one, zero], [J, gamma * one]]), maps(J, gamma)[1]


def rotating(period, factor=1, sign=-1):
    size = np.sqrt(2 * (1 - np.cos(factor * 2 * np.pi / period)))
    return sign * size, size


def heavy_ball(slowest, fastest):
    ratio = np.sqrt(fastest / slowest)
    q = (ratio - 1) / (ratio + 1)
    return q**2, (1 + q) ** 2 / ((1 - q**2) * fastest)


def gamma_for_its_root(slowest, fastest):
    gamma, s = heavy_ball(slowest, fastest)
    return np.sqrt(gamma), s


WRONG = {
    exercises.exercise_1: [
        (lambda w, t: None, "returns nothing"),
        (soft_threshold, "negative: not allowed"),
        (lambda w, t: np.where(w > t, w, 0), r"t = 0.5 at \(1, 1\) is 0.8, and should be 0.3"),
    ],
    exercises.exercise_2: [
        (with_the_sign_of_zero, "where z is 0"),
        (by_a_wrong_sign, "where z is not 0"),
        (lambda *arguments: by_a_wrong_sign(*arguments).max(axis=1), r"has shape \(4,\)"),
    ],
    exercises.exercise_3: [
        (lambda kind, a, gamma: "yes", "True or False"),
        (without_revnets, "2 of 12 predictions are wrong: a RevNet's determinant is 1"),
        (as_gradient_descent, r"3 of 12 predictions are wrong: a momentum layer's p\(1\) and p\(-1\)"),
        (for_any_sign, "2 of 12 predictions are wrong: a ResNet's layer is 1 - a.*; a momentum layer's"),
    ],
    exercises.exercise_4: [
        (lambda J, gamma: maps(J, gamma)[0], "two arrays"),
        (lambda J, gamma: maps(J, gamma)[::-1], "rows of push that give the new x"),
        (without_damping, r"rows of push that give the new v .* gamma v \+ \(1 - gamma\) J x"),
    ],
    exercises.exercise_5: [
        (lambda period: rotating(period, sign=1), "the trace is 2 .*, and should be 2 cos"),
        (
            lambda period: rotating(period, factor=2 if period == 6 else 1),
            r"back before 6 layers are over, after 3 already",
        ),
        (lambda period: (np.nan, 1.0), "away from where they started"),
    ],
    exercises.exercise_6: [
        (lambda slowest, fastest: (1.0, 1.0), r"gamma must be in \[0, 1\)"),
        (lambda slowest, fastest: (0.0, 2 / (slowest + fastest)), "0.81818 is possible"),  # the best ResNet
        (gamma_for_its_root, "inside the complex case"),
        (lambda slowest, fastest: (heavy_ball(slowest, fastest)[0], 1 / fastest), "inside the complex case"),
    ],
}


@pytest.mark.parametrize(
    ("exercise", "answer", "message"), [(exercise, *row) for exercise, rows in WRONG.items() for row in rows]
)
def test_wrong_answers(exercise, answer, message):
    with pytest.raises(NotYet, match=message):
        exercise(answer)


def test_right_answers():
    exercises.exercise_6(heavy_ball)
