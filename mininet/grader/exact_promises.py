"""What is promised in exact arithmetic."""

import dataclasses

import numpy as np

from . import cases, diagnosis, reference
from .contract import Broken
from .layers import Scale, Stored, Watch
from .promises import (
    UNKNOWN_IN_SMALL,
    against,
    gradient_results,
    later,
    place,
    promise,
    require_close,
    require_constant_memory,
    require_statistics_moved_once,
    require_untouched,
    state_results,
    velocity_results,
    with_gradient,
)

PROMISES = []


@promise(PROMISES, "exact forward", "x_N and v_N follow equation 2 to within units of 2^-40")
def exact_forward_follows_equation_2(implementation):
    """A product with n/d may be off by up to n units."""
    for case in cases.exact_cases():
        state = implementation.forward_exact(case)
        came = [array * reference.UNIT for array in (state[0], state[1])]
        results = state_results(case.depth, came, case.in_floats().final)
        tolerance = cases.units_off(case) * reference.UNIT
        require_close(
            f"{case}, in multiples of 2^-40", results, tolerance, lambda: diagnosis.of_forward_exact(implementation)
        )


@promise(PROMISES, "exact inversion", "x_0 and v_0 come back bit for bit, after 1,000 layers too")
def exact_inversion_is_exact(implementation):
    """Integers of either sign: products alone, with functions, in many layers, and several states at once."""
    for case in cases.product_cases():
        index = _first_lost(case, _there_and_back(implementation, case))
        if index is None:
            continue
        smallest = case.only(index)
        came = _there_and_back(implementation, smallest)
        if _first_lost(smallest, came) is None:  # only among others: then all are needed
            smallest, came = case, _there_and_back(implementation, case)
        unknown = UNKNOWN_IN_SMALL if (case.n, case.d) == cases.FRACTIONS[0] else OTHER_FRACTION
        raise Broken(smallest, _lost(smallest, came), diagnosis.of_invert_exact(implementation) or unknown)
    for case in cases.exact_cases():
        came = _there_and_back(implementation, case)
        if _first_lost(case, came) is not None:
            raise Broken(case, _lost(case, came), _why_only_with_functions(implementation, case))
    large = cases.large_exact_case()
    _require_back(large, _there_and_back(implementation, large), f"small numbers come back: {SUBTRACTED}")
    for n, d in cases.FRACTIONS:
        _require_deep_back(implementation, n, d)
    uneven = cases.uneven_exact_case()
    _require_back(uneven, _there_and_back(implementation, uneven), UNEVEN)
    _require_back_from_two_states(implementation)


OTHER_FRACTION = "with gamma = {}/{} this comes back: do all numbers depend on n and d?".format(*cases.FRACTIONS[0])
SUBTRACTED = (
    "the integer round((1 - n/d) f(x) 2^40) that is subtracted on the way back must be the one that was added; compute "
    "it by the same function"
)
UNEVEN = "one element's buffer is full while those beside it, where x and v are 0, stay empty: the fullest decides"
SHARED = "what the way back needs must be in the state, not in a global: there may be two states at once"


def _require_back(case, came, cause):
    if _first_lost(case, came) is not None:
        raise Broken(case, _lost(case, came), cause)


def _require_deep_back(implementation, n, d):
    fine = 0
    for depth in (1, 2, 3, 10, 30, 100, 300, 1000):
        if not _comes_back(implementation, depth, n, d):
            case = cases.deep_exact_case(_smallest_depth(implementation, fine, depth, n, d), n, d)
            raise Broken(case, _lost(case, _there_and_back(implementation, case)), _why_only_deep(case))
        fine = depth


def _require_back_from_two_states(implementation):
    both = [cases.deep_exact_case(500, 9, 10), cases.deep_exact_case(100, 1, 2)]
    states = [implementation.forward_exact(case) for case in both]
    for case, state in zip(both, states, strict=True):
        try:
            came = implementation.invert_exact(case, state)
        except Broken as error:
            raise Broken(case, error.came, SHARED) from None
        _require_back(case, came, SHARED)


def _there_and_back(implementation, case):
    return implementation.invert_exact(case, implementation.forward_exact(case))


def _first_lost(case, came):
    """Index of the first element of x or v that did not come back, or None."""
    off = (came[0] != case.x) | (came[1] != case.v)
    return int(np.flatnonzero(off.ravel())[0]) if off.any() else None


def _lost(case, came):
    for name, array, right in zip(("x_0", "v_0"), came, (case.x, case.v), strict=True):
        off = array != right
        if off.any():
            index = tuple(map(int, np.argwhere(off)[0]))
            return f"{place(name, array, index)} = {against(array, right, index)}"
    return None


def _comes_back(implementation, depth, n, d):
    case = cases.deep_exact_case(depth, n, d)
    return _first_lost(case, _there_and_back(implementation, case)) is None


def _smallest_depth(implementation, fine, broken, n, d):
    """Between a depth that is fine and one that is not, by halving."""
    while broken - fine > 1:
        middle = (fine + broken) // 2
        if _comes_back(implementation, middle, n, d):
            fine = middle
        else:
            broken = middle
    return broken


def _why_only_with_functions(implementation, case):
    point = _moved_point(case, lambda case: _there_and_back(implementation, case))
    if point is not None:
        return point
    return f"with f = 0 everything comes back, so the products are right: {SUBTRACTED}"


def _why_only_deep(case):
    bits = case.bits_lost + np.log2(case.d / (case.d - case.n))  # b < (d/n)^N d/(d - n), by adding up what comes in
    if bits < 20:
        return "with few layers everything comes back"
    return (
        f"after {case.depth} layers the buffer can have {bits:.0f} bits, and b d + v mod d has {np.log2(case.d):.0f} "
        "more: it has outgrown its integer; move its low bits to a stack in time, and bring them back at the same layer"
    )


def _moved_point(case, run):
    """A sentence if the function of some layer was not evaluated at the same bits going back; else None."""
    watch = Watch(keeps_points=True)
    run(case.watched(watch))
    for n, f in reversed(list(enumerate(case.functions))):
        points = watch.points(f, "value", "vjp")
        for point in points[1:]:
            if point.shape == points[0].shape and not np.array_equal(point, points[0]):
                there, back = (float(each[point != points[0]][0]) for each in (points[0], point))
                return f"f_{n} was evaluated at {there} going forward, at {back} going back: it must be the same float"
    return None


@promise(PROMISES, "exact gradients", "gradients are right, dL/dv_0 among them")
def exact_gradients_are_right(implementation):
    """Against stored backpropagation in floats, which is off by units of 2^-40."""
    for case in cases.exact_cases():
        floats = case.in_floats()
        came = implementation.backward_exact(case, implementation.forward_exact(case))
        results = gradient_results(case, came, floats.gradients) + velocity_results(came, floats.gradients)
        off = cases.units_off(case) * reference.UNIT * np.abs(case.dx).max(initial=0)
        tolerance = off + cases.gradient_rounding(floats)
        require_close(
            with_gradient(case), results, tolerance,
            lambda case=case: diagnosis.of_backward_exact(implementation) or _moved_point(
                case, lambda case: implementation.backward_exact(case, implementation.forward_exact(case))
            ),
        )  # fmt: skip


@promise(PROMISES, "same bits", "gradients are the same bits as with stored activations, at any depth")
def exact_gradients_are_the_same_bits(implementation):
    """Stored activations: the same backward_exact, with functions that answer from what was stored going forward."""
    for n, d in cases.FRACTIONS:
        for depth in (1, 2, 10, 100, 1000) if (n, d) == cases.FRACTIONS[0] else (100,):
            case = cases.deep_exact_case(depth, n, d)
            watch = Watch(keeps_points=True)
            state = implementation.forward_exact(case.watched(watch))
            points = [watch.points(f, "value", "vjp")[:1] for f in case.functions]
            if not all(points):
                raise Broken(case, "forward_exact did not evaluate all functions")
            stored = [Stored(f, point) for f, (point,) in zip(case.functions, points, strict=True)]
            ours = implementation.backward_exact(case, state)
            theirs = implementation.backward_exact(dataclasses.replace(case, functions=stored), state)
            for one, other in zip(diagnosis.flattened(ours), diagnosis.flattened(theirs), strict=True):
                if np.array_equal(one, other):
                    continue
                gap = float(np.abs(one - other).max())
                raise Broken(
                    case,
                    f"gradients differ by {gap:.3g} from those of stored activations",
                    _moved_point(case, lambda case, state=state: _evaluated_again(implementation, case, state)),
                )


def _evaluated_again(implementation, case, state):
    implementation.forward_exact(case)
    implementation.backward_exact(case, state)


WORD = 64


@promise(PROMISES, "side information", "what is kept beside x and v grows by log2(d/n) bits an element and layer")
def side_information_is_small(implementation):
    """x and v take the same at any depth; a quarter more is allowed, and a word that is not full yet."""
    shallow, deep = 100, 1000
    for n, d in cases.FRACTIONS:
        held = []
        for depth in (shallow, deep):
            case = cases.deep_exact_case(depth, n, d)
            held.append(8 * held_bytes(implementation.forward_exact(case)) / case.x.size)
        limit = (deep - shallow) * np.log2(d / n)
        if held[1] - held[0] > 1.25 * limit + WORD:
            raise Broken(
                f"gamma = {n}/{d}, {shallow} layers and {deep} layers",
                f"the state grows by {held[1] - held[0]:,.0f} bits an element, {limit:,.0f} are needed",
                "something is kept for every layer, such as remainders or x_n: b <- b d + v mod d puts all remainders "
                "into one number, and b mod n takes room out of it again",
            )


def held_bytes(value):
    """Bytes of what a state holds: arrays with theirs, Python integers with their binary digits."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.nbytes
    if isinstance(value, (np.ndarray, list, tuple, set)):
        return sum(held_bytes(each) for each in (value.ravel() if isinstance(value, np.ndarray) else value))
    if isinstance(value, dict):
        return sum(held_bytes(each) for each in value.values())
    if isinstance(value, (bool, type(None))):
        return 0
    if isinstance(value, int):
        return value.bit_length() / 8
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    if isinstance(value, (np.generic, float)):
        return np.asarray(value).nbytes
    return held_bytes(vars(value)) if hasattr(value, "__dict__") else 0


@promise(PROMISES, "exact inputs", "x_0, v_0 and dL/dx_N stay as they are")
def exact_inputs_stay(implementation):
    """Only the state may be used up."""
    case = cases.deep_exact_case(3, 9, 10)
    overwritten = []
    state = implementation.forward_exact(case, overwritten=overwritten)
    require_untouched(case, "forward_exact", overwritten)
    implementation.backward_exact(case, state, overwritten=overwritten)
    require_untouched(case, "backward_exact", [name for name in overwritten if name != "state"])


@promise(PROMISES, "exact statistics", "statistics move once a layer in forward_exact, and stay on the way back")
def exact_statistics_move_once(implementation):
    """As in floats."""
    with_statistics = cases.case_with_statistics()
    case = dataclasses.replace(
        cases.deep_exact_case(with_statistics.depth, 9, 10, with_statistics.x.shape),
        functions=with_statistics.functions,
    )
    state = []
    require_statistics_moved_once(
        case,
        {
            "forward_exact": lambda case: state.append(implementation.forward_exact(case)),
            "invert_exact": lambda case: implementation.invert_exact(case, state[0]),
            "backward_exact": lambda case: implementation.backward_exact(case, state[0]),
        },
    )


@promise(PROMISES, "exact memory", "memory grows by side information only")
def exact_memory_is_constant(implementation):
    """gamma = 99/100: 0.0145 bits an element and layer."""

    def make_case(depth):
        return cases.deep_exact_case(depth, 99, 100, (64, 64), lambda features, random: Scale(-0.5))

    case = make_case(1)
    per_layer = 1.25 * np.log2(case.d / case.n) / 8 * case.x.size
    require_constant_memory(
        make_case,
        {
            "forward_exact": lambda case: lambda: implementation.forward_exact(case),
            "invert_exact": lambda case: later(
                implementation.forward_exact(case), lambda state: implementation.invert_exact(case, state)
            ),
            "backward_exact": lambda case: later(
                implementation.forward_exact(case), lambda state: implementation.backward_exact(case, state)
            ),
        },
        per_layer,
    )
