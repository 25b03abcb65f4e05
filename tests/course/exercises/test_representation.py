"""Exercises of notebook 09: the mistakes that learners make are refused, with a message that names the matter."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import representation as exercises
from mininet.experiments.linear_flow import lowest_value, preimage


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda values: None, "nothing was returned"),
        (lambda values: np.mean(values**2), r"h\(x\) = 1 - x\^3: this is the loss of the constant 0"),
        (lambda values: np.mean(np.abs(values - values.mean())), r"h\(x\) = -x\^3 is"),
        (lambda values: np.mean((values - np.median(values)) ** 2), r"h\(x\) = exp"),
        (lambda values: np.sum((values - values.mean()) ** 2), r"h\(x\) = -x\^3 is"),
    ],
)
def test_best_increasing_loss(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_1(answer)


def each_twice(path):
    difference = path[:, :, None] - path[:, None, :]
    return int(((difference > 0).any(axis=0) & (difference < 0).any(axis=0)).sum())


def at_the_end_only(path):
    first, second = np.triu_indices(path.shape[1], 1)
    return int(np.sum((path[0, first] < path[0, second]) != (path[-1, first] < path[-1, second])))


def neighbours_only(path):
    signs = np.sign(np.diff(path, axis=1))
    return int(((signs > 0).any(axis=0) & (signs < 0).any(axis=0)).sum())


def every_change(path):
    first, second = np.triu_indices(path.shape[1], 1)
    signs = np.sign(path[:, first] - path[:, second])
    return int((signs[1:] * signs[:-1] < 0).sum())


def between_layers_only(path):
    """Like section 6 of notebook 08, which misses pairs that are at the same place at a layer."""
    first, second = np.triu_indices(path.shape[1], 1)
    difference = path[:, first] - path[:, second]
    return int((difference[1:] * difference[:-1] < 0).any(axis=0).sum())


def meeting_counts(path):
    first, second = np.triu_indices(path.shape[1], 1)
    return int((path[:, first] >= path[:, second]).any(axis=0).sum())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda path: None, "nothing was returned"),
        (each_twice, "each pair counts once"),
        (at_the_end_only, "cross back is 0, and should be 1"),
        (neighbours_only, "reverse order is 2, and should be 3"),
        (every_change, "cross back is 2|cross back: 2"),
        (between_layers_only, "the outer two meet exactly at a layer"),
        (meeting_counts, "meet at the last layer only is 1, and should be 0"),
    ],
)
def test_crossings(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_2(answer)


MOMENTUM, RESNET = [True, False, True, False, False, True, True], [False, False, True, False, False, True, False]


@pytest.mark.parametrize(
    ("momentum", "resnet", "message"),
    [
        ([None] * 7, [None] * 7, "momentum: True or False"),
        ([True, False], RESNET, "momentum should have 7"),
        (None, RESNET, "momentum should have 7"),
        ([True, False, False, False, False, True, True], RESNET, r"momentum: look again at diag\(-2, -2\);"),
        (MOMENTUM, MOMENTUM, r"resnet: look again at diag\(1, -0.5\), diag\(1, 0\);"),
        ([True, False, True, False, True, True, True], RESNET, r"momentum: look again at diag\(-2, -3\);"),
    ],
)
def test_predictions(momentum, resnet, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_3(momentum, resnet)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n, epsilon: None, "nothing was returned"),
        (lambda n, epsilon: -1 / lowest_value(epsilon), "in 2 dimensions the eigenvalue -1 occurs an even number"),
        (lambda n, epsilon: 1.0, "1 dimensions, epsilon = 1.0 is 1.0"),
        (lambda n, epsilon: 1.0 if n % 2 == 0 else 1 / lowest_value(epsilon), "is -1.6"),
        (lambda n, epsilon: 1.0 if n % 2 == 0 else -lowest_value(epsilon), "is 0.6"),
    ],
)
def test_factor_for_minus_one(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_4(answer)


def number_of(angle, epsilon):
    return complex(preimage(np.exp(1j * angle), epsilon))


def of_number(m):
    return np.array([[m.real, -m.imag], [m.imag, m.real]])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda angle, epsilon: None, "nothing was returned"),
        (lambda angle, epsilon: of_number(1j * angle), "this is the ResNet's theta"),
        (lambda angle, epsilon: of_number(number_of(angle, epsilon)).T, "rotates clockwise"),
        (lambda angle, epsilon: np.diag([number_of(angle, epsilon)] * 2), "theta is complex"),
        (lambda angle, epsilon: number_of(angle, epsilon), "has the shape"),
        (lambda angle, epsilon: number_of(angle, epsilon).real * np.eye(2), "angle 0.5, epsilon = 1.0 at"),
    ],
)
def test_theta_for_rotation(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_5(answer)


def blocks(slopes, gamma, x_by_x, x_by_v):
    one = np.eye(len(slopes))
    return np.block([[x_by_x, x_by_v], [(1 - gamma) * slopes, gamma * one]])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda slopes, gamma: None, "returns nothing"),
        (lambda slopes, gamma: blocks(slopes, gamma, np.eye(len(slopes)), gamma * np.eye(len(slopes))), "in two ways"),
        (lambda slopes, gamma: blocks(slopes, gamma, np.eye(len(slopes)), np.eye(len(slopes))), "new velocity"),
        (lambda slopes, gamma: np.eye(len(slopes)) + slopes, "has shape"),
        (
            lambda slopes, gamma: blocks(
                slopes.T, gamma, np.eye(len(slopes)) + (1 - gamma) * slopes.T, gamma * np.eye(len(slopes))
            ),
            r"d = 2, .* at \(0, 1\) is",
        ),
    ],
)
def test_layer_jacobian(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_6(answer)
