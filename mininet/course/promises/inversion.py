"""Chapters 05 and 06: the rule and its inverse, in floats and in integers."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ...grader import PROMISES as BLOCK
from ...grader.cases import Case, ExactCase, case_with_statistics, deep_exact_case
from ...grader.contract import Broken, Implementation
from ...grader.promises import Promise, promise, require_untouched
from ..own import multiply, spill_schedule
from .comparing import explaining, pair
from .mistakes import cause_of, is_same

PROMISES: list[Promise] = []


def _require_clean(implementation: Implementation, name: str, case: Case | ExactCase, *given: Any) -> Any:
    """Call a function; raise `Broken` if it writes into its arguments, or does not say what it repeats."""
    found: list[str] = []
    before = [f.moves for f in case.functions]
    result = implementation.call(name, case, *given, overwritten=found)
    require_untouched(case, name, [each for each in found if each != "state"])  # which is seen when it is used again
    for n, (f, moves) in enumerate(zip(case.functions, before, strict=True)):
        if name.startswith("invert") and f.moves != moves:
            raise Broken(case, f"{name} called f_{n} without replay=True", "on the way back, call f(x, replay=True)")
        if name.startswith("forward") and f.moves != moves + 1:
            came = f"{name} called f_{n} {f.moves - moves} times without replay=True, should be once"
            raise Broken(case, came, "going forward, call f(x) once for each layer")
    return result


@promise(PROMISES, "forward is clean", "forward leaves x, v and functions as they are, and calls each f(x) once")
def _forward_is_clean(implementation: Implementation) -> None:
    case = case_with_statistics()
    _require_clean(implementation, "forward", case, case.x, case.v)


@promise(PROMISES, "invert is clean", "invert leaves x, v and functions as they are, and says replay=True")
def _invert_is_clean(implementation: Implementation) -> None:
    case = case_with_statistics()
    _require_clean(implementation, "invert", case, *case.final)


@promise(PROMISES, "exact is clean", "forward_exact and invert_exact leave what they are given, and the latter replays")
def _exact_is_clean(implementation: Implementation) -> None:
    """With 1/5000, the third layer spills."""
    floats = case_with_statistics()
    case = dataclasses.replace(deep_exact_case(floats.depth, 1, 5000, floats.x.shape), functions=floats.functions)
    state = _require_clean(implementation, "forward_exact", case, case.x, case.v)
    _require_clean(implementation, "invert_exact", case, state)
    used_up = "stack.pop() empties the list in the caller's state: begin with stack = list(stack)"
    with explaining(lambda error: f"it was called twice with one state; {used_up}"):
        once, again = (
            implementation.run("invert_exact", case, list(case.functions), case.n, case.d, state) for _ in range(2)
        )
    if not is_same(once, again):
        raise Broken(case, "from one state, invert_exact first returns one x and v, then another", used_up)


def _multiply(implementation: Implementation, example: str, *given: Any) -> Any:
    came = implementation.run("multiply", example, *given)
    pair(example, "what multiply returns", came, given[:2], "vb")
    return came


@promise(PROMISES, "product", "multiply gives v num/den, off by less than num units")
def _multiplies(implementation: Implementation) -> None:
    for num, den in ((2, 3), (9, 10), (1, 2)):
        for v, b in ((-8, 0), (23, 0), (-23, 5), (10**12, 7)):
            example = f"multiply({v}, {b}, {num}, {den})"
            came = _multiply(implementation, example, v, b, num, den)
            if abs(came[0] - v * num / den) >= num:
                swapped = "return (v, b), in this order" if came == multiply(v, b, num, den)[::-1] else None
                raise Broken(example, f"v = {came[0]}, should be near {v * num / den:.1f}", swapped)


@promise(PROMISES, "product undone", "multiply with den and num undoes multiply with num and den, for either sign of v")
def _undoes_products(implementation: Implementation) -> None:
    of_arrays = "v and b are int64 arrays here: // and % work for them, too, int(...) and math.floor(...) don't"
    for num, den in ((2, 3), (9, 10), (1, 2), (99, 100)):
        v = np.concatenate([np.arange(-60, 60), [10**15 + 7, -(10**15) - 7]])
        b = np.arange(len(v)) % 41
        example = f"v = -60, ..., 59 with buffers 0, ..., 40, times {num}/{den} and back"
        given = v.copy(), b.copy()
        with explaining(lambda error: of_arrays if "raised" in error.came else None):
            product = _multiply(implementation, example, *given, num, den)
        for name, now, before in zip("vb", given, (v, b), strict=True):
            if (now != before).any():
                cause = f"{name} //= den and the like write into the array that you were given: {name} = {name} // den"
                raise Broken(example, f"multiply has overwritten its argument {name}", cause)
        back = _multiply(implementation, example, *product, den, num)
        off = (back[0] != v) | (back[1] != b)
        if off.any():
            k = int(off.argmax())
            came = f"v = {v[k]}, b = {b[k]} came back as v = {back[0][k]}, b = {back[1][k]}"
            cause = "push v mod den onto b, divide v, multiply it by num, pop b mod num into it"
            if not off[v >= 0].any():
                cause = (
                    "only negative v are lost: int(v / den) rounds them towards zero; v // den and v % den fit together"
                )
            raise Broken(example, came, cause_of("multiply", [((v, b, num, den), product)], cause))


SCHEDULES = (9, 10, 500), (1, 2, 100), (99, 100, 2500), (1, 1000, 20), (28, 61, 330)
"""The last one shows if what a spill leaves is rounded down."""


@promise(PROMISES, "spilling", "spill_schedule moves bytes as late as is safe for 32 bits")
def _spills(implementation: Implementation) -> None:
    for given in SCHEDULES:
        example = f"spill_schedule{given}"
        result, name = implementation.run("spill_schedule", example, *given), "what spill_schedule returns"
        ((_, came, right),) = pair(example, name, result, np.array(spill_schedule(*given)))
        if (came != right).any():
            n = int((came != right).argmax())
            calls = [(each, implementation.run("spill_schedule", example, *each)) for each in SCHEDULES]
            recipe = "before each layer: while ceil(B den/num) > 2**32, spill and B <- ceil(B / 2**8); then"
            cause = cause_of("spill_schedule", calls, f"{recipe} B <- ceil(B den/num)")
            raise Broken(example, f"{came[n]} spills before layer {n}, should be {right[n]}", cause)


def _why_not_back(implementation: Implementation) -> str | None:
    """Which mistake gives what invert_exact makes of the state, in few layers and in many?"""
    for depth in (2, 400):
        case = deep_exact_case(depth, 9, 10)
        state = implementation.forward_exact(case)
        came = implementation.invert_exact(case, state)
        if not np.array_equal(came, (case.x, case.v)):
            return cause_of("invert_exact", [((case.functions, case.n, case.d, state), came)])
    return None


def _why_so_large(implementation: Implementation) -> str | None:
    """Are bytes kept as 64-bit integers?"""
    stack = implementation.forward_exact(deep_exact_case(400, 9, 10))[3]
    if stack and all(each.dtype.itemsize > 1 and each.max() < 2**8 for each in stack):
        return f"the stack holds bytes as {stack[0].dtype}: append (b % 2**8).astype(np.uint8)"
    return None


def _explained(name: str, why: Callable[[Implementation], str | None]) -> Promise:
    """The grader's promise of this name, with a cause that fits the course's way to keep it, if there is one."""
    (grader,) = (each for each in BLOCK if each.name == name)

    def check(implementation: Implementation) -> None:
        def cause(_: Broken) -> str | None:
            with contextlib.suppress(Exception):  # whatever a learner's state is made of
                return why(implementation)
            return None

        with explaining(cause):
            grader.check(implementation)

    return grader._replace(check=check)


PROMISES += [_explained("exact inversion", _why_not_back), _explained("side information", _why_so_large)]
