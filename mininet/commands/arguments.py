"""What commands have in common: parsers of arguments, and how they refuse."""

import argparse
import contextlib
import functools
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..base.checks import path as path_of
from ..kernels.exact import as_fraction

HIGHEST_SEED = 2**63 - 1


class Refused(SystemExit):
    """What was asked for cannot be done; `main` prints why, in a line, and returns 2."""

    def __init__(self, why: object, by: str = "mininet") -> None:
        super().__init__(f"{by}: {why}")


@contextlib.contextmanager
def refusing(diverged: str = "training diverged", advice: str = "; try a smaller --learning-rate") -> Iterator[None]:
    """Refuse what turns out to be wrong in the block: arguments, or a rate at which training diverges."""
    try:
        yield
    except ValueError as error:
        raise Refused(error) from None
    except (OverflowError, FloatingPointError) as error:
        raise Refused(f"{diverged}, {error}{advice}") from None


def refuse_without(arguments: argparse.Namespace, needed: str, is_there: bool, *names: str) -> None:
    """Refuse options that were given although they say nothing without what is `needed`."""
    for name in names:
        if hasattr(arguments, name) and not is_there:
            raise Refused(f"--{name.replace('_', '-')} says nothing without {needed}")


def _parsed(convert: Callable[[str], Any], is_allowed: Callable[[Any], bool], what: str) -> Callable[[str], Any]:
    """A parser of what `convert` makes of an argument, if it `is_allowed`."""

    def parse(text: str) -> Any:
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not is_allowed(value):
            raise argparse.ArgumentTypeError(f"must be {what}, got {text!r}")
        return value

    return parse


def integer(lowest: int, highest: int) -> Callable[[str], int]:
    """A parser of integers from `lowest` to `highest`."""
    return _parsed(int, lambda value: lowest <= value <= highest, f"an integer from {lowest} to {highest}")


def between(lowest: float, highest: float) -> Callable[[str], float]:
    """A parser of numbers strictly between `lowest` and `highest`."""
    what = f"a number above {lowest:g} and below {highest:g}"
    return _parsed(float, lambda value: lowest < value < highest, what)


def from_zero(highest: float) -> Callable[[str], float]:
    """A parser of numbers from 0 to below `highest`."""
    return _parsed(float, lambda value: 0 <= value < highest, f"a number from 0 to below {highest:g}")


def gamma(text: str) -> float:
    """Parse a momentum that can be run back in exact arithmetic."""
    value = between(0, 1)(text)
    try:
        as_fraction(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


path = functools.partial(path_of, "path")


def weights(text: str) -> str:
    """Parse the name of a file that is there: no training or download begins for one that is missing."""
    if not path(text).exists():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}; it takes .npz and .safetensors")
    return text


def add_seed(command: argparse.ArgumentParser, of: str) -> None:
    """Add the option --seed."""
    command.add_argument("--seed", type=integer(0, HIGHEST_SEED), default=0, help=of)


def add_output(command: argparse.ArgumentParser, default: str = "results") -> None:
    """Add the options --output and --quiet."""
    command.add_argument("--output", type=path, default=pathlib.Path(default), help="folder for the results")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def output_folder(folder: pathlib.Path, files: Sequence[str] = ()) -> pathlib.Path:
    """Make the folder for the results, in which `files` can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"cannot make the output folder {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise Refused(f"cannot write to the output folder {folder}")
    for name in files:
        if (folder / name).is_dir():
            raise Refused(f"cannot write {folder / name}: it is a folder")
    return folder


def shows_progress(arguments: argparse.Namespace) -> bool:
    """Whether there is a terminal for progress bars, and nobody asked for quiet."""
    return not arguments.quiet and sys.stderr is not None and sys.stderr.isatty()
