"""Likely causes, found by comparing: which known mistake gives, on all small cases, just what came?

A mistake is the reference's loop with a step that is wrong, or with something wrong done before or after it.  Nothing
is guessed: where no mistake fits everything that came, there is no cause to tell.
"""

import contextlib
import itertools

import numpy as np

from . import reference
from .cases import product_cases, small_cases, small_exact_cases
from .contract import Broken, NotWritten
from .layers import Watch

TOLERANCE = np.sqrt(np.finfo(np.float64).eps)
"""Far above rounding errors on the small cases, also those of integers, and far below what mistakes differ by."""

# Forward


def _velocity(formula):
    """A step that is right, but for the velocity: a function of the old one, f(x) and gamma."""

    def step(f, g, x, v):
        v = formula(v, f(x), g)
        return x + v, v

    return step


FORWARD_STEPS = {
    "gamma and 1 - gamma have changed places": _velocity(lambda v, f, g: (1 - g) * v + g * f),
    "the factor 1 - gamma of f(x) is missing": _velocity(lambda v, f, g: g * v + f),
    "f(x) is multiplied by gamma instead of 1 - gamma": _velocity(lambda v, f, g: g * v + g * f),
    "v is not multiplied by gamma": _velocity(lambda v, f, g: v + (1 - g) * f),
    "neither v nor f(x) has its factor": _velocity(lambda v, f, g: v + f),
    "the velocity is not carried along: gamma v is missing": _velocity(lambda v, f, g: (1 - g) * f),
    "f(x) has the wrong sign": _velocity(lambda v, f, g: g * v - (1 - g) * f),
    "this is the plain ResNet, x + f(x), without a velocity": lambda f, g, x, v: (x + f(x), v),
    "the update order is swapped: x was moved by the old velocity, and must be moved by the new one": (
        lambda f, g, x, v: (x + v, g * v + (1 - g) * f(x))
    ),
    "f was evaluated after x had been moved: v must be updated first, with f at the old x": (
        lambda f, g, x, v: (x + v, g * v + (1 - g) * f(x + v))
    ),
    "x is not moved": lambda f, g, x, v: (x, reference.step(f, g, x, v)[1]),
    "x is replaced by v, instead of moved by it": lambda f, g, x, v: 2 * (reference.step(f, g, x, v)[1],),
    "x is moved against v: the sign": lambda f, g, x, v: (
        2 * x - reference.step(f, g, x, v)[0],
        g * v + (1 - g) * f(x),
    ),
}


def _running(step):
    return lambda functions, g, x, v: reference.run(functions, g, x, v, step)


FORWARD = {cause: _running(step) for cause, step in FORWARD_STEPS.items()} | {
    "x and v are returned in the wrong order": lambda functions, g, x, v: reference.run(functions, g, x, v)[::-1],
    "the functions are taken from last to first": lambda functions, g, x, v: reference.run(functions[::-1], g, x, v),
    "the last layer is left out": lambda functions, g, x, v: reference.run(functions[:-1], g, x, v),
    "the first layer is left out": lambda functions, g, x, v: reference.run(functions[1:], g, x, v),
    "only the first layer is run": lambda functions, g, x, v: reference.run(functions[:1], g, x, v),
    "the initial velocity is ignored, and taken as 0": lambda functions, g, x, v: reference.run(functions, g, x, 0 * v),
    "v is returned as it was given": lambda functions, g, x, v: (reference.run(functions, g, x, v)[0], v),
}

# The way back


def _velocity_back(formula):
    """Undo a layer rightly, but for the velocity: a function of v_{n+1}, f(x_n) and gamma."""

    def undo(f, g, x, v):
        x = x - v
        return x, formula(v, f(x), g), x

    return undo


def _at(place):
    """Undo a layer rightly, but for x_n, which is `place(x_{n+1}, v_{n+1})`."""

    def undo(f, g, x, v):
        point = place(x, v)
        return point, (v - (1 - g) * f(point)) / g, point

    return undo


def _evaluated_before_moving(f, g, x, v):
    return x - v, (v - (1 - g) * f(x)) / g, x


def _velocity_undone_first(f, g, x, v):
    v = (v - (1 - g) * f(x)) / g
    return x - v, v, x


UNDO_STEPS = {
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
        lambda v, f, g: v
    ),
    "the velocity is not carried back: it is set to 0": _velocity_back(lambda v, f, g: 0 * v),
    "f was evaluated at x_{n+1}: x must be moved back first, and f evaluated at x_n": _evaluated_before_moving,
    "the order is swapped: x must be moved back by v_{n+1}, before v is changed": _velocity_undone_first,
    "x was moved on by v, and must be moved back: the sign": _at(lambda x, v: x + v),
    "x is not moved back": _at(lambda x, v: x),
    "it runs the layers forward": lambda f, g, x, v: (*reference.step(f, g, x, v), x),
}


def _running_back(undo):
    return lambda functions, g, x, v: reference.run_back(functions, g, x, v, undo)


INVERT = {cause: _running_back(undo) for cause, undo in UNDO_STEPS.items()} | {
    "the functions are taken from first to last: the last layer must be undone first": (
        lambda functions, g, x, v: reference.run_back(functions[::-1], g, x, v)
    ),
    "x and v are returned in the wrong order": lambda functions, g, x, v: reference.run_back(functions, g, x, v)[::-1],
    "v_0 is returned as 0, whatever it was": (
        lambda functions, g, x, v: (reference.run_back(functions, g, x, v)[0], 0 * v)
    ),
    "only x is brought back: v is returned as it was given": (
        lambda functions, g, x, v: (reference.run_back(functions, g, x, v)[0], v)
    ),
}

# Gradients


def _adjoint(pulled=None, q=None, p=None, residual=None, parameters=None):
    """The adjoint of a layer, right but for what is given: functions of the old p and q and gamma.

    pulled : what f is pulled back from, (1 - gamma) s
    q : the new q, gamma s
    p : what the pulled gradient is added to, p
    residual, parameters : factors of what comes of pulling back, functions of gamma
    """

    def adjoint(pullback, g, old_p, old_q):
        def chosen(formula, right):
            return right if formula is None else formula(old_p, old_q, g)

        s = old_p + old_q
        by_x, by_parameters = pullback(chosen(pulled, (1 - g) * s))
        by_x = by_x * (residual(g) if residual else 1.0)
        by_parameters = [by * (parameters(g) if parameters else 1.0) for by in by_parameters]
        return chosen(p, old_p) + by_x, chosen(q, g * s), by_parameters

    return adjoint


def _with_new_p(pullback, g, p, q):
    by_x, by_parameters = pullback((1 - g) * (p + q))
    return p + by_x, g * (p + by_x + q), by_parameters


ADJOINT_STEPS = {
    "s is p alone: what reaches the loss through the velocity, q, is missing (s = p + q)": _adjoint(
        pulled=lambda p, q, g: (1 - g) * p, q=lambda p, q, g: g * p
    ),
    "s is p alone where f is pulled back, and must be p + q there too": _adjoint(pulled=lambda p, q, g: (1 - g) * p),
    "q, the gradient of the velocity, stays 0: it must become gamma s in every layer": _adjoint(q=lambda p, q, g: q),
    "q is not multiplied by gamma: q <- gamma s": _adjoint(q=lambda p, q, g: p + q),
    "q is only gamma p: it must be gamma s, with s = p + q": _adjoint(q=lambda p, q, g: g * p),
    "q is multiplied by 1 - gamma instead of gamma": _adjoint(q=lambda p, q, g: (1 - g) * (p + q)),
    "q was computed from the new p: s must be added up before p changes": _with_new_p,
    "the factor 1 - gamma is missing: f is pulled back from s instead of (1 - gamma) s": _adjoint(
        pulled=lambda p, q, g: p + q
    ),
    "the factor 1 - gamma is missing in the gradients by parameters": _adjoint(parameters=lambda g: 1 / (1 - g)),
    "the factor 1 - gamma is missing in p": _adjoint(residual=lambda g: 1 / (1 - g)),
    "the factor 1 - gamma stands twice": _adjoint(pulled=lambda p, q, g: (1 - g) ** 2 * (p + q)),
    "f is pulled back from gamma s instead of (1 - gamma) s": _adjoint(pulled=lambda p, q, g: g * (p + q)),
    "p is replaced: (1 - gamma) (df/dx)^T s must be added to it, since x_n also enters x_{n+1} itself": _adjoint(
        p=lambda p, q, g: 0 * p
    ),
    "p does not get (1 - gamma) (df/dx)^T s": _adjoint(residual=lambda g: 0.0),
    "p becomes s: q must not be added to p itself": _adjoint(p=lambda p, q, g: p + q),
    "(1 - gamma) (df/dx)^T s is subtracted from p, and must be added": _adjoint(residual=lambda g: -1.0),
}

GRADIENTS_WHOLE = {
    "the gradient of v_0 is lost: dL/dv_0 is the q that the first layer leaves, and is not 0": (
        lambda g, dx, dv, gradients: (dx, 0 * dv, gradients)
    ),
    "dL/dv_0 is taken before its last product with gamma": lambda g, dx, dv, gradients: (dx, dv / g, gradients),
    "dx and dv are returned in the wrong order": lambda g, dx, dv, gradients: (dv, dx, gradients),
    "dL/dv_0 is added to dL/dx_0: v_0 is an input of its own here": (
        lambda g, dx, dv, gradients: (dx + dv, dv, gradients)
    ),
    "gradients are in the order in which backward meets them: that of f_0 must come first": (
        lambda g, dx, dv, gradients: (dx, dv, gradients[::-1])
    ),
    "gradients by parameters are lost: they are returned as 0": (
        lambda g, dx, dv, gradients: (dx, dv, [[0 * by for by in entry] for entry in gradients])
    ),
}


def _backward_mistakes():
    """All of them, then all pairs of different kinds: a wrong way back, a wrong adjoint, something wrong at the end."""
    nothing = [(None, None)]
    kinds = [
        [*nothing, *((f"going back, {cause}", undo) for cause, undo in UNDO_STEPS.items())],
        [*nothing, *ADJOINT_STEPS.items()],
        [*nothing, *GRADIENTS_WHOLE.items()],
    ]
    chosen = sorted(itertools.product(*kinds), key=lambda choice: sum(cause is not None for cause, _ in choice))
    for choice in chosen:
        causes = [cause for cause, _ in choice if cause is not None]
        if 1 <= len(causes) <= 2:
            yield "; and ".join(causes), _backward(*(function for _, function in choice))


def _backward(undo, adjoint, finish):
    def backward(functions, g, x, v, dx):
        results = reference.backpropagate(functions, g, x, v, dx, undo or reference.undo, adjoint or reference.adjoint)
        return finish(g, *results) if finish else results

    return backward


# Which mistake is it?


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
    return came and _first_to_fit(_backward_mistakes(), came)


# Exact arithmetic


def of_forward_exact(implementation):
    """Why forward_exact is wrong, or None."""

    def run(case):
        x, v = implementation.forward_exact(case)[:2]
        return x * reference.UNIT, v * reference.UNIT

    def arguments_of(case):
        floats = case.in_floats()
        return floats.functions, floats.gamma, floats.x, floats.v

    if _sees_integers(implementation):
        return "f was evaluated at the integer x, and must see x * 2.0**-40"
    came = _on_small_cases(small_exact_cases(), run, arguments_of)
    return came and _first_to_fit([*FORWARD.items(), NOT_IN_UNITS], came)


NOT_IN_UNITS = (
    "(1 - gamma) f(x) must be multiplied by 2^40 before it is rounded and added to v",
    _running(_velocity(lambda v, f, g: g * v + (1 - g) * f * reference.UNIT)),
)


def _sees_integers(implementation):
    case, watch = small_exact_cases()[0], Watch(keeps_points=True)
    with contextlib.suppress(Broken, NotWritten):
        implementation.forward_exact(case.watched(watch))
    return any(np.array_equal(point, case.x) for point in watch.points(case.functions[0], "value", "vjp"))


def _truncated(v, d):
    return np.trunc(v / d).astype(np.int64)


def _product(quotient, remainder):
    def multiply(v, b, n, d):
        b, v = b * d + remainder(v, d), quotient(v, d)
        return v * n + b % n, b // n

    return multiply


def _exchanged(multiply):
    return lambda v, b, n, d: multiply(v, b, d, n)


def _without_buffer(round_):
    return lambda v, b, n, d: (round_(v, n, d), b)


TRUNCATED = "the division truncates, towards zero, and must round down (floor): for negative v "
PRODUCTS = {
    TRUNCATED + "quotient and remainder do not belong together": _product(_truncated, np.mod),
    TRUNCATED + "the remainder is negative (as in C, or np.fmod), and must lie from 0 to d - 1": _product(
        np.floor_divide, np.fmod
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


def _exact_mistakes():
    """(cause, function that runs a case there and back)."""
    right = reference.multiply
    for cause, multiply in PRODUCTS.items():
        yield cause, _there_and_back(multiply, _exchanged(multiply))
    for cause, multiply in PRODUCTS.items():
        yield f"going forward, {cause}", _there_and_back(multiply, _exchanged(right))
        yield f"going back, {cause}", _there_and_back(right, _exchanged(multiply))
    yield (
        "the buffer does not reach invert_exact, which begins with 0: it belongs to the state",
        _there_and_back(right, _exchanged(right), keeps_buffer=False),
    )
    yield "going back, n and d must change places", _there_and_back(right, right)


def _there_and_back(multiply, undo, keeps_buffer=True):
    def run(case):
        x, v, b = reference.run_exact(case.functions, case.n, case.d, case.x, case.v, multiply)
        return reference.run_back_exact(case.functions, case.n, case.d, x, v, b if keeps_buffer else 0 * b, undo)

    return run


def of_invert_exact(implementation):
    """Why x_0 and v_0 do not come back, where functions are 0; or None."""

    def there_and_back(case):
        return implementation.invert_exact(case, implementation.forward_exact(case))

    came = _on_small_cases(product_cases(), there_and_back, lambda case: case)
    if came is None:
        return None
    with np.errstate(all="ignore"):
        for cause, mistake in _exact_mistakes():
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
    return (came and _first_to_fit(_backward_mistakes(), came)) or _of_forward_first(implementation)
