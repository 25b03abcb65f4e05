"""How results and answers are checked: what agrees, exactly or nearly, line by line, and at last a verdict."""

import importlib
import traceback
from typing import Any

import numpy as np

from ..base.terminal import GREEN, RED, colored
from ..precision import describe_difference
from .contents import CHAPTERS


class NotYet(Exception):
    """An answer, or a result, is not right; the message tells the learner what differs."""


def expect(name: str, value: Any, right: Any, within: float = 0.0) -> None:
    """Print how `value` agrees with `right`, `within` a share of its largest absolute value, or raise `NotYet`."""
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
        raise NotYet(f"{name}{place}: got {value[index]}, should be {right[index]}")
    difference = "exact" if wide.kind in "bO" else describe_difference(value, right)
    print(f"{name}: {difference if difference == 'exact' else f'close, {difference}'}")


def require(condition: Any, why: str) -> None:
    """Raise `NotYet` with the message `why` unless the condition holds."""
    if not condition:
        raise NotYet(why)


def returned(answer: Any, name: str, count: int | None = None, what: str = "") -> Any:
    """`answer`, if the learner's function `name` returned something; with `count`, so many things, called `what`."""
    require(answer is not None, f"{name} returns nothing")
    require(count is None or (hasattr(answer, "__len__") and len(answer) == count), f"{name} should return {what}")
    return answer


def is_near(value: Any, mistake: Any, atol: float = 1e-8) -> bool:
    """Whether `value` is what a likely mistake gives."""
    is_alike = value is not None and np.shape(value) == np.shape(mistake)
    return is_alike and np.allclose(value, mistake, atol=atol)


def check(number: str, *answers: Any) -> None:
    """Check the `answers` to an exercise, as "02.1": print what agrees, and "right", or "not yet" with the reason."""
    exercise = find(number)
    try:
        exercise(*answers)
    except NotYet as error:
        print(colored(f"not yet: {error}", RED))
    except Exception as error:  # whatever the learner's code raises
        line = traceback.extract_tb(error.__traceback__)[-1]
        print(colored(f"not yet: {type(error).__name__}: {error} (in {line.name}: {line.line})", RED))
    else:
        print(colored("right", GREEN))


def find(number):
    """The function that checks an exercise, ``exercise_K`` in the module of its chapter."""
    chapter, _, exercise = number.partition(".") if isinstance(number, str) else ("", "", "")
    modules = {each.number: f".exercises.{each.exercises}" for each in CHAPTERS}
    if chapter in modules:
        module = importlib.import_module(modules[chapter], __package__)
        if hasattr(module, f"exercise_{exercise}"):
            return getattr(module, f"exercise_{exercise}")
    raise ValueError(f"number must be that of an exercise, as '02.1', got {number!r}")
