"""A training of fifty steps with everything that could make two runs differ; ``python fifty_steps.py FILE [FOLDER]``.

Convolutions, batch norm and dropout in exact arithmetic, augmented images that a thread prepares, momentum SGD and Adam
with schedules, batches large enough for the threads to share.  What comes out goes to FILE; with a FOLDER there is a
checkpoint after every step, and the training goes on from what lies there.
"""

import dataclasses
import pathlib
import sys

import numpy as np

from mininet import MomentumNet, get_num_threads, manual_seed, nn, optim, seeding
from mininet.datasets import Batches, augmentation
from mininet.experiments import image_training
from mininet.kernels import threads
from mininet.training import Training

STEPS, EPOCHS, BATCH = 50, 5, 96
OPTIMIZERS = {
    "SGD": lambda parameters: optim.SGD(parameters, 0.05, momentum=0.9, nesterov=True, weight_decay=5e-4),
    "Adam": lambda parameters: optim.Adam(parameters, 0.01),
}


class Noted(Training):
    """Keeps the loss of each step."""

    def run(self):
        self.losses = []
        return super().run()

    def _step(self, images, labels):
        before = self._loss
        super()._step(images, labels)
        self.losses.append(self._loss - before)


def block():
    return nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.1))


def training(name, folder=None, backprop="reversible"):
    manual_seed(7)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        MomentumNet([block(), block()], gamma=0.9, arithmetic="exact", backprop=backprop),
        nn.GlobalAvgPool2d(),
        nn.Linear(16, 10),
    )
    split = image_training.load("digits")
    mean, deviation = augmentation.statistics(split.train_images)

    def prepared(images, random):
        return augmentation.normalized(augmentation.shifted(images, random, 1), mean, deviation)

    count = BATCH * STEPS // EPOCHS
    batches = Batches(
        split.train_images[:count], split.train_labels[:count], BATCH, seed=3, transform=prepared, prefetch=2
    )
    tests = Batches(split.test_images, split.test_labels, 90, shuffle=False, transform=prepared)
    optimizer = OPTIMIZERS[name](net.parameters())
    schedule = optim.CosineDecay(optimizer, STEPS, warmup=5)
    return Noted(net, optimizer, schedule, batches, tests, EPOCHS, folder, checkpoint_seconds=0, progress=False)


def outcome(done):
    """What must be equal: weights, running statistics, the optimiser's memory, random numbers, what was seen."""
    arrays = {f"net {name}": array for name, array in done.net.state_dict().items()}
    arrays |= {f"optimizer {name}": array for name, array in done.optimizer.state_dict().items()}
    arrays["random"] = np.array(seeding.position(), np.uint64)
    arrays["history"] = np.array([dataclasses.astuple(epoch)[:4] for epoch in done.history])
    return arrays


def main(path, folder=None):
    handed_over, hand_over = [], threads._hand_over
    threads._hand_over = lambda shares: (handed_over.append(len(shares)), hand_over(shares))
    found = {}
    for name in OPTIMIZERS:
        one = training(name, folder and pathlib.Path(folder, name))
        if folder:
            one.resume()
        one.run()
        found |= {f"{name}: {key}": array for key, array in outcome(one).items()}
        if not folder:
            found[f"{name}: losses"] = np.array(one.losses)
    threads._hand_over = hand_over
    np.savez(
        path, **found, **{"run: threads": get_num_threads(), "run: shares handed over": max(handed_over, default=0)}
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
