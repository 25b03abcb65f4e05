"""CIFAR-10, from JPEG copies: a ResNet-20 against momentum networks of the same blocks.

The learning rate of each network is chosen from three in 3 epochs, on the last 5,000 training images.  Then it is
trained for 12 epochs along a cosine, on all training images, from 3 seeds.  A stage has two momentum layers.  These are
135 epochs.  Trainings store activations, which gives the same bits sooner; memory is that of a memory-free step.
``mininet reproduce accuracy --data FOLDER --output FOLDER`` runs what is missing, and a training that was
stopped goes on from its checkpoint.
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
from . import result
from .equivalence import difference
from .result import Results

GAMMAS = {"ResNet-20": None, "Momentum, γ = 0.5": 0.5, "Momentum, γ = 0.9": 0.9}
RATES, CHOOSING_EPOCHS, EPOCHS, SEEDS, VALIDATION = (0.05, 0.1, 0.2), 3, 12, range(3), 5000


def name(settings: Settings) -> str:
    """The training in words that can be a file's name."""
    gamma = "" if settings.gamma is None else f"-gamma{settings.gamma:g}" + "-learned" * settings.learned_velocity
    rest = f"rate{settings.learning_rate:g}-epochs{settings.epochs}-seed{settings.seed}"
    return f"{settings.dataset}-{settings.network}{gamma}-{rest}"


def train(
    settings: Settings, split: Split, folder: pathlib.Path, scored: str = "test", progress: bool = False
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
    """The trainings that choose the learning rate of a network."""
    return [Settings(gamma=gamma, backprop="stored", learning_rate=rate, epochs=CHOOSING_EPOCHS) for rate in RATES]


def final(gamma: float | None, found: Results) -> list[Settings]:
    """The trainings of a network with its best rate, one for each seed; none while that is unknown."""
    best = found.best([each] for each in choosing(gamma))
    return [dataclasses.replace(best[0], epochs=EPOCHS, seed=seed) for seed in SEEDS] if best else []


def trainings(folder: pathlib.Path) -> Iterator[tuple[Settings, str]]:
    """All trainings in their order, and which images score each."""
    for gamma in GAMMAS.values():
        yield from ((each, "validation") for each in choosing(gamma))
    found = Results(folder, "cifar10", Settings)
    for seed in SEEDS:
        yield from ((final(gamma, found)[seed], "test") for gamma in GAMMAS.values())


def table(found: Results) -> str:
    """What is finished, as a text table."""
    scores = {
        label: {each.seed: found[each] for each in final(gamma, found) if each in found}
        for label, gamma in GAMMAS.items()
    }
    theirs = scores["ResNet-20"]
    rows = []
    for label, ours in scores.items():
        both = sorted(ours.keys() & theirs.keys())
        pairs = ([by_seed[seed]["test"]["accuracy"] for seed in both] for by_seed in (ours, theirs))
        against = difference(*pairs) if both and ours is not theirs else None
        rate = f"{next(iter(ours.values()))['settings']['learning_rate']:g}" if ours else ""
        rows.append(result.row(("20", label, rate), list(ours.values()), len(SEEDS), against))
    return result.table(rows)


def reproduce(options: Options) -> Report:
    """Run the trainings that are missing if there are data, and compare."""
    folder = options.folder / "accuracy"
    if options.train and options.data is not None:
        split = image_training.load("cifar10", options.data)
        images, labels, *_ = split
        held_out = Split(images[:-VALIDATION], labels[:-VALIDATION], images[-VALIDATION:], labels[-VALIDATION:])
        for settings, scored in trainings(folder):
            train(settings, split if scored == "test" else held_out, folder, scored, options.progress)
    found = Results(folder, "cifar10", Settings)
    total = len(GAMMAS) * (len(RATES) + len(SEEDS))
    return Report(f"{table(found)}\n{len(found)} of {total} trainings are finished.")
