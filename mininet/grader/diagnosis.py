"""Likely causes: which known mistake gives exactly what came, on all small cases?

Nothing is guessed.  Where no mistake fits everything that came, there is no cause to tell.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from ..base.types import AnyArray
from . import reference
from .cases import Case, ExactCase, number, product_cases, small_cases, small_exact_cases
from .contract import Broken, Implementation, NotWritten
from .layers import Watch
from .mistakes import FORWARD, INTEGER_DIVISION, INVERT, NOT_IN_UNITS, backward_mistakes, exact_mistakes
from .reference import Gradients, Pair

C = TypeVar("C", Case, ExactCase)

TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))
"""Far above rounding errors on the small cases, integers included, and far below what mistakes change."""


def flattened(result: Any) -> list[AnyArray]:
    """List all arrays in a result."""
    return [result] if isinstance(result, np.ndarray) else [array for each in result for array in flattened(each)]


def agree(came: Any, other: Any) -> bool:
    """Whether two results agree, relative to their largest number or 1."""
    came, other = (np.concatenate([array.ravel() for array in flattened(result)]) for result in (came, other))
    if came.shape != other.shape or not np.isfinite(other).all():
        return False
    return bool((np.abs(came - other) <= TOLERANCE * max(1.0, np.abs(other).max(initial=0))).all())


def _first_to_fit(
    mistakes: Iterable[tuple[str, Callable[..., Any]]], cases: Iterable[C], run: Callable[[C], Any],
    arguments_of: Callable[[C], tuple[Any, ...]], fits: Callable[[Any, Any], bool] = agree,
) -> str | None:  # fmt: skip
    """Find the first mistake that gives what comes on all cases; None if something cannot be run."""
    try:
        came = [(arguments_of(case), run(case)) for case in cases]
    except (Broken, NotWritten):
        return None
    with np.errstate(all="ignore"):
        for cause, wrong in mistakes:
            if all(fits(result, wrong(*arguments)) for arguments, result in came):
                return cause
    return None


# Floats


def of_forward(implementation: Implementation) -> str | None:
    """Say why forward is wrong, or None."""
    return _first_to_fit(FORWARD.items(), small_cases(), implementation.forward, lambda case: case.arguments)


def of_invert(implementation: Implementation) -> str | None:
    """Say why invert is wrong, or None."""
    cause = _first_to_fit(
        INVERT.items(), small_cases(), implementation.invert, lambda case: (case.functions, case.gamma, *case.final)
    )
    if cause:
        return cause
    try:
        final = [(case, implementation.forward(case)) for case in small_cases()]
        follows = all(agree(came, case.final) for case, came in final)
        undone = all(agree(implementation.invert(case, came), (case.x, case.v)) for case, came in final)
    except (Broken, NotWritten):
        return None
    if follows or not undone:
        return None
    return "it undoes your own forward, which does not follow equation 2: mend that first"


def of_backward(implementation: Implementation) -> str | None:
    """Say why backward is wrong, or None."""
    return _first_to_fit(
        backward_mistakes(), small_cases(), implementation.backward,
        lambda case: (case.functions, case.gamma, *case.final, case.dx),
    )  # fmt: skip


# Exact arithmetic


def of_forward_exact(implementation: Implementation) -> str | None:
    """Say why forward_exact is wrong, or None."""

    def run(case: ExactCase) -> Pair:
        state = implementation.forward_exact(case)
        return state[0] * reference.UNIT, state[1] * reference.UNIT

    return _seen_elsewhere(implementation) or _first_to_fit(
        [*FORWARD.items(), NOT_IN_UNITS], small_exact_cases(), run, lambda case: case.in_floats().arguments
    )


def _seen_elsewhere(implementation: Implementation) -> str | None:
    """Say where f_0 was evaluated, if not at x_0 in floats."""
    case, watch = small_exact_cases()[0], Watch(keeps_points=True)
    with contextlib.suppress(Broken, NotWritten):
        implementation.forward_exact(case.watched(watch))
    right = case.x * reference.UNIT
    for point in watch.points[case.functions[0]]:
        if point.shape == right.shape and point != right:
            return f"f_0 was evaluated at {number(point[0])}, and must see x * 2.0**-40, here {number(right[0])}"
    return None


def of_invert_exact(implementation: Implementation) -> str | None:
    """Say why x_0 and v_0 do not come back where functions are 0, or None."""

    def there_and_back(case: ExactCase) -> Pair:
        return implementation.invert_exact(case, implementation.forward_exact(case))

    def same(one: Pair, other: Pair) -> bool:
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    cause = _first_to_fit(exact_mistakes(), product_cases(), there_and_back, lambda case: (case,), same)
    return cause or _of_forward_first(implementation)


def _of_forward_first(implementation: Implementation) -> str | None:
    return "forward_exact does not follow equation 2: mend that first" if of_forward_exact(implementation) else None


def of_backward_exact(implementation: Implementation) -> str | None:
    """Say why backward_exact is wrong, or None."""

    def run(case: ExactCase) -> Gradients:
        return implementation.backward_exact(case, implementation.forward_exact(case))

    def arguments_of(case: ExactCase) -> tuple[Any, ...]:
        floats = case.in_floats()
        return floats.functions, floats.gamma, *floats.final, floats.dx

    mistakes = [INTEGER_DIVISION, *backward_mistakes()]
    return _first_to_fit(mistakes, small_exact_cases(), run, arguments_of) or _of_forward_first(implementation)
