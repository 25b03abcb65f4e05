"""Another correct one: the buffers are Python's integers, which have as many digits as they need."""

import numpy as np


def forward_exact(functions, n, d, x, v):
    b = np.zeros(x.shape, object)
    for f in functions:
        b = b * d + v % d
        v, b = (v // d * n + b % n).astype(np.int64), b // n
        v = v + np.rint(f(x / 2.0**40) * (1 - n / d) * 2.0**40).astype(np.int64)
        x = x + v
    return x, v, b


def walk_back(evaluate, functions, n, d, state):
    x, v, b = state
    for f in functions[::-1]:
        x = x - v
        value, pullback = evaluate(f, x / 2.0**40)
        v = v - np.rint(value * (1 - n / d) * 2.0**40).astype(np.int64)
        b = b * n + v % n
        v, b = (v // n * d + b % d).astype(np.int64), b // d
        yield x, v, pullback


def invert_exact(functions, n, d, state):
    x, v, _ = state
    for step in walk_back(lambda f, x: (f(x, replay=True), None), functions, n, d, state):
        x, v, _ = step
    return x, v


def backward_exact(functions, n, d, state, dx):
    p, q, gradients = dx, 0 * dx, []
    for _, _, pullback in walk_back(lambda f, x: f.vjp(x, replay=True), functions, n, d, state):
        s = p + q
        by_x, by_parameters = pullback(s)
        p, q = p + (1 - n / d) * by_x, n / d * s
        gradients.insert(0, [(1 - n / d) * by for by in by_parameters])
    return p, q, gradients
