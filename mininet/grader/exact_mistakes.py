"""Known mistakes in exact arithmetic: products of integers that cannot be undone, or are undone wrongly."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from ..base.types import IntegerArray
from . import reference
from .cases import ExactCase
from .mistakes import backpropagating, running, with_velocity
from .reference import Multiply, Pair

Rest: TypeAlias = Callable[[IntegerArray, int], IntegerArray]

NOT_IN_UNITS = (
    "(1 - gamma) f(x) must be multiplied by 2^40 before it is rounded and added to v",
    running(with_velocity(lambda v, f, g: g * v + (1 - g) * f * reference.UNIT)),
)

INTEGER_DIVISION = (
    "gamma is taken as 0: n // d is an integer division",
    backpropagating(adjoint=lambda pullback, g, p, q: reference.adjoint(pullback, 0, p, q)),
)


def _truncated(v: IntegerArray, d: int) -> IntegerArray:
    return np.trunc(v / d).astype(np.int64)


def _product(quotient: Rest = np.floor_divide, remainder: Rest = np.mod, taken_out: Rest = np.mod) -> Multiply:
    def multiply(v: IntegerArray, b: IntegerArray, n: int, d: int) -> Pair:
        b, v = b * d + remainder(v, d), quotient(v, d)
        return v * n + taken_out(b, n), b // n

    return multiply


def _exchanged(multiply: Multiply) -> Multiply:
    return lambda v, b, n, d: multiply(v, b, d, n)


def _without_buffer(round_: Callable[[IntegerArray, int, int], IntegerArray]) -> Multiply:
    return lambda v, b, n, d: (round_(v, n, d), b)


TRUNCATED = "the division truncates, towards zero, and must round down (floor): for negative v "
PRODUCTS: dict[str, Multiply] = {
    TRUNCATED + "quotient and remainder do not belong together": _product(_truncated, np.mod),
    TRUNCATED + "the remainder, of |v|, has lost its sign": _product(_truncated, lambda v, d: np.abs(v) % d),
    TRUNCATED + "the remainder is negative (as in C, or np.fmod), and must lie from 0 to d - 1": _product(
        remainder=np.fmod
    ),
    TRUNCATED + "the buffer becomes negative": _product(_truncated, np.fmod),
    "the remainder of the division by d is dropped: nothing can bring it back": _without_buffer(
        lambda v, n, d: v * n // d
    ),
    "the remainder of the division by d is dropped: v // d * n": _without_buffer(lambda v, n, d: v // d * n),
    "v is rounded to the nearest unit: what rounding takes is lost, and must be kept in a buffer": _without_buffer(
        lambda v, n, d: np.rint(v * n / d).astype(np.int64)
    ),
    "v is cut to an integer: what that takes is lost, and must be kept in a buffer": _without_buffer(
        lambda v, n, d: (v * n / d).astype(np.int64)
    ),
}


def exact_mistakes() -> Iterator[tuple[str, Callable[[ExactCase], Pair]]]:
    """Yield (cause, function that runs a case there and back)."""
    right, undo = reference.multiply, _exchanged(reference.multiply)
    for cause, multiply in PRODUCTS.items():
        yield cause, _there_and_back(multiply, _exchanged(multiply))
    for cause, multiply in PRODUCTS.items():
        yield f"going forward, {cause}", _there_and_back(multiply, undo)
        yield f"going back, {cause}", _there_and_back(right, _exchanged(multiply))
    yield (
        "the buffer does not reach invert_exact, which begins with 0: it belongs to the state",
        _there_and_back(right, undo, keeps_buffer=False),
    )
    yield "going back, n and d must change places", _there_and_back(right, right)
    yield (
        "going forward, what the division of the buffer by n leaves is lost: b mod n must be added to v",
        _there_and_back(_product(taken_out=lambda b, n: 0 * b), undo),
    )
    yield (
        "going back, what the division of v by n leaves is lost: v mod n must be added to the buffer",
        _there_and_back(right, _exchanged(_product(remainder=lambda v, d: 0 * v))),
    )


def _there_and_back(multiply: Multiply, undo: Multiply, keeps_buffer: bool = True) -> Callable[[ExactCase], Pair]:
    def run(case: ExactCase) -> Pair:
        x, v, b = reference.run_exact(case.functions, case.n, case.d, case.x, case.v, multiply)
        return reference.run_back_exact(case.functions, case.n, case.d, x, v, b if keeps_buffer else 0 * b, undo)

    return run
