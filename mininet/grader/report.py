"""Grading, and what it prints."""

import dataclasses
import errno
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from ..base.checks import path as path_of
from ..base.files import written_atomically
from ..base.terminal import BLUE, GREEN, RED, colored, wrapped
from ..base.types import PathLike
from . import exact_promises, float_promises, template
from .contract import EXACT, FLOAT, Broken, Implementation, NotWritten, line_of, load
from .promises import NEARLY_RIGHT, UNKNOWN_IN_LARGE, UNKNOWN_IN_SMALL, Promise

PROMISES = [*float_promises.PROMISES, *exact_promises.PROMISES]

UNKNOWN = (UNKNOWN_IN_SMALL, UNKNOWN_IN_LARGE, NEARLY_RIGHT)
"""Causes to repeat in full each time: every example deserves a look of its own."""

WIDTH = 110
KEPT, BROKEN, TO_DO = "kept", "BROKEN", "to do"
COLORS = {KEPT: GREEN, BROKEN: RED, TO_DO: BLUE}


class Outcome(NamedTuple):
    """What became of one promise.

    Examples
    --------
    >>> print(Outcome(PROMISES[0], "to do", came="forward is not there"))
    to do   forward: forward is not there
    """

    promise: Promise
    status: str  # `KEPT`, `BROKEN` or `TO_DO`
    example: str | None = None  # the smallest that fails
    came: str | None = None  # what came there, or what is missing
    cause: str | None = None  # what is likely to be wrong

    def __str__(self) -> str:
        sentence = self.promise.sentence if self.status == BROKEN else self.came or self.promise.sentence
        lines = [f"{self.status:8}{self.promise.name}: {sentence}"]
        if self.status == BROKEN:
            details = {"smallest example": self.example, "came": self.came, "likely cause": self.cause}
            lines += [f"{8 * ' '}{name}: {detail}" for name, detail in details.items() if detail]
        return "\n".join(wrapped(line, WIDTH, rest=10 * " ") for line in lines)


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of the promises that were tried on an implementation.

    Parameters
    ----------
    name
        What the summary calls the implementation.
    outcomes
        One for each promise that was tried.

    Examples
    --------
    >>> Report("mine.py", [Outcome(PROMISES[0], "kept"), Outcome(PROMISES[1], "to do")]).summary
    'mine.py: 1 of 2 promises kept, 1 to do'
    """

    name: str
    outcomes: list[Outcome]

    @property
    def all_kept(self) -> bool:
        """Whether every promise is kept."""
        return all(outcome.status == KEPT for outcome in self.outcomes)

    def __getitem__(self, promise: str) -> Outcome:
        """Return the outcome of the promise of this name."""
        return {outcome.promise.name: outcome for outcome in self.outcomes}[promise]

    @property
    def summary(self) -> str:
        """The result in one line."""
        statuses = [outcome.status for outcome in self.outcomes]
        if self.all_kept:
            return f"{self.name}: all {len(statuses)} promises kept"
        rest = ", ".join(f"{statuses.count(status)} {status}" for status in (BROKEN, TO_DO) if status in statuses)
        first = next((f"; begin with {each.promise.name!r}" for each in self.outcomes if each.status == BROKEN), "")
        return f"{self.name}: {statuses.count(KEPT)} of {len(statuses)} promises kept, {rest}{first}"

    def __str__(self) -> str:
        told: dict[str | None, str] = {}
        return "\n".join([*(_told_once(outcome, told) for outcome in self.outcomes), self.summary])

    def __repr__(self) -> str:
        return f"<Report {self.summary}>"

    def _ipython_display_(self) -> None:
        """Show nothing at the end of a notebook's cell: `grade` has printed it."""


def in_color(text: str) -> str:
    """Colour the status with which the text of an outcome begins, where colours are shown."""
    for status, color in COLORS.items():
        if text.startswith(status):
            return colored(status, color) + text.removeprefix(status)
    return text


def _told_once(outcome: Outcome, told: dict[str | None, str]) -> str:
    """Describe the outcome without repeating texts in `told`, {text: promise's name}, which takes in what is new."""
    if outcome.status == BROKEN:
        name = outcome.promise.name
        if outcome.came in told:
            return str(outcome._replace(example=None, came=f"the same as for {told[outcome.came]!r}", cause=None))
        told[outcome.came] = name
        if outcome.cause in told:
            return str(outcome._replace(cause=f"the same as for {told[outcome.cause]!r}"))
        if outcome.cause not in (None, *UNKNOWN):
            told[outcome.cause] = name
    return str(outcome)


def try_promise(promise: Promise, implementation: Implementation) -> Outcome:
    """Try one promise.

    Parameters
    ----------
    promise
        One of those that `promises_for` chooses from.
    implementation
        What `load` made.

    Examples
    --------
    >>> try_promise(PROMISES[0], load({"forward": lambda functions, gamma, x, v: ...})).status
    'to do'
    """
    try:
        with np.errstate(all="ignore"):  # infinite results are wrong; there is no need to warn
            promise.check(implementation)
    except NotWritten as missing:
        return Outcome(promise, TO_DO, came=str(missing))
    except Broken as broken:
        return Outcome(promise, BROKEN, broken.example, broken.came, broken.cause)
    return Outcome(promise, KEPT)


def promises_for(implementation: Implementation, exact: bool | None = None) -> list[Promise]:
    """Choose what to try.

    Parameters
    ----------
    implementation
        What `load` made.
    exact
        Whether to try exact arithmetic too; by default, if one of its functions has been begun.

    Examples
    --------
    >>> len(promises_for(load({"forward": lambda functions, gamma, x, v: (x, v)})))
    11
    """
    if exact is None and implementation.has_begun(EXACT):
        return PROMISES if implementation.has_begun(FLOAT) else exact_promises.PROMISES
    return PROMISES if exact else float_promises.PROMISES


def grade(implementation: Any, exact: bool | None = None) -> Report:
    """Try all promises on an implementation, print what becomes of each, and return them all.

    Parameters
    ----------
    implementation : path, mapping, module or object
        It has the functions that `mininet.grader.template` describes.
    exact : bool, optional
        Whether to grade the functions of exact arithmetic; by default, if one of them has been begun.

    Raises
    ------
    CannotLoad
        If there is nothing to grade.

    Examples
    --------
    >>> report = grade({"forward": lambda functions, gamma, x, v: ...})  # doctest: +ELLIPSIS
    to do   forward: forward is not written yet
    ...
    your functions: 0 of 11 promises kept, 11 to do
    >>> report.all_kept
    False
    """
    implementation = load(implementation)
    report = Report(implementation.name, [])
    told: dict[str | None, str] = {}
    for promise in promises_for(implementation, exact):
        try:
            report.outcomes.append(try_promise(promise, implementation))
        except KeyboardInterrupt as stopped:
            print(f"stopped while {promise.name!r} was tried{line_of(stopped)}", flush=True)
            raise
        print(in_color(_told_once(report.outcomes[-1], told)), flush=True)
    print(colored(wrapped(report.summary), GREEN if report.all_kept else RED))
    return report


def write_template(path: PathLike) -> None:
    """Write a file of stubs to begin with.

    Parameters
    ----------
    path
        It must not exist: FileExistsError rather than overwrite a file.

    Examples
    --------
    >>> write_template("mine.py")
    >>> load("mine.py").name
    'mine.py'
    """
    path = path_of("path", path)
    text = pathlib.Path(template.__file__).read_text(encoding="utf-8")
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with written_atomically(path) as temporary:
        temporary.write_text(text.replace("THIS_FILE", str(path)), encoding="utf-8")
