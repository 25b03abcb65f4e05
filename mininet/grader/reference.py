"""The momentum block as the paper writes it, in plain loops: what implementations are held against.

Nothing here is clever, and nothing is shared with `mininet.reversible`.  Each loop takes the step that it repeats as an
argument, so that `diagnosis` can run the same loop with a step that is wrong.
"""

import numpy as np

UNIT = 2.0**-40
"""What integers count in exact arithmetic."""

# Floats


def step(f, gamma, x, v):
    """Equation 2: x_{n+1} and v_{n+1} from x_n and v_n."""
    v = gamma * v + (1 - gamma) * f(x)
    return x + v, v


def undo(f, gamma, x, v):
    """Its inverse: x_n, v_n, and the point at which f was evaluated."""
    x = x - v
    return x, (v - (1 - gamma) * f(x)) / gamma, x


def adjoint(pullback, gamma, p, q):
    """dL/dx_n, dL/dv_n and the gradients by parameters, from p = dL/dx_{n+1} and q = dL/dv_{n+1}."""
    s = p + q
    by_x, by_parameters = pullback((1 - gamma) * s)
    return p + by_x, gamma * s, by_parameters


def run(functions, gamma, x, v, step=step):
    """x_N and v_N."""
    for f in functions:
        x, v = step(f.value, gamma, x, v)
    return x, v


def run_back(functions, gamma, x, v, undo=undo):
    """x_0 and v_0."""
    for f in reversed(functions):
        x, v, _ = undo(f.value, gamma, x, v)
    return x, v


def backpropagate(functions, gamma, x, v, dx, undo=undo, adjoint=adjoint, dv=0.0):
    """dL/dx_0, dL/dv_0 and for each layer the gradients by parameters, from x_N and v_N, storing nothing."""
    p, q, gradients = dx, dv + np.zeros_like(dx), []
    for f in reversed(functions):
        x, v, point = undo(f.value, gamma, x, v)
        p, q, by_parameters = adjoint(f.evaluate(point)[1], gamma, p, q)
        gradients.insert(0, by_parameters)
    return p, q, gradients


def backpropagate_stored(functions, gamma, x, v, dx):
    """The same from x_0 and v_0, with all pullbacks stored on the way forward."""
    pullbacks = []
    for f in functions:
        pullbacks.append(f.evaluate(x)[1])
        x, v = step(f.value, gamma, x, v)
    p, q, gradients = dx, np.zeros_like(dx), []
    for pullback in reversed(pullbacks):
        p, q, by_parameters = adjoint(pullback, gamma, p, q)
        gradients.insert(0, by_parameters)
    return p, q, gradients


# Integers in units of 2^-40, gamma = n/d


def multiply(v, b, n, d):
    """v n/d, and the buffer that has taken in what was lost; with n and d exchanged, the way back."""
    b, v = b * d + v % d, v // d
    v, b = v * n + b % n, b // n
    return v, b


def push(f, n, d, x):
    """What a layer adds to v."""
    return np.rint((d - n) / d * f.value(x * UNIT) / UNIT).astype(np.int64)


def run_exact(functions, n, d, x, v, multiply=multiply):
    """x_N, v_N and the buffer, which must fit into 64 bits."""
    b = np.zeros_like(v)
    for f in functions:
        v, b = multiply(v, b, n, d)
        v = v + push(f, n, d, x)
        x = x + v
    return x, v, b


def run_back_exact(functions, n, d, x, v, b, undo=lambda v, b, n, d: multiply(v, b, d, n)):
    """x_0 and v_0."""
    for f in reversed(functions):
        x = x - v
        v = v - push(f, n, d, x)
        v, b = undo(v, b, n, d)
    return x, v
