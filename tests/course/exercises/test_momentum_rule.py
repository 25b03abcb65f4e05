"""What learners get wrong about the momentum rule, and what they are told."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import momentum_rule


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ((0.0, 0.5), "x_0 to x_0 \\+ 0.5 f"),  # merged by the ResNet, whose map is x - 2 x^3, near 0 and 0.7
        ((1.0, 1.0), "two different points"),
    ],
)
def test_merged_points(points, message):
    with pytest.raises(NotYet, match=message):
        momentum_rule.exercise_1(lambda: points)


def weights_without_the_later_momenta(gammas):
    return np.append(np.prod(gammas), 1 - gammas)


def weights_for_equal_momenta(gammas):
    powers = gammas[0] ** np.arange(len(gammas) + 1)[::-1]
    return np.append(powers[0], (1 - gammas[0]) * powers[1:])


def constant_push_from_rest(x0, v0, c, gamma, n):
    return x0 + n * c - c * gamma * (1 - gamma**n) / (1 - gamma), (1 - gamma**n) * c


def constant_push_summed_from_v0(x0, v0, c, gamma, n):
    """v_0 + ... + v_{n-1} in place of v_1 + ... + v_n."""
    return x0 + n * c + (v0 - c) * (1 - gamma**n) / (1 - gamma), c + gamma**n * (v0 - c)


def run_back(x, v, functions, gammas, order=reversed, gammas_order=reversed):
    for f, gamma in zip(order(functions), gammas_order(gammas), strict=True):
        v = (v - (1 - gamma) * f(x)) / gamma
        x = x - v
    return x, v


def run_back_position_first(x, v, functions, gammas):
    for f, gamma in zip(reversed(functions), reversed(gammas), strict=True):
        x = x - v
        v = (v - (1 - gamma) * f(x)) / gamma
    return x, v


@pytest.mark.parametrize(
    "answer",
    [
        lambda gamma, bits: int(bits / np.log(1 / gamma)),
        lambda gamma, bits: bits / np.log2(1 / gamma),
        lambda gamma, bits: int(bits / np.log2(1 / gamma)) + 1,
    ],
)
def test_layers_until_lost(answer):
    with pytest.raises(NotYet, match=r"gamma = 0\.55, 24 bits"):
        momentum_rule.exercise_5(answer)


def test_layers_are_whole():
    with pytest.raises(NotYet, match="a number of layers is an integer"):
        momentum_rule.exercise_5(lambda gamma, bits: bits // np.log2(1 / gamma))


@pytest.mark.parametrize(
    "answer",
    [
        lambda gamma: 1 + gamma - 2 * np.sqrt(gamma),
        lambda gamma: (1 + np.sqrt(gamma)) / (1 - np.sqrt(gamma)),  # the other end, where they stop to swing
    ],
)
def test_weakest_spring(answer):
    with pytest.raises(NotYet, match=r"gamma = 0.25 is"):
        momentum_rule.exercise_6(answer)


WRONG = {
    momentum_rule.exercise_2: [
        (weights_without_the_later_momenta, "weights for gamma = 0.5, 4 layers at 1 is 0.5, and should be 0.0625"),
        (lambda gammas: gammas[0] ** np.array([4, 4, 3, 2, 1]) if len(gammas) == 4 else np.ones(12), "13 weights"),
        (weights_for_equal_momenta, "12 different gammas"),
    ],
    momentum_rule.exercise_3: [
        (constant_push_from_rest, "x_0 = 0.5, v_0 = -2.* v_n"),
        (constant_push_summed_from_v0, "n = 0 to 12: x_n at 1"),
        (lambda *_: None, "returns nothing"),
    ],
    momentum_rule.exercise_4: [
        (run_back_position_first, "v moved after x"),
        (lambda *args: run_back(*args, order=list), "two layers: v_0"),
        (lambda *args: run_back(*args, gammas_order=list), "two layers: v_0"),
        (lambda *args: run_back(*args)[0], "two arrays"),
    ],
}


@pytest.mark.parametrize(
    ("exercise", "answer", "message"), [(exercise, *row) for exercise, rows in WRONG.items() for row in rows]
)
def test_wrong_answers(exercise, answer, message):
    with pytest.raises(NotYet, match=message):
        exercise(answer)


def test_right_answers():
    momentum_rule.exercise_6(lambda gamma: (1 + gamma - 2 * np.sqrt(gamma)) / (1 - gamma))
