"""What an experiment is told, and what it reports: numbers, figures, and which claims of the paper they bear out.

Every experiment is a file with functions for a notebook and one, ``reproduce(options)``, that returns a `Report`.
"""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line tells an experiment.

    Attributes
    ----------
    folder : pathlib.Path
        For checkpoints of trainings that take long.
    data : path or None
        Of CIFAR-10; see `datasets.cifar10`.
    quick : bool
        A small version that takes seconds, with weaker claims.
    epochs, seeds : int or None
        Of each training, and how many; the experiment's own numbers if None.
    weights : str or None
        File of pretrained weights.
    progress : bool
        Whether to show progress bars.
    """

    folder: pathlib.Path = pathlib.Path("results")
    data: object = None
    quick: bool = False
    epochs: int | None = None
    seeds: int | None = None
    weights: str | None = None
    progress: bool = False


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim, and what was measured.

    Attributes
    ----------
    text : str
        What the paper, or this project, says.
    evidence : str
        The numbers that were measured.
    holds : bool
    """

    text: str
    evidence: str
    holds: bool

    def __str__(self):
        return f"{'holds' if self.holds else 'DOES NOT HOLD'}: {self.text} ({self.evidence})"


@dataclasses.dataclass(frozen=True)
class Report:
    """What an experiment found.

    Attributes
    ----------
    text : str
        Its numbers, as tables.
    claims : sequence of Claim
    figures : dict of str to matplotlib Figure
        By the name of the file, without its ending.
    animations : dict of str to matplotlib Animation
    """

    text: str
    claims: tuple = ()
    figures: dict = dataclasses.field(default_factory=dict)
    animations: dict = dataclasses.field(default_factory=dict)

    def __str__(self):
        return "\n".join([self.text, *map(str, self.claims)])
