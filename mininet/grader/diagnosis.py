"""Likely causes, found by comparing: which known mistake gives, on all small cases, just what came?

Nothing is guessed: where no mistake fits everything that came, there is no cause to tell.
"""

import contextlib

import numpy as np

from . import reference
from .cases import number, product_cases, small_cases, small_exact_cases
from .contract import Broken, NotWritten
from .exact_mistakes import INTEGER_DIVISION, NOT_IN_UNITS, exact_mistakes
from .layers import Watch
from .mistakes import FORWARD, INVERT, backward_mistakes

TOLERANCE = np.sqrt(np.finfo(np.float64).eps)
"""Far above rounding errors on the small cases, also those of integers, and far below what mistakes differ by."""


def flattened(result):
    """All arrays in a result, a list."""
    return [result] if isinstance(result, np.ndarray) else [array for each in result for array in flattened(each)]


def _arrays(result):
    return np.concatenate([array.ravel() for array in flattened(result)])


def agree(came, other, tolerance=TOLERANCE):
    """Whether two results agree, relative to the larger of 1 and the largest number."""
    came, other = _arrays(came), _arrays(other)
    if came.shape != other.shape or not np.isfinite(other).all():
        return False
    return bool((np.abs(came - other) <= tolerance * max(1.0, np.abs(other).max(initial=0))).all())


def _first_to_fit(mistakes, came):
    """The cause of the first mistake that gives what came; `came`: list of (arguments, result)."""
    with np.errstate(all="ignore"):
        for cause, wrong in mistakes:
            if all(agree(result, wrong(*arguments)) for arguments, result in came):
                return cause
    return None


def _on_small_cases(cases, run, arguments_of):
    """What came on each small case, with the arguments; None if something cannot be run."""
    try:
        return [(arguments_of(case), run(case)) for case in cases]
    except (Broken, NotWritten):
        return None


# Floats


def of_forward(implementation):
    """Why forward is wrong, or None."""
    came = _on_small_cases(
        small_cases(), implementation.forward, lambda case: (case.functions, case.gamma, case.x, case.v)
    )
    return came and _first_to_fit(FORWARD.items(), came)


def of_invert(implementation):
    """Why invert is wrong, or None."""
    came = _on_small_cases(small_cases(), implementation.invert, lambda case: (case.functions, case.gamma, *case.final))
    cause = came and _first_to_fit(INVERT.items(), came)
    return cause or _of_forward_undone(implementation)


def _of_forward_undone(implementation):
    try:
        final = [(case, implementation.forward(case)) for case in small_cases()]
        follows = all(agree(came, case.final) for case, came in final)
        undone = all(agree(implementation.invert(case, came), (case.x, case.v)) for case, came in final)
    except (Broken, NotWritten):
        return None
    if follows or not undone:
        return None
    return "it undoes your own forward, which does not follow equation 2: mend that first"


def of_backward(implementation):
    """Why backward is wrong, or None."""
    came = _on_small_cases(
        small_cases(), implementation.backward, lambda case: (case.functions, case.gamma, *case.final, case.dx)
    )
    return came and _first_to_fit(backward_mistakes(), came)


# Exact arithmetic


def of_forward_exact(implementation):
    """Why forward_exact is wrong, or None."""

    def run(case):
        state = implementation.forward_exact(case)
        return state[0] * reference.UNIT, state[1] * reference.UNIT

    def arguments_of(case):
        floats = case.in_floats()
        return floats.functions, floats.gamma, floats.x, floats.v

    came = _on_small_cases(small_exact_cases(), run, arguments_of)
    return _seen_elsewhere(implementation) or (came and _first_to_fit([*FORWARD.items(), NOT_IN_UNITS], came))


def _seen_elsewhere(implementation):
    """A sentence if f_0 was not evaluated at x_0 in floats."""
    case, watch = small_exact_cases()[0], Watch(keeps_points=True)
    with contextlib.suppress(Broken, NotWritten):
        implementation.forward_exact(case.watched(watch))
    right = case.x * reference.UNIT
    for point in watch.points(case.functions[0], "value", "vjp"):
        if point.shape == right.shape and point != right:
            return f"f_0 was evaluated at {number(point[0])}, and must see x * 2.0**-40, here {number(right[0])}"
    return None


def of_invert_exact(implementation):
    """Why x_0 and v_0 do not come back, where functions are 0; or None."""

    def there_and_back(case):
        return implementation.invert_exact(case, implementation.forward_exact(case))

    came = _on_small_cases(product_cases(), there_and_back, lambda case: case)
    if came is None:
        return None
    with np.errstate(all="ignore"):
        for cause, mistake in exact_mistakes():
            if all(_same(result, mistake(case)) for case, result in came):
                return cause
    return _of_forward_first(implementation)


def _of_forward_first(implementation):
    return "forward_exact does not follow equation 2: mend that first" if of_forward_exact(implementation) else None


def _same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def of_backward_exact(implementation):
    """Why backward_exact is wrong, or None."""

    def run(case):
        return implementation.backward_exact(case, implementation.forward_exact(case))

    def arguments_of(case):
        floats = case.in_floats()
        return floats.functions, floats.gamma, *floats.final, floats.dx

    came = _on_small_cases(small_exact_cases(), run, arguments_of)
    return (came and _first_to_fit([INTEGER_DIVISION, *backward_mistakes()], came)) or _of_forward_first(implementation)
