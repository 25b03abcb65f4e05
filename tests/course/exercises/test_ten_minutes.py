"""Exercises of notebook 01: the mistakes that learners make are refused, with a message that names the matter."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import ten_minutes as exercises


def multiply(v, b, n, d, quotient=lambda v, d: int(v / d)):
    b, v = b * d + v % d, quotient(v, d)
    return v * n + b % n, b // n


def remainder_of_the_quotient(v, b, n, d):
    v = int(v / d)
    b = b * d + v % d
    return v * n + b % n, b // n


def test_product_like_c():
    exercises.exercise_1(multiply)
    exercises.exercise_1(lambda *state: list(multiply(*state)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda *state: multiply(*state, quotient=lambda v, d: v // d), "rounds down, as // does"),
        (remainder_of_the_quotient, "that of the old v"),
        (lambda *state: multiply(*state)[::-1], "some v >= 0 are lost"),
        (lambda *state: multiply(*state, quotient=lambda v, d: v // d if v > -9 else int(v / d)), "every negative v"),
        (lambda *state: multiply(*state)[0], "return .v, b., not 1"),
        (lambda *state: None, "returns nothing"),
    ],
)
def test_product_with_mistakes(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_1(answer)


def test_bits():
    exercises.exercise_2(lambda depth: depth * np.log2(50 * depth / (50 * depth - 1)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda depth: -np.log2(1 - 1 / (50 * depth)), "10 layers: .*that is one layer"),
        (lambda depth: -depth * np.log(1 - 1 / (50 * depth)), "10 layers: .*base 2"),
        (lambda depth: 1 / 50 / np.log(2), "10 layers: .*the approximation"),
        (lambda depth: depth * np.log2(1 - 1 / (50 * depth)), "10 layers is -0.0288"),
        (lambda depth: None, "10 layers: nothing was returned"),
        (lambda depth: "0.03", "is not made of numbers"),
    ],
)
def test_bits_with_mistakes(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_2(answer)


def positions(gamma, depth, push=None):
    x, v, passed = 1.0, 0.0, [1.0]
    for _ in range(depth):
        v = gamma * v - (1 - gamma if push is None else push) * x
        x = x + v
        passed.append(x)
    return passed


def test_positions():
    exercises.exercise_3(positions)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda gamma, depth: positions(gamma, depth)[1:], r"N \+ 1 numbers, for N = 3"),
        (lambda gamma, depth: positions(gamma, depth, push=1), "gamma = 0.5 at 1 is 0.0, and should be 0.5"),
        (lambda gamma, depth: positions(gamma, depth)[-1], "has shape"),
        (lambda gamma, depth: None, "gamma = 0: nothing was returned"),
    ],
)
def test_positions_with_mistakes(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_3(answer)
