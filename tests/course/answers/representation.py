"""Exercises of notebook 09: wrong answers with what is said of them, and right ones."""

import numpy as np

from mininet.experiments.linear_maps.linear_flow import preimage


def each_twice(path):
    difference = path[:, :, None] - path[:, None, :]
    return int(((difference > 0).any(axis=0) & (difference < 0).any(axis=0)).sum())


def between_layers_only(path):
    """Like section 6 of notebook 08, which misses pairs that are at the same place at a layer."""
    first, second = np.triu_indices(path.shape[1], 1)
    difference = path[:, first] - path[:, second]
    return int((difference[1:] * difference[:-1] < 0).any(axis=0).sum())


def number_of(angle, epsilon):
    return complex(preimage(np.exp(1j * angle), epsilon))


def of_number(m):
    return np.array([[m.real, -m.imag], [m.imag, m.real]])


WRONG = {
    1: [
        (lambda values: None, "nothing was returned"),
        (lambda values: np.mean(values**2), r"h\(x\) = 1 - x\^3: this is the loss of the constant 0"),
        (lambda values: np.mean(np.abs(values - values.mean())), r"h\(x\) = -x\^3: got"),
        (lambda values: np.mean((values - np.median(values)) ** 2), r"h\(x\) = exp"),
    ],
    2: [(each_twice, "each pair counts once"), (between_layers_only, "the outer two meet exactly at a layer")],
    3: [
        (lambda angle, epsilon: of_number(1j * angle), "this is the ResNet's theta"),
        (lambda angle, epsilon: of_number(number_of(angle, epsilon)).T, "rotates clockwise"),
        (lambda angle, epsilon: np.diag([number_of(angle, epsilon)] * 2), "theta is complex"),
    ],
}
