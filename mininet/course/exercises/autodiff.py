"""Exercises of notebook 02, Autodiff from nothing."""

import numpy as np

from ..checking import NotYet, expect, require, returned

EPS = np.finfo(np.float64).eps


def exercise_1(logsumexp_vjp):
    """Row i of the gradient is g_i softmax(x_i)."""
    x = np.log([[1.0, 3.0], [4.0, 4.0]])
    (by_x,) = _tuple_of(1, logsumexp_vjp((x.copy(), np.log([4.0, 8.0])), np.array([1.0, 10.0])), "logsumexp_vjp")
    expect("two rows", by_x, [[0.25, 0.75], [5, 5]], within=8 * EPS)  # errors of logarithms of size 1, and of exp
    x = np.array([[1000.0, 1000.0, -1000.0]])
    with np.errstate(all="ignore"):
        (by_x,) = logsumexp_vjp((x.copy(), 1000 + np.log([2.0])), np.array([1.0]))
    if not np.isfinite(by_x).all():
        raise NotYet(
            f"for 1000, 1000, -1000 the gradient is {by_x[0]}: exp(1000) overflows; exp of a difference does not"
        )
    expect("x = 1000, 1000, -1000", by_x, [[0.5, 0.5, 0]], within=2000 * EPS)  # log 2 is rounded in units of 1000 eps


def exercise_2(find_wrong):
    """A checker for functions of one array, given as black boxes."""
    names = find_wrong({name: _named(name, *pair) for name, pair in suspects().items()})
    if not isinstance(names, (list, tuple, set)) or not all(isinstance(name, str) for name in names):
        raise NotYet(f"return a list of names, got {names!r}")
    unknown = set(names) - suspects().keys()
    require(not unknown, f"there is no suspect {', '.join(sorted(unknown))}")
    for name in sorted(names):
        require(name in WRONG, f"{name} is right: is the difference relative to the numbers it is made of?")
    for name, what in WRONG.items():
        require(name in names, f"one of the wrong ones was not found: {what}")
    print(f"found: {', '.join(sorted(names))}")


def _named(name, forward, vjp):
    """A suspect whose errors say which it is, and which inputs it takes."""

    def run_forward(x):
        require(np.ndim(x) == 1, f"{name!r} takes arrays of shape (n,), got {np.shape(x)}")
        return forward(x)

    def run_vjp(saved, gradient):
        try:
            return vjp(saved, gradient)
        except Exception as error:  # whatever it was given
            raise NotYet(f"the vjp of {name!r} raised {type(error).__name__}: {error}") from None

    return run_forward, run_vjp


def exercise_3(exposes, right_tape, wrong_tape):
    """A computation in which one array is delivered to two slots, and one of them gets a second share."""
    arrays = [np.array([1.0, -2.0, 0.5]), np.array([3.0, 0.25, -1.0])]
    if exposes(*map(right_tape().variable, arrays)) is None:
        raise NotYet("exposes returns nothing: return the variable that it computes")
    ours, theirs = (_gradients(exposes, tape, arrays) for tape in (right_tape, wrong_tape))
    for name, one, other in zip("ab", ours, theirs, strict=True):
        print(f"dL/d{name}: right {one}, in place {other}")
    if all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True)):
        raise NotYet("both tapes give the same gradients: let an addition hand one array to two slots; use one again")


WRONG = {
    "cosine": "its slope has the wrong sign",
    "logistic": "its slope is wrong by 0.05 %",
    "absolute": "its slope is wrong for negative inputs; try some of both signs",
    "mean": "its slope is wrong, and so small that an absolute difference looks like rounding",
    "softsign": "its slope is wrong where |x| > 1; try large inputs as well",
}
"""The suspects whose vjp is wrong, and what is wrong."""


def suspects():
    """Operations on one array of shape (n,) by name, as (forward, vjp); some of the vjps are wrong."""

    def elementwise(function, slope):
        return lambda x: (function(x), (x,)), lambda saved, gradient: (gradient * slope(*saved),)

    def logistic(x):
        return 1 / (1 + np.exp(-x))

    return {
        "cosine": elementwise(np.cos, np.sin),
        "sine": elementwise(np.sin, np.cos),
        "logistic": elementwise(logistic, lambda x: 1.0005 * logistic(x) * (1 - logistic(x))),
        "absolute": elementwise(np.abs, np.ones_like),
        "large square": elementwise(lambda x: 1e9 * x**2, lambda x: 2e9 * x),
        "mean": (lambda x: (1e-9 * x.mean(), x.shape), lambda shape, gradient: (np.full(shape, 1e-9 * gradient),)),
        "softsign": elementwise(
            lambda x: x / (1 + abs(x)), lambda x: (1 + abs(x)) ** np.where(abs(x) <= 1, -2.0, -1.0)
        ),
        "cumulative sum": (lambda x: (np.cumsum(x), ()), lambda saved, gradient: (np.cumsum(gradient[::-1])[::-1],)),
    }


def _tuple_of(count, value, name):
    """`value`, if it is a tuple or list of so many arrays."""
    returned(value, name)
    if not isinstance(value, (tuple, list)) or len(value) != count:
        raise NotYet(f"{name} must return a tuple with {count} gradient{'s' if count > 1 else ''}, one for each input")
    return value


def _gradients(function, tape_class, arrays):
    """dL/da and dL/db for L the sum of the function's output."""
    tape = tape_class()
    variables = [tape.variable(array.copy()) for array in arrays]
    output = function(*variables)
    gradients = tape.backward(output, np.ones(output.array.shape))
    return [gradients.get(variable.slot, np.zeros(variable.array.shape)) for variable in variables]
