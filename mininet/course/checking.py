"""How results and answers are checked: what agrees, exactly or nearly, line by line, and at last a verdict."""

import importlib
import re
import traceback

import numpy as np

from ..precision import describe_difference
from .contents import CHAPTERS


class NotYet(Exception):
    """An answer, or a result, is not right; the message tells the learner what differs."""


def expect(name, value, right, within=0.0):
    """Print how `value` agrees with what is right: exactly, or approximately with the largest difference.

    Parameters
    ----------
    name : str
        What is compared.
    value, right : array_like
        Numbers, arrays or tensors.
    within : float
        The largest difference allowed, relative to the largest absolute value in `right`, or absolute if that is 0.
        Unless given, all elements must be equal.

    Raises
    ------
    NotYet
        If they are further apart, or differ in shape: it shows the first element that differs.
    """
    require(value is not None, f"{name}: nothing was returned")
    try:
        value, right = np.asarray(value), np.asarray(right)
    except ValueError:  # a list of lists of different lengths
        raise NotYet(f"{name} is not an array, but {value!r}") from None
    require(value.dtype.kind in "biufcO", f"{name} is not made of numbers, but {value!r}")
    require(value.shape == right.shape, f"{name} has shape {value.shape}, and should have {right.shape}")
    wide = np.result_type(value, right)
    value, right = value.astype(wide), right.astype(wide)
    if wide.kind == "b" or (within == 0 and wide.kind != "f"):
        off = value != right
    elif within == 0:
        off = (value != right) & ~(np.isnan(value) & np.isnan(right))
    else:
        allowed = within * (np.abs(right).max(initial=0) or 1)
        off = ~(np.abs(value - right) <= allowed)  # NaN is off
    if off.any():
        index = tuple(map(int, np.argwhere(off)[0]))
        place = f" at {index if len(index) > 1 else index[0]}" if index else ""
        raise NotYet(f"{name}{place} is {value[index]}, and should be {right[index]}")
    print(f"{name}: {'exact' if wide.kind in 'bO' else describe_difference(value, right)}")


def require(condition, why):
    """Raise `NotYet` with the message `why` unless the condition holds."""
    if not condition:
        raise NotYet(why)


def check(number, *answers):
    """Check an exercise: print what agrees, and a verdict, "right" or "not yet" with the reason.

    Parameters
    ----------
    number : str
        Of the chapter and the exercise, as "02.1".
    answers
        What the exercise asks for, a function as a rule.

    Raises
    ------
    ValueError
        If there is no such exercise.
    """
    exercise = find(number)
    try:
        exercise(*answers)
    except NotYet as error:
        print(f"not yet: {error}")
    except Exception as error:  # whatever the learner's code raises
        line = traceback.extract_tb(error.__traceback__)[-1]
        print(f"not yet: {type(error).__name__}: {error} (in {line.name}: {line.line})")
    else:
        print("right")


def find(number):
    """The function that checks an exercise, ``exercise_K`` in the module of its chapter."""
    match = re.fullmatch(r"(\d\d)\.(\d)", number) if isinstance(number, str) else None
    for chapter in CHAPTERS:
        if match and match[1] == chapter.number:
            module = importlib.import_module(f".exercises.{chapter.exercises}", __package__)
            if hasattr(module, f"exercise_{match[2]}"):
                return getattr(module, f"exercise_{match[2]}")
    raise ValueError(f"number must be that of an exercise, as '02.1', got {number!r}")
