"""Exercises of notebook 02, Autodiff from nothing."""

import numpy as np

from ...autodiff import Tensor, check_gradient
from ..checking import NotYet, expect, is_near, require, returned

EPS = np.finfo(np.float64).eps


def exercise_1(scale_rows_vjp):
    """The gradients of s and x for y_ij = s_i x_ij."""
    s, x, gradient = np.array([2.0, -1.0]), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.eye(2, 3)
    by_s, by_x = _tuple_of(2, scale_rows_vjp((s.copy(), x.copy()), gradient.copy()), "scale_rows_vjp")
    if np.shape(by_s) == (2, 3):
        raise NotYet("the gradient of s has shape (2, 3): s_i stands in every column, and gradients of all uses add up")
    expect("gradient of s", by_s, [1, 5])
    expect("gradient of x", by_x, [[2, 0, 0], [0, -1, 0]])
    random = np.random.default_rng(0)
    s, x, gradient = random.standard_normal(5), random.standard_normal((5, 4)), random.standard_normal((5, 4))
    by_s, by_x = scale_rows_vjp((s.copy(), x.copy()), gradient.copy())
    size = np.abs(gradient * x).sum(axis=1).max()
    right = np.array([g @ row for g, row in zip(gradient, x, strict=True)])
    expect("gradient of s, random numbers", by_s, right, within=4 * EPS * size / np.abs(right).max())
    expect("gradient of x, random numbers", by_x, gradient * np.repeat(s, 4).reshape(5, 4), within=EPS)


def exercise_2(logsumexp_vjp):
    """Row i of the gradient is g_i softmax(x_i)."""
    x = np.log([[1.0, 3.0], [2.0, 2.0]])
    (by_x,) = _tuple_of(1, logsumexp_vjp((x.copy(), np.log([4.0, 4.0])), np.array([1.0, 10.0])), "logsumexp_vjp")
    expect("two rows", by_x, [[0.25, 0.75], [5, 5]], within=8 * EPS)  # errors of logarithms of size 1, and of exp
    x = np.array([[1000.0, 1000.0, -1000.0]])
    with np.errstate(all="ignore"):
        (by_x,) = logsumexp_vjp((x.copy(), 1000 + np.log([2.0])), np.array([1.0]))
    if not np.isfinite(by_x).all():
        raise NotYet(
            f"for 1000, 1000, -1000 the gradient is {by_x[0]}: exp(1000) overflows; exp of a difference does not"
        )
    expect("x = 1000, 1000, -1000", by_x, [[0.5, 0.5, 0]], within=2000 * EPS)  # log 2 is rounded in units of 1000 eps


def exercise_3(best_step):
    """(eps / p)^(1 / (p + 1)), and what one-sided differences make of it."""
    for order in (1, 2, 4):
        right, equal = (number ** (1 / (order + 1)) for number in (EPS / order, EPS))
        value = returned(best_step(EPS, order), "best_step")
        if order != 1 and is_near(value, equal, rtol=1e-9, atol=0):
            raise NotYet(f"for p = {order} this is where both errors are equally large, not their sum smallest")
        if is_near(value, (EPS / (2 * order)) ** (1 / (order + 1)), rtol=1e-9, atol=0):
            raise NotYet(f"for p = {order} this is best for a rounding error of eps V / (2 h); here it is eps V / h")
        expect(f"best step for p = {order}", value, right, within=1e-9)  # a few roundings, whatever the way
    for precision in (np.float64, np.float32):
        h = best_step(float(np.finfo(precision).eps), 1)
        print(f"one-sided difference in {np.dtype(precision)}, relative error:")
        for factor in (1 / 100, 1, 100):
            at, step = precision(1), precision(factor * h)
            with_step = (np.exp(at + step) - np.exp(at)) / step
            print(f"    h = {factor * h:7.1e}: {abs(float(with_step) / np.exp(1.0) - 1):.0e}")


def exercise_4(exposes, right_tape, wrong_tape):
    """A computation in which one array is delivered to two slots, and one of them gets a second share."""
    arrays = [np.array([1.0, -2.0, 0.5]), np.array([3.0, 0.25, -1.0])]
    if exposes(*map(right_tape().variable, arrays)) is None:
        raise NotYet("exposes returns nothing: return the variable that it computes")
    ours, theirs = (_gradients(exposes, tape, arrays) for tape in (right_tape, wrong_tape))
    for name, one, other in zip("ab", ours, theirs, strict=True):
        print(f"dL/d{name}: right {one}, in place {other}")
    if all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True)):
        raise NotYet("both tapes give the same gradients: let an addition hand one array to two slots; use one again")


def exercise_5(find_wrong):
    """A checker for functions of one array, given as black boxes."""
    names = find_wrong(suspects())
    if not isinstance(names, (list, tuple, set)) or not all(isinstance(name, str) for name in names):
        raise NotYet(f"return a list of names, got {names!r}")
    unknown = set(names) - suspects().keys()
    require(not unknown, f"there is no suspect {', '.join(sorted(unknown))}")
    for name in sorted(names):
        require(name in WRONG, f"{name} is right: is the difference relative to the numbers it is made of?")
    for name, what in WRONG.items():
        require(name in names, f"one of the wrong ones was not found: {what}")
    print(f"found: {', '.join(sorted(names))}")


def exercise_6(logsumexp):
    """One operation of mininet's engine, right in value, gradient, dtype and number of records."""
    x = np.random.default_rng(0).standard_normal((4, 3))
    tensor = Tensor(x.copy(), requires_grad=True)
    out = logsumexp(tensor)
    require(isinstance(out, Tensor), f"return a Tensor, got {type(out).__name__}")
    right = np.log(np.exp(x).sum(axis=1))
    expect("value", out.data, right, within=8 * EPS)  # exp, a sum of 3, log, each rounded on both sides
    require(out.requires_grad, "the result does not know how it was computed: call an Operation on it")
    names = [record.operation.name for record in out.tape()]
    require(len(names) == 1, f"there should be one record on the tape, there are {len(names)}: {', '.join(names)}")
    check_gradient(logsumexp, x)
    print("gradient: agrees with central differences")
    out.backward(np.ones(4))
    expect("rows of the gradient add up to", tensor.grad.sum(axis=1), np.ones(4), within=16 * EPS)
    single = Tensor(x.astype(np.float32), requires_grad=True)
    out = logsumexp(single)
    require(out.dtype == np.float32, "for an input of float32 the result should be float32")
    out.backward(np.ones(4, np.float32))  # raises if the gradient is not
    print("float32 stays float32")


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
