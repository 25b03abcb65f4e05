"""Checks of arguments at the door of public functions: one wording for each kind of mistake.

A message names the argument, says what it must be and what came.  On the ground, for every floor to use; what only one
function asks for is checked there.
"""

import math
import numbers
import operator
import os
import pathlib

import numpy as np

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def integer(name, value, lowest=None, below=None):
    """`value` as an int of at least `lowest` and below `below`; True and 2.0 are none."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {shown(value)}") from None
    if (lowest is not None and number < lowest) or (below is not None and number >= below):
        raise ValueError(f"{name} must be {_range('at least', lowest, None, below, None)}, got {number}")
    return number


def pair(name, value, lowest):
    """`value`, an integer or two, as a pair of integers of at least `lowest`."""
    try:
        values = (value, value) if not isinstance(value, (tuple, list)) else tuple(value)
        pair = tuple(integer(name, entry) for entry in values)
    except TypeError:
        raise TypeError(f"{name} must be an integer or a pair of integers, got {shown(value)}") from None
    if len(pair) != 2 or min(pair) < lowest:
        raise ValueError(f"{name} must be one or two integers of at least {lowest}, got {shown(value)}")
    return pair


def number(name, value, lowest=None, highest=None, above=None, below=None):
    """`value` as a finite float within the bounds; True is none."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    try:
        found = float(value) if is_number else math.nan
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


def _range(at_least, lowest, above, below, highest):
    """Bounds in words."""
    words = [(at_least, lowest), ("above", above), ("below", below), ("at most", highest)]
    return " and ".join(f"{word} {_limit(limit)}" for word, limit in words if limit is not None)


def _limit(limit):
    is_power = isinstance(limit, int) and limit > 2**20 and limit.bit_count() == 1
    return f"2**{limit.bit_length() - 1}" if is_power else f"{limit:.15g}"


def flag(name, value):
    """`value`, True or False (or 1 or 0), as a bool; a string or an array in its place is a mistake."""
    if not isinstance(value, (bool, np.bool_, int)) or value not in (0, 1):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def one_of(name, value, allowed):
    """`value`, which must be one of the strings `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {shown(value)}")
    return value


def instance(name, value, *kinds):
    """`value`, which must be an instance of one of the classes."""
    if not isinstance(value, kinds):
        what = " or ".join(kind.__name__ for kind in kinds)
        found = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name} must be {_article(what)} {what}, got {found}")
    return value


def array(name, value):
    """`value` as an ndarray, where NumPy can make one of it."""
    try:
        return np.asarray(value)
    except ValueError:  # lists of different lengths
        raise ValueError(f"{name} must be an array or lists of equal lengths, got {shown(value)}") from None


def float_array(name, value):
    """`value`, which must be an ndarray of float32 or float64."""
    if not isinstance(value, np.ndarray) or value.dtype not in _FLOATS:
        raise TypeError(f"{name} must be an ndarray of float32 or float64, got {shown(value)}")
    return value


def path(name, value):
    """`value`, a string or path, as a Path."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, got {shown(value)}")
    return pathlib.Path(value)


def shown(value):
    """A value in messages: short."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and {value.dtype}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _article(noun):
    return "an" if noun[0] in "AEIOaeio" else "a"
