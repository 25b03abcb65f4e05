"""How grading goes, and what it prints."""

import dataclasses
import errno
import os
import pathlib
import textwrap

import numpy as np

from ..files import written_atomically
from . import exact_promises, float_promises, template
from .contract import EXACT, FLOAT, Broken, NotWritten, line_of, load
from .promises import NEARLY_RIGHT, UNKNOWN_IN_LARGE, UNKNOWN_IN_SMALL, Promise

PROMISES = [*float_promises.PROMISES, *exact_promises.PROMISES]

UNKNOWN = (UNKNOWN_IN_SMALL, UNKNOWN_IN_LARGE, NEARLY_RIGHT)
"""Not told once only: each example is to be looked at by itself."""

WIDTH = 110
KEPT, BROKEN, TO_DO = "kept", "BROKEN", "to do"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one promise.

    Attributes
    ----------
    promise : Promise
    status : str
        `KEPT`, `BROKEN` or `TO_DO`.
    example, came, cause : str or None
        If broken: the smallest example that fails, what came there, and what is likely to be wrong.  If there is
        nothing yet, `came` says what is missing.
    """

    promise: Promise
    status: str
    example: str | None = None
    came: str | None = None
    cause: str | None = None

    def __str__(self):
        lines = _indented(f"{self.status:8}{self.promise.name}: {self.came or self.promise.sentence}", first=0)
        if self.status == BROKEN:
            lines = _indented(f"{self.status:8}{self.promise.name}: {self.promise.sentence}", first=0)
            lines += _indented(f"smallest example: {self.example}") if self.example else []
            lines += _indented(f"came: {self.came}")
            lines += _indented(f"likely cause: {self.cause}") if self.cause else []
        return "\n".join(lines)


def _indented(text, first=8):
    return textwrap.wrap(
        text, WIDTH, initial_indent=first * " ", subsequent_indent=10 * " ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Report:
    """The outcomes of all promises that were tried.

    Attributes
    ----------
    name : str
        Of the implementation.
    outcomes : list of Outcome
    """

    name: str
    outcomes: list

    @property
    def all_kept(self):
        """Whether every promise is kept."""
        return all(outcome.status == KEPT for outcome in self.outcomes)

    def __getitem__(self, promise):
        """The outcome of the promise of this name."""
        return {outcome.promise.name: outcome for outcome in self.outcomes}[promise]

    @property
    def summary(self):
        """One line."""
        statuses = [outcome.status for outcome in self.outcomes]
        if self.all_kept:
            return f"{self.name}: all {len(statuses)} promises kept"
        rest = ", ".join(f"{statuses.count(status)} {status}" for status in (BROKEN, TO_DO) if status in statuses)
        first = next((f"; begin with {each.promise.name!r}" for each in self.outcomes if each.status == BROKEN), "")
        return f"{self.name}: {statuses.count(KEPT)} of {len(statuses)} promises kept, {rest}{first}"

    def __str__(self):
        told = {}
        return "\n".join([*(_told_once(outcome, told) for outcome in self.outcomes), self.summary])

    def __repr__(self):
        return f"<Report {self.summary}>"

    def _ipython_display_(self):
        """Nothing more at the end of a notebook's cell: `grade` has printed it."""


def _told_once(outcome, told):
    """The outcome in words, without what stands in `told`, where what is new is noted: text -> name of the promise."""
    if outcome.status != BROKEN:
        return str(outcome)
    name = outcome.promise.name
    if outcome.came in told:
        return str(
            dataclasses.replace(outcome, example=None, came=f"the same as for {told[outcome.came]!r}", cause=None)
        )
    told[outcome.came] = name
    if outcome.cause in told:
        outcome = dataclasses.replace(outcome, cause=f"the same as for {told[outcome.cause]!r}")
    elif outcome.cause not in (None, *UNKNOWN):
        told[outcome.cause] = name
    return str(outcome)


def try_promise(promise, implementation):
    """The `Outcome`."""
    try:
        with np.errstate(all="ignore"):  # infinite results are wrong, and nothing to warn of
            promise.check(implementation)
    except NotWritten as missing:
        return Outcome(promise, TO_DO, came=str(missing))
    except Broken as broken:
        return Outcome(promise, BROKEN, broken.example, broken.came, broken.cause)
    return Outcome(promise, KEPT)


def promises_for(implementation, exact=None):
    """The promises to try: those of floats, and those of exact arithmetic if `exact`, or by default if it has begun."""
    if exact is None and implementation.has_begun(EXACT):
        return PROMISES if implementation.has_begun(FLOAT) else exact_promises.PROMISES
    return PROMISES if exact else float_promises.PROMISES


def grade(implementation, exact=None):
    """Try all promises on somebody's implementation, print what becomes of each, and return it.

    Parameters
    ----------
    implementation : path, mapping, module or object
        With the functions that `mininet.grader.contract` describes.
    exact : bool, optional
        Whether the functions of exact arithmetic are graded; unless given, if one of them is written.

    Returns
    -------
    Report

    Raises
    ------
    CannotLoad
        If there is nothing to grade.

    Examples
    --------
    >>> grade({"forward": forward, "invert": invert, "backward": backward})
    """
    implementation = load(implementation)
    report, told = Report(implementation.name, []), {}
    for promise in promises_for(implementation, exact):
        try:
            report.outcomes.append(try_promise(promise, implementation))
        except KeyboardInterrupt as stopped:
            print(f"stopped while {promise.name!r} was tried{line_of(stopped)}", flush=True)
            raise
        print(_told_once(report.outcomes[-1], told), flush=True)
    print(report.summary)
    return report


def write_template(path):
    """Write a file to begin with, never over another one (FileExistsError)."""
    text = pathlib.Path(template.__file__).read_text(encoding="utf-8")
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with written_atomically(path) as temporary:
        temporary.write_text(text.replace("THIS_FILE", str(path)), encoding="utf-8")
