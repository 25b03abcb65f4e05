"""Known mistakes: the course's own pieces with some text changed, and why that is wrong."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import own

_PUSH = "        v = v - np.rint((den - num) / den * f(x * 2.0**-40, replay=True) * 2.0**40).astype(np.int64)\n"
_PRODUCT = "        v, b = multiply(v, b, den, num)\n"
_LAYER = f"        x = x - v\n{_PUSH}{_PRODUCT}"
_FETCH = "        for _ in range(spills):\n            b = (b << 8) + stack.pop()\n"
_WHY_SEGMENTS = "the last segment's gradients come first in the list: write gradients = of_segment + gradients"
_WHY_ROUNDED_UP = "bounds are rounded up, wherever one is divided: -(-a // b) is ceil(a / b)"
_NEXT, _SPILLED, _AFTER = "while -(-bound * den // num)", "-(-bound // 2**8)", "bound = -(-bound * den // num)"

MISTAKES: dict[str, list[tuple[str, str, str]]] = {
    "stored_backward": [
        ("gradients.insert(0, by_parameters)", "gradients.append(by_parameters)",
         "the last layer's gradients come first in the list: f_0's must; write gradients.insert(0, by_parameters)"),
        ("dx, by_parameters = tape.pop()(dx)", "_, by_parameters = tape.pop()(dx)",
         "dx is not passed on: what a pullback returns goes into the one below, and at last is dL/dx_0"),
    ],
    "checkpointed_backward": [
        ("of_segment + gradients", "gradients + of_segment", _WHY_SEGMENTS),
        ("of_segment + gradients", "gradients + of_segment[::-1]", _WHY_SEGMENTS),
    ],
    "multiply": [
        ("v, b = v * num + b % num, b // num", "b = b // num; v = v * num + b % num",
         "b was divided before its digit was read: v * num + b % num must come before b // num"),
        ("b, v = b * den + v % den, v // den", "v = v // den; b = b * den + v % den",
         "v was divided before its digit was read: b * den + v % den must come before v // den"),
    ],
    "spill_schedule": [
        ("while -(-bound", "if -(-bound", "one spill may not be enough: `while` the next bound is too large, not `if`"),
        ("> 2**32", ">= 2**32", "2**32 itself is allowed: spill while the next bound is larger, with >"),
        ("-(-bound", "(bound", _WHY_ROUNDED_UP),
        (_AFTER, "bound = bound * den // num", _WHY_ROUNDED_UP),
        (_AFTER, "bound = bound * den / num", _WHY_ROUNDED_UP),
        (_SPILLED, "bound // 2**8", _WHY_ROUNDED_UP),
    ],
    "invert_exact": [
        (_PUSH + _PRODUCT, _PRODUCT + _PUSH,
         "the product is undone first: v was multiplied, then pushed, so subtract the push, then divide"),
        (_LAYER + _FETCH, _FETCH + _LAYER,
         "bytes are fetched before the layer is undone: they went before the layer, so fetch them after it"),
        ("len(functions))[::-1]", "len(functions))",
         "the schedule is read forward: the last layer's spills come first, spill_schedule(...)[::-1]"),
        ("(b << 8) + stack.pop()", "b << 8 + stack.pop()",
         "b << 8 + stack.pop() is b << (8 + stack.pop()): write (b << 8) + stack.pop()"),
    ],
}  # fmt: skip
"""For each piece: what stands in it, what takes its place, and the cause."""


def with_mistake(name: str, right: str, wrong: str) -> Callable[..., Any]:
    """Return the course's own piece with one text in place of another."""
    names = dict(vars(own))
    exec(inspect.getsource(getattr(own, name)).replace(right, wrong), names)
    return names[name]


def cause_of(name: str, calls: Iterable[tuple[tuple[Any, ...], Any]], otherwise: str | None = None) -> str | None:
    """Return the cause of the mistake with which the piece gives what came, for each of (arguments, what came)."""
    for right, wrong, cause in MISTAKES[name]:
        piece = with_mistake(name, right, wrong)
        try:
            if all(is_same(piece(*arguments), came) for arguments, came in calls):
                return cause
        except IndexError:  # no byte is left
            continue
    return otherwise


def is_same(one: Any, other: Any) -> bool:
    """Whether two results agree: numbers, arrays, or lists and tuples of them."""
    if isinstance(one, (list, tuple)):
        return hasattr(other, "__len__") and len(one) == len(other) and all(map(is_same, one, other))
    return np.array_equal(one, other)
