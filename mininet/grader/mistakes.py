"""Known mistakes: the reference's loops with a wrong step, or with something wrong before or after, by the cause."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..base.types import AnyArray, IntegerArray
from . import reference
from .cases import ExactCase
from .layers import Layer, Pull
from .reference import Adjoint, Function, Gradients, Multiply, Pair, Step, Undo, Undone, run, run_back

Formula: TypeAlias = Callable[[AnyArray, AnyArray, float], AnyArray]
Factor: TypeAlias = Callable[[float], float]
Pulled: TypeAlias = tuple[AnyArray, AnyArray, list[AnyArray]]
Passing: TypeAlias = Callable[[Sequence[Layer], float, AnyArray, AnyArray], Sequence[AnyArray]]
"""A forward pass, or the way back."""
Backward: TypeAlias = Callable[[Sequence[Layer], float, AnyArray, AnyArray, AnyArray], Gradients]
Rest: TypeAlias = Callable[[IntegerArray, int], IntegerArray]
Finish: TypeAlias = Callable[[float, AnyArray, AnyArray, list[list[AnyArray]]], Gradients]

# Forward


def with_velocity(formula: Formula) -> Step:
    """Make a step that is right except for the velocity, a function of the old one, f(x) and gamma."""

    def step(f: Function, g: float, x: AnyArray, v: AnyArray) -> Pair:
        v = formula(v, f(x), g)
        return x + v, v

    return step


FORWARD_STEPS: dict[str, Step] = {
    "gamma and 1 - gamma have changed places": with_velocity(lambda v, f, g: (1 - g) * v + g * f),
    "the factor 1 - gamma of f(x) is missing": with_velocity(lambda v, f, g: g * v + f),
    "f(x) is multiplied by gamma instead of 1 - gamma": with_velocity(lambda v, f, g: g * v + g * f),
    "v is divided by gamma instead of multiplied": with_velocity(lambda v, f, g: v / g + (1 - g) * f),
    "v is not multiplied by gamma": with_velocity(lambda v, f, g: v + (1 - g) * f),
    "neither v nor f(x) has its factor": with_velocity(lambda v, f, g: v + f),
    "the velocity is not carried along: gamma v is missing": with_velocity(lambda v, f, g: (1 - g) * f),
    "f(x) has the wrong sign": with_velocity(lambda v, f, g: g * v - (1 - g) * f),
    "this is the plain ResNet, x + f(x), without a velocity": lambda f, g, x, v: (x + f(x), v),
    "the update order is swapped: x was moved by the old velocity, and must be moved by the new one": (
        lambda f, g, x, v: (x + v, g * v + (1 - g) * f(x))
    ),
    "f was evaluated after x had been moved: v must be updated first, with f at the old x": (
        lambda f, g, x, v: (x + v, g * v + (1 - g) * f(x + v))
    ),
    "f was evaluated at x + gamma v, as Nesterov's method does, and must be at x": (
        lambda f, g, x, v: (x + g * v + (1 - g) * f(x + g * v), g * v + (1 - g) * f(x + g * v))
    ),
    "x is not moved": lambda f, g, x, v: (x, reference.step(f, g, x, v)[1]),
    "x is replaced by v, instead of moved by it": lambda f, g, x, v: 2 * (reference.step(f, g, x, v)[1],),
    "x is moved against v: the sign": lambda f, g, x, v: (
        2 * x - reference.step(f, g, x, v)[0],
        g * v + (1 - g) * f(x),
    ),
}


def running(step: Step) -> Passing:
    """Make a forward pass of this step."""
    return lambda functions, g, x, v: run(functions, g, x, v, step)


FORWARD: dict[str, Passing] = {cause: running(step) for cause, step in FORWARD_STEPS.items()} | {
    "x and v are returned in the wrong order": lambda functions, g, x, v: run(functions, g, x, v)[::-1],
    "the functions are taken from last to first": lambda functions, g, x, v: run(functions[::-1], g, x, v),
    "the last layer is left out": lambda functions, g, x, v: run(functions[:-1], g, x, v),
    "the first layer is left out": lambda functions, g, x, v: run(functions[1:], g, x, v),
    "only the first layer is run": lambda functions, g, x, v: run(functions[:1], g, x, v),
    "the initial velocity is ignored, and taken as 0": lambda functions, g, x, v: run(functions, g, x, 0 * v),
    "v is returned as it was given": lambda functions, g, x, v: (run(functions, g, x, v)[0], v),
}

# The way back


def _velocity_back(formula: Formula) -> Undo:
    """Undo a layer, right except for the velocity, a function of v_{n+1}, f(x_n) and gamma."""

    def undo(f: Function, g: float, x: AnyArray, v: AnyArray) -> Undone:
        x = x - v
        return x, formula(v, f(x), g), x

    return undo


def _at(place: Callable[[AnyArray, AnyArray], AnyArray]) -> Undo:
    """Undo a layer, right except for x_n, which is `place(x_{n+1}, v_{n+1})`."""

    def undo(f: Function, g: float, x: AnyArray, v: AnyArray) -> Undone:
        point = place(x, v)
        return point, (v - (1 - g) * f(point)) / g, point

    return undo


def _velocity_undone_first(f: Function, g: float, x: AnyArray, v: AnyArray) -> Undone:
    v = (v - (1 - g) * f(x)) / g
    return x - v, v, x


UNDO_STEPS: dict[str, Undo] = {
    "v was not divided by gamma": _velocity_back(lambda v, f, g: v - (1 - g) * f),
    "v was multiplied by gamma instead of divided": _velocity_back(lambda v, f, g: g * (v - (1 - g) * f)),
    "only v was divided by gamma: (v - (1 - gamma) f(x)) must be divided as a whole": _velocity_back(
        lambda v, f, g: v / g - (1 - g) * f
    ),
    "only f(x) was divided by gamma: (v - (1 - gamma) f(x)) must be divided as a whole": _velocity_back(
        lambda v, f, g: v - (1 - g) * f / g
    ),
    "the factor 1 - gamma of f(x) is missing": _velocity_back(lambda v, f, g: (v - f) / g),
    "gamma and 1 - gamma have changed places": _velocity_back(lambda v, f, g: (v - g * f) / (1 - g)),
    "(1 - gamma) f(x) was added, and must be subtracted": _velocity_back(lambda v, f, g: (v + (1 - g) * f) / g),
    "the velocity is not carried back: v_n must be computed from v_{n+1} in every layer": _velocity_back(
        lambda v, *_: v
    ),
    "the velocity is not carried back: it is set to 0": _velocity_back(lambda v, f, g: 0 * v),
    "f was evaluated at x_{n+1}: x must be moved back first, and f evaluated at x_n": (
        lambda f, g, x, v: (x - v, (v - (1 - g) * f(x)) / g, x)
    ),
    "the order is swapped: x must be moved back by v_{n+1}, before v is changed": _velocity_undone_first,
    "x was moved on by v, and must be moved back: the sign": _at(lambda x, v: x + v),
    "x is not moved back": _at(lambda x, v: x),
    "it runs the layers forward": lambda f, g, x, v: (*reference.step(f, g, x, v), x),
}


def _running_back(undo: Undo) -> Passing:
    return lambda functions, g, x, v: run_back(functions, g, x, v, undo)


INVERT: dict[str, Passing] = {cause: _running_back(undo) for cause, undo in UNDO_STEPS.items()} | {
    "the functions are taken from first to last: the last layer must be undone first": (
        lambda functions, g, x, v: run_back(functions[::-1], g, x, v)
    ),
    "the first layer is left out: it must be undone too": lambda functions, g, x, v: run_back(functions[1:], g, x, v),
    "the last layer is left out: it must be undone first": lambda functions, g, x, v: run_back(functions[:-1], g, x, v),
    "x and v are returned in the wrong order": lambda functions, g, x, v: run_back(functions, g, x, v)[::-1],
    "v_0 is returned as 0, whatever it was": lambda functions, g, x, v: (run_back(functions, g, x, v)[0], 0 * v),
    "only x is brought back: v is returned as it was given": (
        lambda functions, g, x, v: (run_back(functions, g, x, v)[0], v)
    ),
}

# Gradients


def _adjoint(
    pulled: Formula = lambda p, q, g: (1 - g) * (p + q), q: Formula = lambda p, q, g: g * (p + q),
    p: Formula = lambda p, q, g: p, residual: Factor = lambda g: 1.0, parameters: Factor = lambda g: 1.0,
) -> Adjoint:  # fmt: skip
    """Make the adjoint of a layer, right except for the given formulas of the old p, the old q and gamma."""

    def adjoint(pullback: Pull, g: float, old_p: AnyArray, old_q: AnyArray) -> Pulled:
        by_x, by_parameters = pullback(pulled(old_p, old_q, g))
        new_p = p(old_p, old_q, g) + residual(g) * by_x
        return new_p, q(old_p, old_q, g), [parameters(g) * by for by in by_parameters]

    return adjoint


def _with_new_p(pullback: Pull, g: float, p: AnyArray, q: AnyArray) -> Pulled:
    by_x, by_parameters = pullback((1 - g) * (p + q))
    return p + by_x, g * (p + by_x + q), by_parameters


def _p_added_late(pullback: Pull, g: float, p: AnyArray, q: AnyArray) -> Pulled:
    by_x, by_parameters = pullback((1 - g) * q)
    return p + by_x, g * q + p + by_x, by_parameters


ADJOINT_STEPS: dict[str, Adjoint] = {
    "s is p alone: what reaches the loss through the velocity, q, is missing": _adjoint(
        pulled=lambda p, q, g: (1 - g) * p, q=lambda p, q, g: g * p
    ),
    "s is p alone where f is pulled back, and must be p + q there too": _adjoint(pulled=lambda p, q, g: (1 - g) * p),
    "s is q alone: p, what reaches the loss through x_{n+1}, is missing": _adjoint(
        pulled=lambda p, q, g: (1 - g) * q, q=lambda p, q, g: g * q
    ),
    "p is added to q at the end of a layer, and must be at its beginning": _p_added_late,
    "q, the gradient of the velocity, stays 0: it must become gamma s in every layer": _adjoint(q=lambda p, q, g: q),
    "q is not multiplied by gamma: q <- gamma s": _adjoint(q=lambda p, q, g: p + q),
    "q is only gamma p: it must be gamma s": _adjoint(q=lambda p, q, g: g * p),
    "q is multiplied by 1 - gamma instead of gamma": _adjoint(q=lambda p, q, g: (1 - g) * (p + q)),
    "q was computed from the new p: s must be added up before p changes": _with_new_p,
    "the factor 1 - gamma is missing: f is pulled back from s instead of (1 - gamma) s": _adjoint(
        pulled=lambda p, q, g: p + q
    ),
    "the factor 1 - gamma is missing in the gradients by parameters": _adjoint(parameters=lambda g: 1 / (1 - g)),
    "the factor 1 - gamma is missing in p": _adjoint(residual=lambda g: 1 / (1 - g)),
    "the factor 1 - gamma stands twice in the gradients by parameters": _adjoint(parameters=lambda g: 1 - g),
    "the factor 1 - gamma stands twice in p": _adjoint(residual=lambda g: 1 - g),
    "the factor 1 - gamma stands twice": _adjoint(pulled=lambda p, q, g: (1 - g) ** 2 * (p + q)),
    "f is pulled back from gamma s instead of (1 - gamma) s": _adjoint(pulled=lambda p, q, g: g * (p + q)),
    "f is pulled back from (1 - gamma) gamma s: s must be multiplied by gamma only after that": _adjoint(
        pulled=lambda p, q, g: (1 - g) * g * (p + q)
    ),
    "gamma and 1 - gamma have changed places": _adjoint(
        pulled=lambda p, q, g: g * (p + q), q=lambda p, q, g: (1 - g) * (p + q)
    ),
    "p is replaced: (1 - gamma) (df/dx)^T s must be added to it, since x_n also enters x_{n+1} itself": _adjoint(
        p=lambda p, q, g: 0 * p
    ),
    "p does not get (1 - gamma) (df/dx)^T s": _adjoint(residual=lambda g: 0.0),
    "p is multiplied by gamma, and only s must be": _adjoint(p=lambda p, q, g: g * p),
    "p becomes s: q must not be added to p itself": _adjoint(p=lambda p, q, g: p + q),
    "(1 - gamma) (df/dx)^T s is subtracted from p, and must be added": _adjoint(residual=lambda g: -1.0),
}

SYMBOLS = " (p = dL/dx_{n+1}, q = dL/dv_{n+1}, s = p + q)"
"""What the names in `ADJOINT_STEPS` stand for."""

PULLED_BACK_ELSEWHERE: dict[str, Undo] = {
    "f is pulled back at x_{n+1}, and must be at x_n": lambda f, g, x, v: (*reference.undo(f, g, x, v)[:2], x)
}

GRADIENTS_WHOLE: dict[str, Finish] = {
    "the gradient of v_0 is lost: dL/dv_0 is what the first layer leaves for the velocity, and is not 0": (
        lambda g, dx, dv, gradients: (dx, 0 * dv, gradients)
    ),
    "dL/dv_0 is taken before its last product with gamma": lambda g, dx, dv, gradients: (dx, dv / g, gradients),
    "dx and dv are returned in the wrong order": lambda g, dx, dv, gradients: (dv, dx, gradients),
    "dL/dv_0 is added to dL/dx_0: v_0 is an input of its own here": lambda g, dx, dv, rest: (dx + dv, dv, rest),
    "dL/dx_0 is added to dL/dv_0: what v_0 does to the loss through x_1 is there already": (
        lambda g, dx, dv, gradients: (dx, dv + dx, gradients)
    ),
    "gradients are in the order in which backward meets them: that of f_0 must come first": (
        lambda g, dx, dv, gradients: (dx, dv, gradients[::-1])
    ),
    "gradients by parameters are lost: they are returned as 0": (
        lambda g, dx, dv, gradients: (dx, dv, [[0 * by for by in entry] for entry in gradients])
    ),
}


def backward_mistakes() -> Iterator[tuple[str, Backward]]:
    """Yield all mistakes, then all pairs of different kinds: on the way back, in the adjoint, and at the end."""
    yield (
        "the gradient of v begins with dL/dx_N, and must begin with dL/dv_N, which is 0",
        backpropagating(dv_is_dx=True),
    )
    kinds: list[list[tuple[Any, Any]]] = [
        [(f"going back, {cause}", undo) for cause, undo in (UNDO_STEPS | PULLED_BACK_ELSEWHERE).items()],
        [(cause + SYMBOLS, adjoint) for cause, adjoint in ADJOINT_STEPS.items()],
        [*GRADIENTS_WHOLE.items()],
    ]
    choices = itertools.product(*([(None, None), *kind] for kind in kinds))
    for choice in sorted(choices, key=lambda choice: sum(cause is not None for cause, _ in choice)):
        causes = [cause for cause, _ in choice if cause is not None]
        if 1 <= len(causes) <= 2:
            yield "; and ".join(causes), backpropagating(*(function for _, function in choice))


def backpropagating(
    undo: Undo | None = None, adjoint: Adjoint | None = None, finish: Finish | None = None, dv_is_dx: bool = False
) -> Backward:
    """Make a backward pass with what is given in place of what is right."""

    def backward(functions: Sequence[Layer], g: float, x: AnyArray, v: AnyArray, dx: AnyArray) -> Gradients:
        steps = undo or reference.undo, adjoint or reference.adjoint
        results = reference.backpropagate(functions, g, x, v, dx, *steps, dv=dx if dv_is_dx else 0.0)
        return finish(g, *results) if finish else results

    return backward


# Exact arithmetic: products of integers that cannot be undone, or are undone wrongly

NOT_IN_UNITS = (
    "(1 - gamma) f(x) must be multiplied by 2^40 before it is rounded and added to v",
    running(with_velocity(lambda v, f, g: g * v + (1 - g) * f * reference.UNIT)),
)

INTEGER_DIVISION = (
    "gamma is taken as 0: num // den is an integer division",
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
    TRUNCATED + "the remainder is negative (as in C, or np.fmod), and must lie from 0 to den - 1": _product(
        remainder=np.fmod
    ),
    TRUNCATED + "the buffer becomes negative": _product(_truncated, np.fmod),
    "the remainder of the division by den is dropped: nothing can bring it back": _without_buffer(
        lambda v, n, d: v * n // d
    ),
    "the remainder of the division by den is dropped: v // den * num": _without_buffer(lambda v, n, d: v // d * n),
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
    yield "going back, num and den must change places", _there_and_back(right, right)
    yield (
        "going forward, what the division of the buffer by num leaves is lost: b mod num must be added to v",
        _there_and_back(_product(taken_out=lambda b, n: 0 * b), undo),
    )
    yield (
        "going back, what the division of v by num leaves is lost: v mod num must be added to the buffer",
        _there_and_back(right, _exchanged(_product(remainder=lambda v, d: 0 * v))),
    )


def _there_and_back(multiply: Multiply, undo: Multiply, keeps_buffer: bool = True) -> Callable[[ExactCase], Pair]:
    def run(case: ExactCase) -> Pair:
        x, v, b = reference.run_exact(case.functions, case.n, case.d, case.x, case.v, multiply)
        return reference.run_back_exact(case.functions, case.n, case.d, x, v, b if keeps_buffer else 0 * b, undo)

    return run
