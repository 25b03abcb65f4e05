"""Checks of arguments of public functions, with one wording for each kind of mistake.

A message names the argument, says what it must be, and what came.
"""

import math
import numbers
import operator
import os
import pathlib
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from .types import AnyArray, FloatArray

T = TypeVar("T")

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def integer(name: str, value: Any, lowest: int | None = None, below: int | None = None) -> int:
    """Require an integer of at least `lowest` and below `below`; True and 2.0 are not integers."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {shown(value)}") from None
    if (lowest is not None and number < lowest) or (below is not None and number >= below):
        raise ValueError(f"{name} must be {_range('at least', lowest, None, below, None)}, got {number}")
    return number


def pair(name: str, value: Any, lowest: int) -> tuple[int, int]:
    """Require one or two integers of at least `lowest`, and make a pair of them."""
    try:
        values = (value, value) if not isinstance(value, (tuple, list)) else tuple(value)
        pair = tuple(integer(name, entry) for entry in values)
    except TypeError:
        raise TypeError(f"{name} must be an integer or a pair of integers, got {shown(value)}") from None
    if len(pair) != 2 or min(pair) < lowest:
        raise ValueError(f"{name} must be one or two integers of at least {lowest}, got {shown(value)}")
    return pair


def number(
    name: str, value: Any, lowest: float | None = None, highest: float | None = None, above: float | None = None,
    below: float | None = None,
) -> float:  # fmt: skip
    """Require a finite number within the bounds; True is not a number."""
    try:
        found = float(value) if is_real(value) else math.nan
    except OverflowError:  # an integer that no float holds
        found = math.inf
    is_inside = (
        math.isfinite(found)
        and (lowest is None or found >= lowest)
        and (highest is None or found <= highest)
        and (above is None or found > above)
        and (below is None or found < below)
    )
    if not is_inside:
        limits = _range("of at least", lowest, above, below, highest)
        raise ValueError(f"{name} must be a finite number{' ' * bool(limits)}{limits}, got {shown(value)}")
    return found


def is_real(value: object) -> bool:
    """Whether `value` is a real number of any class; True is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _range(at_least: str, lowest: float | None, above: float | None, below: float | None, highest: float | None) -> str:
    """Say in words what the bounds are."""

    def shortened(limit: float) -> str:
        is_power = isinstance(limit, int) and limit > 2**20 and limit.bit_count() == 1
        return f"2**{int(limit).bit_length() - 1}" if is_power else f"{limit:.15g}"

    words = [(at_least, lowest), ("above", above), ("below", below), ("at most", highest)]
    return " and ".join(f"{word} {shortened(limit)}" for word, limit in words if limit is not None)


def flag(name: str, value: Any) -> bool:
    """Require True or False (or 1 or 0); a string or an array in its place is a mistake."""
    if not isinstance(value, (bool, np.bool_, int)) or value not in (0, 1):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def one_of(name: str, value: T, allowed: Iterable[str]) -> T:
    """Require one of the strings `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {shown(value)}")
    return value


def instance(name: str, value: Any, *kinds: type[T]) -> T:
    """Require an instance of one of the classes."""
    if not isinstance(value, kinds):
        what = " or ".join(kind.__name__ for kind in kinds)
        found = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name} must be {'an' if what[0] in 'AEIOaeio' else 'a'} {what}, got {found}")
    return value


def array(name: str, value: Any) -> AnyArray:
    """Require what NumPy can make an ndarray of, and make it."""
    try:
        return np.asarray(value)
    except ValueError:  # lists of different lengths
        raise ValueError(f"{name} must be an array or lists of equal lengths, got {shown(value)}") from None


def float_array(name: str, value: Any) -> FloatArray:
    """Require an ndarray of float32 or float64."""
    if not isinstance(value, np.ndarray) or value.dtype not in _FLOATS:
        raise TypeError(f"{name} must be an ndarray of float32 or float64, got {shown(value)}")
    return value


def alike(name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> AnyArray:
    """Require an ndarray of this shape and dtype: kernels do not look where they read."""
    if not isinstance(value, np.ndarray) or value.shape != shape or value.dtype != dtype:
        raise ValueError(f"{name} must be an ndarray of shape {shape} and {dtype}, got {shown(value)}")
    return value


def path(name: str, value: Any) -> pathlib.Path:
    """Require a string or a path, and make a Path; a ``~`` in front is the user's folder."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, got {shown(value)}")
    return pathlib.Path(os.path.expanduser(value))


def shown(value: object) -> str:
    """Describe a value in a message, in a few words."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and {value.dtype}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
