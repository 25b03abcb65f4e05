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


# Exact: as somebody writes it who has read the template alone.  When a buffer is full, all are put away.


def kick(value, n, d):
    return np.rint((1 - n / d) * value * 2.0**40).astype(np.int64)


def forward_exact(functions, n, d, x, v):
    buffer = np.zeros_like(v)
    full = []  # (layer, the buffers that were put away before it)
    for layer, f in enumerate(functions):
        if buffer.max(initial=0) >= 2**62 // d:
            full.append((layer, buffer))
            buffer = np.zeros_like(v)
        v, remainder = np.divmod(v, d)
        buffer, remainder = np.divmod(buffer * d + remainder, n)
        v = v * n + remainder + kick(f(x * 2.0**-40), n, d)
        x = x + v
    return x, v, buffer, full


def undo(layer, value, n, d, v, buffer, full):
    v, remainder = np.divmod(v - kick(value, n, d), n)
    buffer, remainder = np.divmod(buffer * n + remainder, d)
    if full and full[-1][0] == layer:
        buffer = full.pop()[1]
    return v * d + remainder, buffer


def invert_exact(functions, n, d, state):
    x, v, buffer, full = state
    for layer in reversed(range(len(functions))):
        x = x - v
        value = functions[layer](x * 2.0**-40, replay=True)
        v, buffer = undo(layer, value, n, d, v, buffer, full)
    return x, v


def backward_exact(functions, n, d, state, dx):
    x, v, buffer, full = state
    gamma, dv, gradients = n / d, np.zeros_like(dx), []
    for layer in reversed(range(len(functions))):
        x = x - v
        value, pullback = functions[layer].vjp(x * 2.0**-40, replay=True)
        v, buffer = undo(layer, value, n, d, v, buffer, full)
        dv = dv + dx
        by_x, by_parameters = pullback((1 - gamma) * dv)
        dx, dv = dx + by_x, gamma * dv
        gradients.append(by_parameters)
    return dx, dv, gradients[::-1]
