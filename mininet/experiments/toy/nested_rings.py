"""Nested rings in the plane, and how networks are trained to separate them: what `rings` looks at."""

import dataclasses
import statistics

import numpy as np

from ...autodiff import Tensor, no_grad
from ...autodiff import functional as F
from ...nn import Linear, Sequential
from . import networks

STEPS = {2: 500, 4: 2000}
"""Of training, by the number of rings."""

LEARNING_RATES = {"ResNet": (0.01, 0.02, 0.04), "Momentum ResNet": (0.1,)}
"""By rival; the one with the best median accuracy counts."""

POINTS, TEST_POINTS, SEEDS = 250, 5000, 5
UNSEEN = 1_000_000
"""The seed of points that no training has seen."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained network, followed by a linear layer."""

    model: Sequential
    accuracy: float
    least_determinant: float | None  # of I + df/dx at the test points, for a ResNet: negative where it folds


@dataclasses.dataclass(frozen=True)
class Result:
    """The runs of one rival on one task, a `Run` for each seed, with the learning rate that was best."""

    learning_rate: float
    runs: tuple

    @property
    def accuracies(self):
        """One for each seed."""
        return [run.accuracy for run in self.runs]

    @property
    def median(self):
        """Of the accuracies."""
        return statistics.median(self.accuracies)

    def __str__(self):
        return f"{self.median:.4f} ({min(self.accuracies):.4f} to {max(self.accuracies):.4f})"


def sample(rings, points, random):
    """Points (rings * points, 2) on rings of radius 3 (0.5 k + 0.2 u), in float32, and labels, 0 and 1 in turn."""
    number = np.arange(1, rings + 1)[:, None]
    radius = 3 * (0.5 * number + 0.2 * random.random((rings, points)))
    angle = 2 * np.pi * random.random((rings, points))
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return x.reshape(-1, 2).astype(np.float32), np.repeat(np.arange(rings) % 2, points)


def train(rings, name, learning_rate, steps, seed=0, progress=None):
    """A "ResNet" or "Momentum ResNet" with a linear layer at its end, trained on fresh points; see `networks.train`."""
    gamma = 0 if name == "ResNet" else networks.GAMMA
    model = networks.drawn_from(seed, lambda: Sequential(networks.network(2, gamma), Linear(2, 2)))

    def loss_of_fresh_points(model, random):
        x, labels = sample(rings, POINTS, random)
        return F.cross_entropy(model(Tensor(x)), labels)

    networks.train(model, loss_of_fresh_points, learning_rate, steps, seed, progress)
    return model


def classify(model, x):
    """The class of each point, 0 or 1."""
    with no_grad():
        return model(Tensor(x.astype(np.float32))).data.argmax(axis=-1)


def examine(model, rings):
    """The `Run` of a trained model, on points of its own."""
    x, labels = sample(rings, TEST_POINTS, np.random.default_rng(UNSEEN))
    determinant = None
    if not hasattr(model[0], "gamma"):
        passed = model[0].trajectory(x[::10])
        determinant = float(np.linalg.det(networks.layer_jacobians(model[0].functions[0], passed[:-1])).min())
    return Run(model, float(np.mean(classify(model, x) == labels)), determinant)


def compare(rings, steps, learning_rates=None, seeds=SEEDS, progress=False):
    """Train both rivals from several seeds with each of their learning rates; the best `Result` by name."""
    found = {}
    for name, choices in (learning_rates or LEARNING_RATES).items():
        tried = []
        for choice in choices:
            label = f"{rings} rings, {name}, learning rate {choice:g}" if progress else None
            models = (train(rings, name, choice, steps, seed, label) for seed in range(seeds))
            tried.append(Result(choice, tuple(examine(model, rings) for model in models)))
        found[name] = max(tried, key=lambda result: result.median)
    return found
