"""A training with everything that could make two runs differ: ``python few_steps.py FILE [FOLDER [KILLED]]``.

Convolutions, batch norm and dropout in exact arithmetic, augmented images that a thread prepares, Adam with a schedule,
batches large enough for the threads to share.  What comes out goes to FILE; with a FOLDER there is a checkpoint after
every step, the training goes on from what lies there, and kills itself in its KILLED'th step.
"""

import dataclasses
import os
import signal
import sys

import numpy as np

from mininet import MomentumNet, get_num_threads, manual_seed, nn, optim, seeding
from mininet.datasets import Batches, augmentation
from mininet.experiments.images import image_training
from mininet.kernels import threads
from mininet.training import Training

STEPS, EPOCHS, BATCH = 8, 2, 96


class Noted(Training):
    """Keeps the loss of each step, and may kill itself in the middle of one."""

    killed, losses = None, ()

    def _step(self, images, labels):
        before = self._loss
        super()._step(images, labels)
        self.losses = [*self.losses, self._loss - before]
        if len(self.losses) == self.killed:
            os.kill(os.getpid(), signal.SIGKILL)


def block():
    return nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.1))


def training(folder):
    manual_seed(7)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        MomentumNet([block(), block()], gamma=0.9, arithmetic="exact"),
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
    optimizer = optim.Adam(net.parameters(), 0.01)
    schedule = optim.CosineDecay(optimizer, STEPS, warmup=2)
    return Noted(net, optimizer, schedule, batches, tests, EPOCHS, folder, checkpoint_seconds=0, progress=False)


def main(path, folder=None, killed="0"):
    handed_over, hand_over = [], threads._hand_over
    threads._hand_over = lambda shares: (handed_over.append(len(shares)), hand_over(shares))
    one = training(folder)
    one.killed = int(killed)
    if folder:
        one.resume()
    one.run()
    found = {f"net {name}": array for name, array in one.net.state_dict().items()}
    found |= {f"optimizer {name}": array for name, array in one.optimizer.state_dict().items()}
    found["random"] = np.array(seeding.position(), np.uint64)
    found["history"] = np.array([dataclasses.astuple(epoch)[:4] for epoch in one.history])
    found["run: losses"] = np.array(one.losses)
    found["run: threads"] = np.array([get_num_threads(), max(handed_over, default=0)])
    np.savez(path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
