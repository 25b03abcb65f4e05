"""What is promised in exact arithmetic."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import cases, diagnosis, promises, reference
from .cases import ExactCase
from .contract import Broken, Implementation
from .layers import Scale, Watch
from .promises import Promise, promise, require_close, with_gradient
from .reference import Gradients, Pair

PROMISES: list[Promise] = []


@promise(PROMISES, "exact forward", "x_N and v_N follow equation 2 to within units of 2^-40")
def _exact_forward_follows_equation_2(implementation: Implementation) -> None:
    """Allow a product with n/d to be off by up to n units."""
    for case in cases.exact_cases():
        state = implementation.forward_exact(case)
        came = [array * reference.UNIT for array in (state[0], state[1])]
        results = promises.state_results(case.depth, came, case.in_floats().final)
        tolerance = cases.units_off(case) * reference.UNIT
        require_close(
            f"{case}, in multiples of 2^-40", results, tolerance, lambda: diagnosis.of_forward_exact(implementation)
        )


@promise(PROMISES, "exact inversion", "x_0 and v_0 come back bit for bit, after 1,000 layers too")
def _exact_inversion_is_exact(implementation: Implementation) -> None:
    """Try integers of either sign: products alone, with functions, in many layers, and two states at once."""
    for case in cases.product_cases():
        x, v = _there_and_back(implementation, case)
        off = (x != case.x) | (v != case.v)
        if off.any():
            is_first = (case.n, case.d) == cases.FRACTIONS[0]
            cause = diagnosis.of_invert_exact(implementation)
            cause = cause or (promises.UNKNOWN_IN_SMALL if is_first else OTHER_FRACTION)
            for tried in (case.only(int(off.argmax())), case):  # some are lost only among others
                _require_back(implementation, tried, cause)
    for case in cases.exact_cases():
        _require_back(implementation, case, functools.partial(_why_only_with_functions, implementation, case))
    _require_back(implementation, cases.large_exact_case(), f"small numbers come back: {SUBTRACTED}")
    for n, d in cases.FRACTIONS:
        _require_deep_back(implementation, n, d)
    _require_back(implementation, cases.uneven_exact_case(), UNEVEN)
    _require_back_from_two_states(implementation)


OTHER_FRACTION = "with gamma = {}/{} this comes back: do all numbers depend on num and den?".format(*cases.FRACTIONS[0])
SUBTRACTED = (
    "the integer round((1 - num/den) f(x) 2^40) that is subtracted on the way back must be the one that was added; "
    "compute it by the same function"
)
UNEVEN = "one element's buffer is full while those beside it, where x and v are 0, stay empty: the fullest decides"
SHARED = "what the way back needs must be in the state, not in a global: there may be two states at once"


def _require_back(implementation: Implementation, case: ExactCase, cause: str | Callable[[], str]) -> None:
    lost = _lost(case, _there_and_back(implementation, case))
    if lost:
        raise Broken(case, lost, cause() if callable(cause) else cause)


def _require_deep_back(implementation: Implementation, n: int, d: int) -> None:
    def lost_in(depth: int) -> str | None:
        case = cases.deep_exact_case(depth, n, d)
        return _lost(case, _there_and_back(implementation, case))

    fine = 0
    for broken in (1, 2, 3, 10, 30, 100, 300, 1000):
        lost = lost_in(broken)
        while lost and broken - fine > 1:  # look for the smallest depth, by halving
            middle = (fine + broken) // 2
            lost_earlier = lost_in(middle)
            fine, broken, lost = (fine, middle, lost_earlier) if lost_earlier else (middle, broken, lost)
        if lost:
            case = cases.deep_exact_case(broken, n, d)
            raise Broken(case, lost, _why_only_deep(case))
        fine = broken


def _require_back_from_two_states(implementation: Implementation) -> None:
    both = [cases.deep_exact_case(500, 9, 10), cases.deep_exact_case(100, 1, 2)]
    states = [implementation.forward_exact(case) for case in both]
    for case, state in zip(both, states, strict=True):
        try:
            lost = _lost(case, implementation.invert_exact(case, state))
        except Broken as error:
            lost = error.came
        if lost:
            raise Broken(case, lost, SHARED)


def _there_and_back(implementation: Implementation, case: ExactCase) -> Pair:
    return implementation.invert_exact(case, implementation.forward_exact(case))


def _lost(case: ExactCase, came: Pair) -> str | None:
    """Say which element did not come back, or None."""
    for name, array, right in zip(("x_0", "v_0"), came, (case.x, case.v), strict=True):
        if (array != right).any():
            return promises.first_difference(name, array, right, array != right)
    return None


def _why_only_with_functions(implementation: Implementation, case: ExactCase) -> str:
    point = _moved_point(case, functools.partial(_there_and_back, implementation))
    return point or f"with f = 0 everything comes back, so the products are right: {SUBTRACTED}"


def _why_only_deep(case: ExactCase) -> str:
    bits = case.bits_lost + np.log2(case.d / (case.d - case.n))  # b < (d/n)^N d/(d - n), by adding up what comes in
    if bits < 20:
        return "with few layers everything comes back"
    return (
        f"after {case.depth} layers the buffer can have {bits:.0f} bits, and b den + v mod den has "
        f"{np.log2(case.d):.0f} more: it has outgrown its integer; move its low bits to a stack in time, and bring "
        "them back at the same layer"
    )


def _moved_point(case: ExactCase, run: Callable[[ExactCase], Any]) -> str | None:
    """Say which function was evaluated at other bits going back than going forward, or None."""
    watch = Watch(keeps_points=True)
    run(case.watched(watch))
    for n, f in reversed(list(enumerate(case.functions))):
        points = watch.points[f]
        for point in points[1:]:
            if point.shape == points[0].shape and not np.array_equal(point, points[0]):
                there, back = (float(each[point != points[0]][0]) for each in (points[0], point))
                return f"f_{n} was evaluated at {there} going forward, at {back} going back: it must be the same float"
    return None


@promise(PROMISES, "exact gradients", "gradients are right, dL/dv_0 among them")
def _exact_gradients_are_right(implementation: Implementation) -> None:
    """Compare with stored backpropagation in floats, which is off by units of 2^-40."""
    for case in cases.exact_cases():
        floats = case.in_floats()
        came = _trained(implementation, case)
        right = floats.gradients
        results = [*promises.gradient_results(case, came, right), ("dL/dv_0", came[1], right[1])]
        off = cases.units_off(case) * reference.UNIT * np.abs(case.dx).max(initial=0)
        tolerance = off + cases.gradient_rounding(floats)
        require_close(with_gradient(case), results, tolerance, functools.partial(_why_gradients, implementation, case))


def _trained(implementation: Implementation, case: ExactCase) -> Gradients:
    return implementation.backward_exact(case, implementation.forward_exact(case))


def _why_gradients(implementation: Implementation, case: ExactCase) -> str | None:
    cause = diagnosis.of_backward_exact(implementation)
    return cause or _moved_point(case, functools.partial(_trained, implementation))


@promise(PROMISES, "same bits", "gradients are the same bits as with stored activations, at any depth")
def _exact_gradients_are_the_same_bits(implementation: Implementation) -> None:
    """Compare with backward_exact on functions that answer from what was stored going forward."""
    for n, d in cases.FRACTIONS:
        for depth in (1, 2, 10, 100, 1000) if (n, d) == cases.FRACTIONS[0] else (100,):
            _require_same_bits(implementation, cases.deep_exact_case(depth, n, d))
    _require_same_bits(implementation, cases.large_exact_case(), f"small numbers give the same bits: {PULLED}")


PULLED = (
    "what backward_exact subtracts from v must be what forward_exact added, to the last bit; 1 - num/den and "
    "(den - num) / den, say, are two different floats"
)


def _require_same_bits(implementation: Implementation, case: ExactCase, cause: str | None = None) -> None:
    watch = Watch(keeps_points=True)
    state = implementation.forward_exact(case.watched(watch))
    points = [watch.points[f][:1] for f in case.functions]
    if not all(points):
        raise Broken(case, "forward_exact did not evaluate all functions")
    stored = [f.stored_at(point) for f, (point,) in zip(case.functions, points, strict=True)]
    ours = implementation.backward_exact(case, state)
    theirs = implementation.backward_exact(dataclasses.replace(case, functions=stored), state)
    for one, other in zip(diagnosis.flattened(ours), diagnosis.flattened(theirs), strict=True):
        if not np.array_equal(one, other):
            gap = float(np.abs(one - other).max())
            moved = _moved_point(case, functools.partial(_evaluated_again, implementation, state))
            raise Broken(case, f"gradients differ by {gap:.3g} from those of stored activations", cause or moved)


def _evaluated_again(implementation: Implementation, state: Any, case: ExactCase) -> None:
    implementation.forward_exact(case)
    implementation.backward_exact(case, state)


@promise(PROMISES, "side information", "what is kept beside x and v grows by log2(den/num) bits per element and layer")
def _side_information_is_small(implementation: Implementation) -> None:
    """Allow a quarter more than needed, and one 64-bit word that is not full yet."""
    shallow, deep = 100, 1000
    for n, d in cases.FRACTIONS:
        held = []
        for depth in (shallow, deep):
            case = cases.deep_exact_case(depth, n, d)
            held.append(8 * held_bytes(implementation.forward_exact(case)) / case.x.size)
        limit = (deep - shallow) * np.log2(d / n)
        if held[1] - held[0] > 1.25 * limit + 64:
            raise Broken(
                f"gamma = {n}/{d}, {shallow} layers and {deep} layers",
                f"the state grows by {held[1] - held[0]:,.0f} bits an element, {limit:,.0f} are needed",
                "something is kept for every layer, such as remainders or x_n: b <- b den + v mod den puts all "
                "remainders into one number, and b mod num takes room out of it again",
            )


def held_bytes(value: Any) -> float:
    """Count the bytes of a state; a Python integer counts as its binary digits."""
    if isinstance(value, (np.ndarray, np.generic, float)) and np.asarray(value).dtype != object:
        return np.asarray(value).nbytes
    if isinstance(value, (np.ndarray, list, tuple, set, dict)):
        each = value.values() if isinstance(value, dict) else value.ravel() if isinstance(value, np.ndarray) else value
        return sum(map(held_bytes, each))
    if isinstance(value, int):
        return 0 if isinstance(value, bool) else value.bit_length() / 8
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    return held_bytes(vars(value)) if hasattr(value, "__dict__") else 0


@promise(PROMISES, "exact inputs", "x_0, v_0 and dL/dx_N stay as they are")
def _exact_inputs_stay(implementation: Implementation) -> None:
    case = cases.deep_exact_case(3, 9, 10)
    overwritten: list[str] = []
    state = implementation.forward_exact(case, overwritten=overwritten)
    promises.require_untouched(case, "forward_exact", overwritten)
    implementation.backward_exact(case, state, overwritten=overwritten)
    promises.require_untouched(case, "backward_exact", [name for name in overwritten if name != "state"])


@promise(PROMISES, "exact statistics", "statistics move once a layer in forward_exact, and stay on the way back")
def _exact_statistics_move_once(implementation: Implementation) -> None:
    floats, state = cases.case_with_statistics(), []
    promises.require_statistics_moved_once(
        dataclasses.replace(cases.deep_exact_case(floats.depth, 9, 10, floats.x.shape), functions=floats.functions),
        {
            "forward_exact": lambda case: state.append(implementation.forward_exact(case)),
            "invert_exact": lambda case: implementation.invert_exact(case, state[0]),
            "backward_exact": lambda case: implementation.backward_exact(case, state[0]),
        },
    )


@promise(PROMISES, "exact memory", "memory grows by side information only")
def _exact_memory_is_constant(implementation: Implementation) -> None:
    """With gamma = 99/100, side information takes 0.0145 bits per element and layer."""

    def make_case(depth: int) -> ExactCase:
        return cases.deep_exact_case(depth, 99, 100, (64, 64), lambda features, random: Scale(-0.5))

    def prepared(function: Callable[..., Any], case: ExactCase) -> Callable[[], Any]:
        return functools.partial(function, case, implementation.forward_exact(case))

    case = make_case(1)
    promises.require_constant_memory(
        make_case,
        {
            "forward_exact": lambda case: functools.partial(implementation.forward_exact, case),
            "invert_exact": functools.partial(prepared, implementation.invert_exact),
            "backward_exact": functools.partial(prepared, implementation.backward_exact),
        },
        per_layer=1.25 * np.log2(case.d / case.n) / 8 * case.x.size,
    )
