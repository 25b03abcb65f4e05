"""Chapters 05 and 06: the rule and its inverse, in floats and in integers."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ...grader import PROMISES as BLOCK
from ...grader.cases import Case, ExactCase, case_with_statistics, deep_exact_case
from ...grader.contract import Broken, Implementation
from ...grader.promises import Promise, promise
from ..own import multiply, spill_schedule
from .mistakes import cause_of

PROMISES: list[Promise] = []


def _require_clean(implementation: Implementation, name: str, case: Case | ExactCase, *given: Any) -> Any:
    """Call a function; raise `Broken` if it writes into its arguments, or does not say what it repeats."""
    found: list[str] = []
    before = [f.moves for f in case.functions]
    result = implementation.call(name, case, *given, overwritten=found)
    overwritten = [each for each in found if each != "state"]  # which is seen when it is used again
    if overwritten:
        cause = "x += v and x -= v write into the array that you were given; x = x + v makes a new one"
        if "functions" in overwritten:
            cause = "functions.reverse() and functions.pop() change the caller's list: use reversed(functions)"
        raise Broken(case, f"{name} has overwritten its argument {' and '.join(overwritten)}", cause)
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
    try:
        once, again = (
            implementation.run("invert_exact", case, list(case.functions), case.n, case.d, state) for _ in range(2)
        )
    except Broken as error:
        raise Broken(case, f"from a state used before, {error.came}", USED_UP) from None
    if not all(map(np.array_equal, once, again)):
        raise Broken(case, "from one state, invert_exact first returns one x and v, then another", USED_UP)


USED_UP = "stack.pop() empties the list in the caller's state: begin with stack = list(stack)"


@promise(PROMISES, "product", "multiply gives v num/den, off by less than num units")
def _multiplies(implementation: Implementation) -> None:
    for num, den in ((2, 3), (9, 10), (1, 2)):
        for v, b in ((-8, 0), (23, 0), (-23, 5), (10**12, 7)):
            example = f"multiply({v}, {b}, {num}, {den})"
            came = implementation.run("multiply", example, v, b, num, den)
            if not isinstance(came, tuple) or len(came) != 2:
                raise Broken(example, f"multiply must return (v, b), came {came!r}")
            if abs(came[0] - v * num / den) >= num:
                swapped = "return (v, b), in this order" if came == multiply(v, b, num, den)[::-1] else None
                raise Broken(example, f"v = {came[0]}, should be near {v * num / den:.1f}", swapped)


@promise(PROMISES, "product undone", "multiply with den and num undoes multiply with num and den, for either sign of v")
def _undoes_products(implementation: Implementation) -> None:
    for num, den in ((2, 3), (9, 10), (1, 2), (99, 100)):
        v = np.concatenate([np.arange(-60, 60), [10**15 + 7, -(10**15) - 7]])
        b = np.arange(len(v)) % 41
        example = f"v = -60, ..., 59 with buffers 0, ..., 40, times {num}/{den} and back"
        given = v.copy(), b.copy()
        try:
            pair = implementation.run("multiply", example, *given, num, den)
        except Broken as error:
            cause = "v and b are int64 arrays here: // and % work for them, too, int(...) and math.floor(...) don't"
            raise Broken(example, error.came, cause) from None
        for name, now, before in zip("vb", given, (v, b), strict=True):
            if (now != before).any():
                cause = f"{name} //= den and the like write into the array that you were given: {name} = {name} // den"
                raise Broken(example, f"multiply has overwritten its argument {name}", cause)
        back = implementation.run("multiply", example, *pair, den, num)
        off = (back[0] != v) | (back[1] != b)
        if off.any():
            k = int(off.argmax())
            came = f"v = {v[k]}, b = {b[k]} came back as v = {back[0][k]}, b = {back[1][k]}"
            cause = "push v mod den onto b, divide v, multiply it by num, pop b mod num into it"
            if not off[v >= 0].any():
                cause = (
                    "only negative v are lost: int(v / den) rounds them towards zero; v // den and v % den fit together"
                )
            raise Broken(example, came, cause_of("multiply", [((v, b, num, den), pair)], cause))


SCHEDULES = (9, 10, 500), (1, 2, 100), (99, 100, 2500), (1, 1000, 20), (28, 61, 330)
"""The last one shows if what a spill leaves is rounded down."""


@promise(PROMISES, "spilling", "spill_schedule moves bytes as late as is safe for 32 bits")
def _spills(implementation: Implementation) -> None:
    for given in SCHEDULES:
        example = f"spill_schedule{given}"
        came, right = implementation.run("spill_schedule", example, *given), spill_schedule(*given)
        if not hasattr(came, "__len__") or len(came) != len(right):
            raise Broken(example, f"it must return {len(right)} numbers, one for each layer, came {came!r:.80}")
        if list(came) != right:
            n = next(n for n in range(len(right)) if came[n] != right[n])
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
        try:
            grader.check(implementation)
        except Broken as error:
            try:
                cause = why(implementation)
            except Exception:  # whatever a learner's state is made of
                cause = None
            raise Broken(error.example, error.came, cause or error.cause) from None

    return grader._replace(check=check)


PROMISES += [_explained("exact inversion", _why_not_back), _explained("side information", _why_so_large)]
