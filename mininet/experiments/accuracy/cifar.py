"""CIFAR-10, from JPEG copies: residual networks against momentum networks of the same blocks.

A stage of a ResNet-20 becomes two momentum layers, which saves hardly any memory.  A stage of a ResNet-38 becomes five,
which saves half: a step of 128 images takes 190 MiB instead of 361.  We choose the learning rate of a ResNet-20, and of
each momentum network made of it, from 0.05, 0.1 and 0.2, by 3 epochs and the last 5,000 training images.  A ResNet-38
takes the same rates.  Then we train for 12 epochs along a cosine, on all training images, from 3 seeds.  Trainings
store activations, which gives the same bits sooner; memory is that of a memory-free step.  Minutes are those of all
seeds together, on one thread.

``mininet reproduce accuracy --data FOLDER --output FOLDER`` runs what is missing.  A training that was stopped goes on
from its checkpoint.
"""

import dataclasses
import functools
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
from .result import Results

NETWORKS: list[tuple[str, float | None]] = [
    ("resnet20", None), ("resnet20", 0.5), ("resnet20", 0.9), ("resnet38", None), ("resnet38", 0.5), ("resnet38", 0.9),
]  # fmt: skip
"""Residual networks, and the momentum networks that a gamma makes of them."""
RATES, CHOOSING_EPOCHS, EPOCHS, SEEDS, VALIDATION = (0.05, 0.1, 0.2), 3, 12, range(3), 5000


def name(settings: Settings) -> str:
    """The training in words that can be a file's name."""
    gamma = "" if settings.gamma is None else f"-gamma{settings.gamma:g}" + "-learned" * settings.learned_velocity
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
    """The trainings of ResNet-20, or of the momentum network made of it, that choose the learning rate."""
    return [Settings(gamma=gamma, backprop="stored", learning_rate=rate, epochs=CHOOSING_EPOCHS) for rate in RATES]


def final(network: str, gamma: float | None, found: Results) -> list[Settings]:
    """The trainings of a network with its best rate, one for each seed; none while that is unknown."""
    best = found.best([each] for each in choosing(gamma))
    return [dataclasses.replace(best[0], network=network, epochs=EPOCHS, seed=seed) for seed in SEEDS] if best else []


def trainings(folder: pathlib.Path) -> Iterator[tuple[Settings, str]]:
    """All trainings in their order, and which images score each."""
    for network, gamma in NETWORKS:
        yield from ((each, "validation") for each in choosing(gamma) if each.network == network)
    found = Results(folder, "cifar10", Settings)
    for seed in SEEDS:
        yield from ((final(*each, found)[seed], "test") for each in NETWORKS)


def in_words(network: str, gamma: float | None) -> str:
    """The network's name for a reader."""
    name = network.replace("resnet", "ResNet-")
    return name if gamma is None else f"Momentum {name}, γ = {gamma:g}"


def by_seed(network: str, gamma: float | None, found: Results) -> dict[int, dict[str, Any]]:
    """What the trainings of a network with its best rate gave."""
    return {each.seed: found[each] for each in final(network, gamma, found) if each in found}


def against(network: str, gamma: float | None, found: Results) -> Difference | None:
    """A momentum network against the residual network of its blocks."""
    return equivalence.compared(by_seed(network, gamma, found), by_seed(network, None, found))


def table(found: Results) -> str:
    """What is finished, as a text table."""
    rows = []
    for network, gamma in NETWORKS:
        ours = list(by_seed(network, gamma, found).values())
        rate = f"{ours[0]['settings']['learning_rate']:g}" if ours else ""
        about = network.removeprefix("resnet"), in_words(network, gamma), rate
        rows.append(result.row(about, ours, len(SEEDS), None if gamma is None else against(network, gamma, found)))
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
    found = Results(folder, "cifar10", Settings)
    rivals = [(in_words(*each), against(*each, found)) for each in NETWORKS if each[1] is not None]
    known = [(words, difference) for words, difference in rivals if difference is not None]
    panels = {f"{EPOCHS} epochs of CIFAR-10": known} if known else {}
    total = len(SEEDS) * len(NETWORKS) + len(RATES) * sum(network == "resnet20" for network, _ in NETWORKS)
    return Report(
        f"{table(found)}\n{len(found)} of {total} trainings are finished.  {found.trained()}",
        equivalence.claims(rivals, "the ResNet of the same blocks on CIFAR-10"),
        {"cifar10": equivalence.draw(panels, "Test accuracy minus the ResNet's (band: the margin)")},
        title="Photographs: CIFAR-10",
        found=f"On CIFAR-10 after {EPOCHS} epochs, against the ResNet of the same blocks, within one point: "
        f"{equivalence.in_words(rivals)}.",
    )
