"""Which trainings there are, and in which order: each network with the best of three learning rates, from 10 seeds."""

import itertools
import pathlib
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from . import result
from .digits_training import Settings, train

RATES = (0.03, 0.1, 0.3)
RATE_OF_DEEP, DEEP_FROM = 0.01, 100
"""At 0.1, a rate that 30 layers like, a ResNet of 100 layers went astray from one seed of two."""
FEW_SEEDS, MANY_SEEDS = 3, 10


def rivals(depth: int) -> list[Settings]:
    """The networks of one depth, the reference first."""
    return [
        Settings("resnet", depth),
        Settings("momentum", depth, 0.5),
        Settings("momentum", depth, 0.9),
        Settings("momentum", depth, 0.9, learned_velocity=True),
        Settings("revnet", depth),
    ]


def helped(depth: int) -> list[Settings]:
    """What may make up for a velocity that is slow after so few layers: larger functions, or a smaller gamma.

    After k layers under a constant f, the velocity is (1 - gamma^k) f, and x has moved by the mean of these factors
    times k f.
    """
    speeds = [1 - 0.9**layer for layer in range(1, depth + 1)]
    larger = [Settings("momentum", depth, 0.9, scale=1 / each) for each in (speeds[-1], statistics.fmean(speeds))]
    by_depth = Settings("momentum", depth, 1 - 1 / depth)
    return [*larger, by_depth]


MAIN = [*rivals(30), *rivals(10)]
FIRST = [*rivals(30)[:3], *rivals(10)[:3]]
SHORTEST = list(dict.fromkeys([*rivals(2)[:-1], *helped(2)]))
SHORT = list(dict.fromkeys([*SHORTEST, *rivals(5)[:-1], *helped(5), *helped(10)]))
SLOW = [Settings("momentum", depth, 0.99) for depth in (10, 30)]
DEEP = [*rivals(100)[:3], Settings("momentum", 100, 0.99)]

PLAN = dict.fromkeys(MAIN + SHORT, MANY_SEEDS) | dict.fromkeys(SLOW + DEEP, FEW_SEEDS)
"""How many seeds each network is to be trained from."""

QUICK = [replace(network, epochs=1) for network in rivals(1)[:2]]


class Results(result.Results):
    """What trainings on the digits wrote into a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder, "digits", Settings)

    def rate(self, network: Settings) -> float | None:
        """The learning rate that is `best`; None if unknown.  Networks of 100 functions take `RATE_OF_DEEP`."""
        if network.depth >= DEEP_FROM:
            return RATE_OF_DEEP
        found = self.best(trials(network))
        return found[0].learning_rate if found else None

    def of(self, network: Settings) -> dict[int, dict[str, Any]]:
        """The trainings of `network` with its chosen rate, by seed."""
        rate = self.rate(network)
        if rate is None:
            return {}
        trainings = {seed: replace(network, learning_rate=rate, seed=seed) for seed in range(MANY_SEEDS)}
        return {seed: self[training] for seed, training in trainings.items() if training in self}


def trials(network: Settings, rates: Sequence[float] = RATES, seeds: int = FEW_SEEDS) -> list[list[Settings]]:
    """The trainings that choose the learning rate of a network, a list for each rate."""
    return [[replace(network, learning_rate=rate, seed=seed) for seed in range(seeds)] for rate in rates]


def choosing(networks: Iterable[Settings]) -> Iterator[Settings]:
    """The trainings that choose learning rates, seed by seed."""
    for of_seed in zip(*(of_rate for network in networks for of_rate in trials(network)), strict=True):
        yield from of_seed


def with_chosen_rates(networks: Iterable[Settings], seeds: int, folder: pathlib.Path) -> Iterator[Settings]:
    """The trainings of `networks` from so many seeds, seed by seed."""
    found = Results(folder)
    for seed, network in itertools.product(range(seeds), networks):
        rate = found.rate(network)
        assert rate is not None  # `choosing` came before
        yield replace(network, learning_rate=rate, seed=seed)


def trainings(folder: pathlib.Path) -> Iterator[Settings]:
    """All trainings, in an order in which the first results already say something."""
    yield from choosing(rivals(10)[:3])
    yield from choosing(SHORTEST)
    yield from choosing(rivals(30)[:3])
    yield from with_chosen_rates(FIRST, MANY_SEEDS, folder)
    yield from choosing(MAIN)
    yield from choosing(SHORT)
    yield from choosing(SLOW)
    yield from with_chosen_rates(MAIN, MANY_SEEDS, folder)
    yield from with_chosen_rates(SHORT, MANY_SEEDS, folder)
    yield from with_chosen_rates(DEEP, FEW_SEEDS, folder)


def quick_trainings() -> Iterator[Settings]:
    """A few trainings of an epoch."""
    return choosing(QUICK)


def run(todo: Iterable[Settings], folder: pathlib.Path, progress: bool = False) -> None:
    """Run the trainings in `todo` that have no result in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for settings in todo:
        if not (folder / f"{settings.name}.json").exists():
            found = train(settings, folder)
            if progress:
                print(f"{settings.name}: {found['test']['accuracy']:.4f}, {found['seconds']:.0f} s", flush=True)
