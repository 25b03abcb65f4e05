"""What an experiment is told, and what it reports: numbers, figures, and which claims of the paper they bear out.

Every experiment is a file with functions for a notebook and one, ``reproduce(options)``, that returns a `Report`.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line tells an experiment."""

    folder: pathlib.Path = pathlib.Path("results")  # for checkpoints of long trainings
    data: object = None  # the folder of CIFAR-10, see `datasets.cifar10`
    quick: bool = False  # a small version that takes seconds, with weaker claims
    epochs: int | None = None  # of each training; the experiment's own number if None
    seeds: int | None = None  # how many; the experiment's own number if None
    weights: str | None = None  # a file of pretrained weights
    train: bool = True  # whether accuracy runs trainings that are missing
    progress: bool = False


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of the paper or of this project, and what was measured."""

    text: str
    evidence: str  # the numbers that were measured
    holds: bool

    def __str__(self):
        return f"{'holds' if self.holds else 'DOES NOT HOLD'}: {self.text} ({self.evidence})"


@dataclasses.dataclass(frozen=True)
class Report:
    """What an experiment found."""

    text: str  # its numbers, as tables
    claims: Sequence[Claim] = ()
    figures: dict = dataclasses.field(default_factory=dict)  # by the name of the file, without its ending
    animations: dict = dataclasses.field(default_factory=dict)
    title: str = ""  # of the page, in words; the experiment's name if empty
    found: str = ""  # the sentence that opens the page

    def __str__(self):
        return "\n".join([self.text, *map(str, self.claims)])


def text_table(rows: Iterable[tuple[object, Iterable[object]]], left: int, right: int) -> str:
    """Rows as text: a name, on the left of `left` characters, and cells, on the right of `right` characters each."""
    lines = (f"{name!s:{left}}" + "".join(f"{cell!s:>{right}}" for cell in cells) for name, cells in rows)
    return "\n".join(map(str.rstrip, lines))
