"""Exercises of notebook 08: the mistakes that learners make are refused, with a message that names the matter."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import second_order as exercises


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda gamma: None, "returns nothing"),
        (lambda gamma: gamma, "less inertia"),
        (lambda gamma: np.sqrt(gamma), "less inertia"),
        (lambda gamma: 1 - 2 * (1 - gamma), "gamma 0.0 is -1.0, and should be 0.5"),
    ],
)
def test_gamma_when_twice_as_deep(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_1(answer)


def frequency(a, epsilon):
    return np.sqrt(4 * a * epsilon - 1) / (2 * epsilon)


def negative_branch(a, epsilon):
    if 4 * a * epsilon <= 1:
        return np.inf
    return -np.arctan(2 * epsilon * frequency(a, epsilon)) / frequency(a, epsilon)


def quarter_of_a_period(a, epsilon):
    return np.inf if 4 * a * epsilon <= 1 else np.pi / 2 / frequency(a, epsilon)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda a, epsilon: None, "nothing was returned"),
        (lambda a, epsilon: 0.5, "overdamped.* should be inf"),
        (negative_branch, "take the next branch"),
        (quarter_of_a_period, r"where cos\(w t\) = 0"),
    ],
)
def test_first_zero(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_2(answer)


def explicit_matrix(a, h, epsilon):
    return np.array([[1, h], [-h * a / epsilon, 1 - h / epsilon]])


def semi_implicit_matrix(a, h, epsilon):
    return np.array([[1 - h / epsilon * h * a, h * (1 - h / epsilon)], [-h / epsilon * a, 1 - h / epsilon]])


@pytest.mark.parametrize(
    ("matrix", "limit", "message"),
    [
        (lambda a, h, epsilon: None, lambda a, epsilon: 1 / a, "nothing was returned"),
        (semi_implicit_matrix, lambda a, epsilon: 1 / a, "the matrix of section 7"),
        (lambda *arguments: explicit_matrix(*arguments).T, lambda a, epsilon: 1 / a, r"at \(0, 1\) is"),
        (explicit_matrix, lambda a, epsilon: 2 / a, "limit, .* is 0.066.*, and should be 0.033"),
        (explicit_matrix, lambda a, epsilon: (np.sqrt(1 + 4 * a * epsilon) - 1) / a, "the limit of section 7"),
    ],
)
def test_explicit_euler(matrix, limit, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_3(matrix, limit)


def rates(a, epsilon):
    root = np.sqrt(1 - 4 * a * epsilon + 0j)
    return (1 - root) / (2 * epsilon), (1 + root) / (2 * epsilon)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda a, epsilon: None, "returns nothing"),
        (lambda a, epsilon: rates(a, epsilon)[1] / np.log(10), "one real number"),
        (lambda a, epsilon: rates(a, epsilon)[1].real, "natural logarithm"),
        (lambda a, epsilon: -rates(a, epsilon)[1].real / np.log(10), "errors grow"),
        (lambda a, epsilon: rates(a, epsilon)[0].real / np.log(10), "grows slower"),
        (lambda a, epsilon: 1 / epsilon / np.log(10), "a = 2: 1 / epsilon is right without force only"),
    ],
)
def test_digits_lost(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_4(answer)


def as_in_the_notebook(x, u, f, h, epsilon):
    u = u + h / epsilon * (f(x) - u)
    return x + h * u, u


def whole_moves(x, u, f, h, epsilon):
    x = x + h * u
    u = f(x) + (u - f(x)) * np.exp(-h / epsilon)
    return x, u


def not_exact(x, u, f, h, epsilon):
    x = x + h / 2 * u
    u = u + h / epsilon * (f(x) - u)
    return x + h / 2 * u, u


def two_half_steps(x, u, f, h, epsilon):
    u = u + h / 2 / epsilon * (f(x) - u)
    x = x + h * u
    return x, u + h / 2 / epsilon * (f(x) - u)


def midpoint_of_u(x, u, f, h, epsilon):
    """Of order 2 as well, but not what is asked for."""
    x = x + h / 2 * u
    u = (u * (1 - h / 2 / epsilon) + h / epsilon * f(x)) / (1 + h / 2 / epsilon)
    return x + h / 2 * u, u


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x, u, f, h, epsilon: None, r"should return \(x, u\)"),
        (lambda x, u, f, h, epsilon: x + h * u, r"should return \(x, u\)"),
        (as_in_the_notebook, "each of the two moves h/2"),
        (whole_moves, "evaluated 2 times"),
        (not_exact, "is the velocity's decay exact"),
        (two_half_steps, "evaluated 2 times"),
        (midpoint_of_u, "u after a step"),
    ],
)
def test_symmetric_step(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_5(answer)
