"""An exchange of gamma (the paper's figure 6): networks trained with one gamma are tested with another.

First as they are, then after a short refit of all weights.  On CIFAR-10, between gamma = 0 and nearly 1, the paper's
accuracy falls from 95 % to 92.5-93.7 %, and a refit of 20 epochs, after 220 of training, restores it.  In our small
network for digits all layers but the first convolution have momentum, so it falls further.  The refit takes one epoch,
after five of training.
"""

import dataclasses

import numpy as np
from tqdm import tqdm

from ... import optim, seeding
from ...datasets import Batches, digits
from ..digits import accuracy, check_inversion, digits_network, loss_and_gradients


@dataclasses.dataclass(frozen=True)
class Settings:
    """Networks and training, as in `compare` but for smaller batches: an epoch of refitting has 90 steps."""

    gammas: tuple = (0.0, 0.5, 0.8, 0.9)
    depth: int = 10
    width: int = 16
    epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 0.1
    refit_rate: float = 0.01
    seeds: int = 3


def make_network(settings, gamma, seed, weights=None):
    """A momentum network for digits.  Activations are stored, as gamma = 0 asks for; the bits are the same."""
    with seeding.rewound((seed, 0)):
        net = digits_network(settings.depth, settings.width, gamma, "exact", "stored")
    if weights is not None:
        net.load_state_dict(weights)
    return net


def train(net, batches, epochs, learning_rate):
    """Train for some epochs as in `compare`; of several, the learning rate rises in the first."""
    optimizer = optim.SGD(net.parameters(), learning_rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = optim.CosineDecay(optimizer, epochs * len(batches), len(batches) - 1 if epochs > 1 else 0)
    net.train()
    for _ in range(epochs):
        for images, labels in batches:
            loss_and_gradients(net, images, labels)
            optimizer.step()
            schedule.step()


def drift(net, images):
    """The largest error of x_n and v_n, for n = 0, ..., depth, when the momentum layers are run back in floats."""
    report = check_inversion(net, images, "float")
    return np.maximum(report.position_errors, report.velocity_errors)


@dataclasses.dataclass(frozen=True)
class Exchange:
    """Test accuracies (seeds, gammas, gammas), and the drift of the trained networks."""

    gammas: tuple
    before: np.ndarray  # trained with the first gamma, tested with the second
    after: np.ndarray  # after an epoch of refitting with the second gamma
    drift: dict  # (seeds, depth + 1) by gamma, where it is above 0

    @property
    def loss_after(self):
        """By how much networks are worse after refitting than those trained with that gamma; means over seeds."""
        before, after = self.before.mean(axis=0), self.after.mean(axis=0)
        return np.diag(before) - after


def exchange(settings, progress=False):
    """Train with each gamma, test and refit with each; for several seeds."""
    data, count = digits(), len(settings.gammas)
    before, after = np.zeros((2, settings.seeds, count, count))
    errors = {gamma: [] for gamma in settings.gammas if gamma > 0}
    with tqdm(total=settings.seeds * count * (1 + count), desc="role of gamma", disable=not progress) as bar:
        for seed in range(settings.seeds):
            for row, trained in enumerate(settings.gammas):
                batches = Batches(data.train_images, data.train_labels, settings.batch_size, seed)
                net = make_network(settings, trained, seed)
                train(net, batches, settings.epochs, settings.learning_rate)
                bar.update()
                if trained > 0:
                    errors[trained].append(drift(net, data.test_images[:64]))
                for column, tested in enumerate(settings.gammas):
                    batches.epoch = settings.epochs
                    other = make_network(settings, tested, seed, net.state_dict())
                    before[seed, row, column] = accuracy(other, data.test_images, data.test_labels)
                    train(other, batches, 1, settings.refit_rate)
                    after[seed, row, column] = accuracy(other, data.test_images, data.test_labels)
                    bar.update()
    return Exchange(settings.gammas, before, after, {gamma: np.array(each) for gamma, each in errors.items()})
