"""Exercises of notebook 07, Backprop without activations."""

from functools import partial

import numpy as np

from ...autodiff.gradcheck import STEP
from ...grader.layers import Dense
from ...grader.reference import UNIT, adjoint, backpropagate, multiply, run
from ..checking import NotYet, expect, is_near, require, returned

GAMMA = 0.9
ROUNDING = 1e-12
"""Relative: a few layers of a few dozen float64 operations each, 2e-16 apiece, which slopes below 1 do not amplify."""


def exercise_1(adjoint_of_variant):
    """The adjoint of the rule that moves x first."""
    random = np.random.default_rng(0)
    functions = [Dense.random(3, random) for _ in range(3)]
    x, v, p = (random.standard_normal((2, 3)) for _ in range(3))
    q, pullbacks = np.zeros_like(p), []
    for f in functions:
        x = x + v
        value, pullback = f.vjp(x)
        pullbacks.append(pullback)
        v = GAMMA * v + (1 - GAMMA) * value
    for n in reversed(range(3)):
        result = adjoint_of_variant(pullbacks[n], GAMMA, p.copy(), q.copy())
        require(isinstance(result, tuple) and len(result) == 3, "it must return p_n, q_n and a list of gradients")
        by_x, by_parameters = pullbacks[n]((1 - GAMMA) * q)
        of_the_rule, without_factor = p + pullbacks[n]((1 - GAMMA) * (p + q))[0], p + pullbacks[n](q)[0]
        without_x, without_f, p, q = GAMMA * q, GAMMA * q + p, p + by_x, GAMMA * q + p + by_x
        if is_near(result[0], of_the_rule):
            raise NotYet("that pulls back p_{n+1} + q_{n+1}: here x_{n+1} does not depend on v_{n+1}, so only q_{n+1}")
        if by_x.any() and is_near(result[0], without_factor):
            raise NotYet("v_{n+1} takes f_n with the factor 1 - gamma: pull (1 - gamma) q_{n+1} back")
        require(not is_near(result[1], without_x), "q_n misses something: v_n also moves x_{n+1}")
        if by_x.any() and is_near(result[1], without_f):
            raise NotYet("q_n misses something: v_n moves x_{n+1}, which the loss also sees through f_n")
        expect(f"p_{n}", result[0], p, within=ROUNDING)
        expect(f"q_{n}", result[1], q, within=ROUNDING)
        require(isinstance(result[2], (list, tuple)) and len(result[2]) == 2, "f has two parameters, and so gradients")
        for name, ours, right in zip(("W", "b"), result[2], by_parameters, strict=True):
            expect(f"dL/d{name} of layer {n}", ours, right, within=ROUNDING)


CHANGES = {
    "by_x + p instead of p + by_x": "addition is commutative also in floats",
    "gamma * p + gamma * q instead of gamma * (p + q)": "two products are rounded instead of one",
    "(1 - gamma) multiplied after the pullback, gamma = 9/10": "the factor rounds, at another place",
    "(1 - gamma) multiplied after the pullback, gamma = 1/2": "a power of two rounds nowhere, so its place is free",
    "f evaluated a second time, for the push, instead of using the pullback's value": "f is deterministic",
    "x and v run back in floats from the exact x_N and v_N": "they drift, and f is evaluated elsewhere",
}
"""The changes of exercise 2, and why they keep the bits or do not."""


def exercise_2(keeps_the_bits):
    """Which changes keep the bits: all of them are run."""
    if not isinstance(keeps_the_bits, dict):
        raise NotYet("the answer is a dictionary: a prediction, True or False, for each change")
    for name in CHANGES:
        require(isinstance(keeps_the_bits.get(name), bool), f"{name!r}: predict True or False")
    for name, why in CHANGES.items():
        keeps = _keeps_the_bits(name)
        print(f"{name}: {'the same bits' if keeps else 'other bits'}")
        require(keeps_the_bits[name] == keeps, f"you predicted {keeps_the_bits[name]}: {why}")


def _keeps_the_bits(change):
    """Whether the memory-free way back with this change gives the stored gradients."""
    n, d = (1, 2) if change.endswith("1/2") else (9, 10)
    gamma = n / d
    random = np.random.default_rng(0)
    functions = [Dense.random(4, random) for _ in range(20)]
    x, v = (np.rint(random.standard_normal((3, 4)) / UNIT).astype(np.int64) for _ in range(2))
    b, dx = np.zeros_like(v), random.standard_normal((3, 4))
    stored = []
    for f in functions:
        value, pullback = f.vjp(x * UNIT)
        stored.append(pullback)
        v, b = multiply(v, b, n, d)
        v = v + _push(value, n, d)
        x = x + v
    theirs = _walk_back(reversed(stored), gamma, dx, adjoint)

    def again(x, v, b):
        for f in reversed(functions):
            x = x - v
            value, pullback = f.vjp(x * UNIT)
            v = v - _push(f(x * UNIT) if "second time" in change else value, n, d)
            v, b = multiply(v, b, d, n)
            yield pullback

    if "in floats" in change:
        p, q, gradients = backpropagate(functions, gamma, x * UNIT, v * UNIT, dx)
        ours = [p, q, *(by for entry in reversed(gradients) for by in entry)]
    else:
        ours = _walk_back(again(x, v, b), gamma, dx, partial(_changed_adjoint, change))
    return all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def _push(value, n, d):
    return np.rint((d - n) / d * value / UNIT).astype(np.int64)


def _walk_back(pullbacks, gamma, dx, step):
    """All gradients, in a list."""
    p, q, found = dx, np.zeros_like(dx), []
    for pullback in pullbacks:
        p, q, by_parameters = step(pullback, gamma, p, q)
        found += by_parameters
    return [p, q, *found]


def _changed_adjoint(change, pullback, gamma, p, q):
    s = p + q
    if change.startswith("(1 - gamma)"):
        by_x, by_parameters = pullback(s)
        return p + (1 - gamma) * by_x, gamma * s, [(1 - gamma) * array for array in by_parameters]
    by_x, by_parameters = pullback((1 - gamma) * s)
    by_q = gamma * p + gamma * q if change.startswith("gamma * p") else gamma * s
    return by_x + p if change.startswith("by_x") else p + by_x, by_q, by_parameters


def exercise_3(gradient_by_gamma):
    """dL/dgamma against a central difference, whose error is about STEP^2 times a third derivative."""
    random = np.random.default_rng(0)
    for depth, gamma in ((1, 0.5), (5, 0.9), (10, 0.7)):
        functions = [Dense.random(3, random) for _ in range(depth)]
        x, v, dx = (random.standard_normal((2, 3)) for _ in range(3))
        final = run(functions, gamma, x, v)
        ours = gradient_by_gamma(list(functions), gamma, *(array.copy() for array in final), dx.copy())
        returned(ours, "gradient_by_gamma")
        require(np.shape(ours) == (), f"one number for the whole network, not an array of shape {np.shape(ours)}")
        up, down = (np.sum(dx * run(functions, gamma + h, x, v)[0]) for h in (STEP, -STEP))
        right = (up - down) / (2 * STEP)
        for why, mistake in _mistakes_by_gamma(functions, gamma, x, v, dx).items():
            require(not is_near(ours, mistake), why)
        # derivatives by gamma grow like depth^3, for which a thousand leaves room
        expect(f"{depth} layers, gamma = {gamma}", float(ours), right, within=1e3 * STEP**2)


def _mistakes_by_gamma(functions, gamma, x, v, dx):
    """What likely mistakes give, by what is to be said then."""
    layers = []
    for f in functions:
        value, pullback = f.vjp(x)
        new = gamma * v + (1 - gamma) * value
        layers.append((pullback, value, v, new))
        x, v = x + new, new
    p, q, sums = dx, np.zeros_like(dx), {}
    alone = "that is the first layer alone: gamma is tied over the layers"
    direct = "v_{n+1} reaches the loss in two ways: with p_{n+1} and with q_{n+1}"
    for pullback, value, old, new in reversed(layers):
        for why, factor in {
            "gamma stands in two places: it multiplies v_n, and 1 - gamma multiplies f_n": old,
            "that takes v_{n+1}: gamma multiplies v_n, which is there after the velocity is undone": new - value,
            "the sign: d(gamma v + (1 - gamma) f) / dgamma is v - f": value - old,
        }.items():
            sums[why] = sums.get(why, 0.0) + np.sum((p + q) * factor)
        if len(functions) > 1:  # these two are no mistakes in a single layer
            sums[alone] = np.sum((p + q) * (old - value))
            sums[direct] = sums.get(direct, 0.0) + np.sum(p * (old - value))
        p, q, _ = adjoint(pullback, gamma, p, q)
    return sums
