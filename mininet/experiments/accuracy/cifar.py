"""CIFAR-10, from JPEG copies: residual networks against momentum networks of the same blocks.

A stage of a ResNet-20 becomes two momentum layers, which saves hardly any memory.  A stage of a ResNet-38 becomes five,
which saves half: a step of 128 images takes 190 MiB instead of 361.

Three epochs choose the learning rate of 0.05, 0.1 and 0.2 for a ResNet-20 and each momentum network made of it; the
last 5,000 training images decide.  All three took 0.2.  Larger rates are not tried, so part of the lag of γ = 0.9 may
be the rate.  A ResNet-38 takes the same rates.  Then each network is trained for 12 epochs along a cosine, on all
training images, from 3 seeds.  Trainings store activations, which gives the same bits sooner.  The table has the memory
of a memory-free step where there is momentum, and the minutes of all seeds together, on one thread.

``mininet reproduce accuracy --data FOLDER --output FOLDER`` runs what is missing.  A training that was stopped goes on
from its checkpoint, and its minutes begin there.
"""

import dataclasses
import functools
import itertools
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from ...base.files import read_json
from ...datasets import Split
from ..claim import Options, Report
from ..images import image_training
from ..images.image_training import Settings
from ..step_memory import held_by_a_step
from . import equivalence, result
from .equivalence import Difference

NETWORKS, GAMMAS = ("resnet20", "resnet38"), (None, 0.5, 0.9)
"""Residual networks, and the gammas of the momentum networks made of them; None is the residual network itself."""
RATES, CHOOSING_EPOCHS, EPOCHS, SEEDS, VALIDATION = (0.05, 0.1, 0.2), 3, 12, range(3), 5000


def name(settings: Settings) -> str:
    """The training in words that can be a file's name."""
    gamma = "" if settings.gamma is None else f"-gamma{settings.gamma:g}"
    rest = f"rate{settings.learning_rate:g}-epochs{settings.epochs}-seed{settings.seed}"
    return f"{settings.dataset}-{settings.network}{gamma}-{rest}"


def train(
    settings: Settings, split: Split, folder: pathlib.Path, scored: str, progress: bool = False
) -> dict[str, Any]:  # fmt: skip
    """Read what one training gave from ``<name>.json``, or run it, from a checkpoint in ``<name>/``, and write that.

    `scored` says what the test images of `split` are, "validation" or "test".
    """
    path = folder / f"{name(settings)}.json"
    if path.exists():
        found: dict[str, Any] = read_json(path)
        return found
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    training = image_training.training(settings, split, folder / name(settings), progress=progress)
    images, labels = next(training.batches.of_epoch(0))
    memory_free = dataclasses.replace(settings, backprop=None)
    memory = held_by_a_step(functools.partial(image_training.network, memory_free, 10), images, labels)
    training.resume()
    history = training.run()
    by_epoch = [epoch.test_accuracy for epoch in history]
    more: dict[str, Any] = {f"{scored}_accuracy": by_epoch, scored: {"accuracy": by_epoch[-1]}}
    return result.write(path, settings, [epoch.loss for epoch in history], memory, start, **more)


def choosing(gamma: float | None) -> list[Settings]:
    """The trainings that choose the learning rate of networks with this gamma."""
    network = Settings(NETWORKS[0], gamma, backprop="stored", epochs=CHOOSING_EPOCHS)
    return [dataclasses.replace(network, learning_rate=rate) for rate in RATES]


class Results(result.Results):
    """What trainings on CIFAR-10 wrote into a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder, "cifar10", Settings)

    def final(self, network: str, gamma: float | None) -> list[Settings]:
        """The trainings of a network with the best rate, one for each seed; none while that is unknown."""
        best = self.best([each] for each in choosing(gamma))
        if best is None:
            return []
        return [dataclasses.replace(best[0], network=network, epochs=EPOCHS, seed=seed) for seed in SEEDS]

    def of(self, network: str, gamma: float | None) -> dict[int, dict[str, Any]]:
        """What these trainings gave, by seed."""
        return {each.seed: self[each] for each in self.final(network, gamma) if each in self}

    def compared(self, network: str, gamma: float) -> Difference | None:
        """A momentum network against the residual network of its blocks."""
        return equivalence.compared(self.of(network, gamma), self.of(network, None))


def trainings(folder: pathlib.Path) -> Iterator[tuple[Settings, str]]:
    """All trainings in their order, and which images score each; run each before you ask for the next."""
    for gamma in GAMMAS:
        yield from ((each, "validation") for each in choosing(gamma))
    found = Results(folder)
    for seed, network, gamma in itertools.product(SEEDS, NETWORKS, GAMMAS):
        yield found.final(network, gamma)[seed], "test"


def label(network: str, gamma: float | None) -> str:
    """The network's name for a reader."""
    residual = network.replace("resnet", "ResNet-")
    return residual if gamma is None else f"Momentum {residual}, γ = {gamma:g}"


def table(found: Results) -> str:
    """What is finished, as a text table."""
    rows = []
    for network, gamma in itertools.product(NETWORKS, GAMMAS):
        ours = list(found.of(network, gamma).values())
        rate = f"{ours[0]['settings']['learning_rate']:g}" if ours else ""
        about = network.removeprefix("resnet"), label(network, gamma), rate
        against = None if gamma is None else found.compared(network, gamma)
        rows.append(result.row(about, ours, len(SEEDS), against))
    return result.table(rows)


def reproduce(options: Options) -> Report:
    """Run the trainings that are missing if there are data, and compare."""
    folder = options.folder / "accuracy"
    if options.train and options.data is not None and not options.quick:
        split = image_training.load("cifar10", options.data)
        images, labels, *_ = split
        held_out = Split(images[:-VALIDATION], labels[:-VALIDATION], images[-VALIDATION:], labels[-VALIDATION:])
        for settings, scored in trainings(folder):
            train(settings, split if scored == "test" else held_out, folder, scored, options.progress)
    found = Results(folder)
    rivals = [
        (label(network, gamma), found.compared(network, gamma))
        for network, gamma in itertools.product(NETWORKS, GAMMAS)
        if gamma is not None
    ]
    known = [(name, difference) for name, difference in rivals if difference is not None]
    panels = {f"{EPOCHS} epochs of CIFAR-10": known} if known else {}
    choices = len(GAMMAS) * len(RATES)
    total = choices + len(NETWORKS) * len(GAMMAS) * len(SEEDS)
    done = f"{len(found)} of {total} trainings are finished; {choices} of the {total} choose rates."
    return Report(
        f"{table(found)}\n{done}  {found.trained()}",
        equivalence.claims(rivals, "the ResNet of the same blocks"),
        {"cifar10": equivalence.draw(panels, "Test accuracy minus the ResNet's (band: the margin)")},
        title="Photographs: CIFAR-10",
        found=f"On CIFAR-10 after {EPOCHS} epochs, against the ResNet of the same blocks, within one point: "
        f"{equivalence.in_words(rivals)}.",
    )
