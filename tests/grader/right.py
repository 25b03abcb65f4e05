"""A correct implementation, written from the contract and the papers' formulas, with nothing of mininet's."""

import numpy as np


def forward(functions, gamma, x, v):
    for f in functions:
        v = gamma * v + (1 - gamma) * f(x)
        x = x + v
    return x, v


def invert(functions, gamma, x, v):
    for f in functions[::-1]:
        x = x - v
        v = (v - (1 - gamma) * f(x, replay=True)) / gamma
    return x, v


def backward(functions, gamma, x, v, dx):
    dv, gradients = 0 * dx, []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = (v - (1 - gamma) * value) / gamma
        s = dx + dv
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
        gradients.insert(0, by_parameters)
        del pullback
    return dx, dv, gradients


# Exact: v is multiplied by n/d as Maclaurin et al. do it.  The buffer is one 64-bit integer an element; when the bound
# of all buffers, which depends on n and d only, would not fit any more, the low 16 bits go to a stack.

BITS = 16


def seen(x):
    return x * 2.0**-40


def push(value, n, d):
    return np.rint((d - n) / d * value * 2.0**40).astype(np.int64)


def multiply(v, b, n, d):
    b = b * d + v % d
    v = v // d * n + b % n
    return v, b // n


def spills(n, d, depth):
    """For each layer, how often low bits are moved before it."""
    bound, counts = 1, []
    for _ in range(depth):
        count = 0
        while bound * d >= 2**62:
            bound = (bound >> BITS) + 1
            count += 1
        counts.append(count)
        bound = bound * d // n + 1
    return counts


def forward_exact(functions, n, d, x, v):
    b, stack = np.zeros_like(x), []
    for f, count in zip(functions, spills(n, d, len(functions)), strict=True):
        for _ in range(count):
            stack.append((b % 2**BITS).astype(np.uint16))
            b = b >> BITS
        v, b = multiply(v, b, n, d)
        v = v + push(f(seen(x)), n, d)
        x = x + v
    return [x, v, b, stack]


def undo(value, n, d, v, b, count, stack):
    v, b = multiply(v - push(value, n, d), b, d, n)
    for _ in range(count):
        b = (b << BITS) + stack.pop()
    return v, b


def invert_exact(functions, n, d, state):
    x, v, b, stack = state
    counts = spills(n, d, len(functions))
    for f, count in zip(functions[::-1], counts[::-1], strict=True):
        x = x - v
        v, b = undo(f(seen(x), replay=True), n, d, v, b, count, stack)
    return x, v


def backward_exact(functions, n, d, state, dx):
    x, v, b, stack = state
    counts = spills(n, d, len(functions))
    dv, gradients = np.zeros_like(dx), []
    for f, count in zip(functions[::-1], counts[::-1], strict=True):
        x = x - v
        value, pullback = f.vjp(seen(x), replay=True)
        v, b = undo(value, n, d, v, b, count, stack)
        s = dx + dv
        by_x, by_parameters = pullback((d - n) / d * s)
        dx, dv = dx + by_x, n / d * s
        gradients.append(by_parameters)
        del pullback
    return dx, dv, gradients[::-1]
