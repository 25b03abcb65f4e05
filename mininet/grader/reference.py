"""The momentum block as the paper writes it, in plain loops, to compare implementations with.

Nothing here is clever or shared with `mininet.reversible`.  Each loop takes the step that it repeats as an argument, so
that `diagnosis` can run it with a wrong step.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from ..base.types import AnyArray, IntegerArray
from .layers import Layer, Pull

UNIT = 2.0**-40
"""Exact arithmetic counts in this unit."""

Pair: TypeAlias = tuple[AnyArray, AnyArray]
"""x and v."""

Gradients: TypeAlias = tuple[AnyArray, AnyArray, list[list[AnyArray]]]
"""dL/dx_0, dL/dv_0, and for each layer a list of its parameter gradients."""

Function: TypeAlias = Callable[[AnyArray], AnyArray]
Step: TypeAlias = Callable[[Function, float, AnyArray, AnyArray], Pair]
Undone: TypeAlias = tuple[AnyArray, AnyArray, AnyArray]
Undo: TypeAlias = Callable[[Function, float, AnyArray, AnyArray], Undone]
Adjoint: TypeAlias = Callable[[Pull, float, AnyArray, AnyArray], tuple[AnyArray, AnyArray, list[AnyArray]]]
Multiply: TypeAlias = Callable[[IntegerArray, IntegerArray, int, int], Pair]

# Floats


def step(f: Function, gamma: float, x: AnyArray, v: AnyArray) -> Pair:
    """Apply equation 2: x_{n+1} and v_{n+1} from x_n and v_n."""
    v = gamma * v + (1 - gamma) * f(x)
    return x + v, v


def undo(f: Function, gamma: float, x: AnyArray, v: AnyArray) -> Undone:
    """Undo equation 2: x_n, v_n, and the point at which f was evaluated."""
    x = x - v
    return x, (v - (1 - gamma) * f(x)) / gamma, x


def adjoint(pullback: Pull, gamma: float, p: AnyArray, q: AnyArray) -> tuple[AnyArray, AnyArray, list[AnyArray]]:
    """Compute dL/dx_n, dL/dv_n and the parameter gradients from p = dL/dx_{n+1} and q = dL/dv_{n+1}."""
    s = p + q
    by_x, by_parameters = pullback((1 - gamma) * s)
    return p + by_x, gamma * s, by_parameters


def run(functions: Sequence[Layer], gamma: float, x: AnyArray, v: AnyArray, step: Step = step) -> Pair:
    """Compute x_N and v_N."""
    for f in functions:
        x, v = step(f.value, gamma, x, v)
    return x, v


def run_back(functions: Sequence[Layer], gamma: float, x: AnyArray, v: AnyArray, undo: Undo = undo) -> Pair:
    """Recover x_0 and v_0."""
    for f in reversed(functions):
        x, v, _ = undo(f.value, gamma, x, v)
    return x, v


def backpropagate(
    functions: Sequence[Layer], gamma: float, x: AnyArray, v: AnyArray, dx: AnyArray, undo: Undo = undo,
    adjoint: Adjoint = adjoint, dv: AnyArray | float = 0.0,
) -> Gradients:  # fmt: skip
    """Compute all gradients from x_N and v_N, storing nothing."""
    gradients: list[list[AnyArray]] = []
    p, q = dx, dv + np.zeros_like(dx)
    for f in reversed(functions):
        x, v, point = undo(f.value, gamma, x, v)
        p, q, by_parameters = adjoint(f.evaluate(point)[1], gamma, p, q)
        gradients.insert(0, by_parameters)
    return p, q, gradients


def backpropagate_stored(functions: Sequence[Layer], gamma: float, x: AnyArray, v: AnyArray, dx: AnyArray) -> Gradients:
    """Compute all gradients from x_0 and v_0, with every pullback stored on the way forward."""
    pullbacks = []
    for f in functions:
        pullbacks.append(f.evaluate(x)[1])
        x, v = step(f.value, gamma, x, v)
    gradients: list[list[AnyArray]] = []
    p, q = dx, np.zeros_like(dx)
    for pullback in reversed(pullbacks):
        p, q, by_parameters = adjoint(pullback, gamma, p, q)
        gradients.insert(0, by_parameters)
    return p, q, gradients


# Integers in units of 2^-40, gamma = n/d


def multiply(v: AnyArray, b: IntegerArray, n: int, d: int) -> Pair:
    """Compute v n/d and put what is lost into the buffer b; exchanging n and d undoes this."""
    b, v = b * d + v % d, v // d
    v, b = v * n + b % n, b // n
    return v, b


def push(f: Layer, n: int, d: int, x: AnyArray) -> IntegerArray:
    """Compute what a layer adds to v."""
    return np.rint((d - n) / d * f.value(x * UNIT) / UNIT).astype(np.int64)


def run_exact(
    functions: Sequence[Layer], n: int, d: int, x: AnyArray, v: AnyArray, multiply: Multiply = multiply
) -> tuple[IntegerArray, IntegerArray, IntegerArray]:
    """Compute x_N, v_N and the buffer, which must fit into 64 bits."""
    b = np.zeros_like(v)
    for f in functions:
        v, b = multiply(v, b, n, d)
        v = v + push(f, n, d, x)
        x = x + v
    return x, v, b


def run_back_exact(
    functions: Sequence[Layer], n: int, d: int, x: AnyArray, v: AnyArray, b: IntegerArray,
    undo: Multiply = lambda v, b, n, d: multiply(v, b, d, n),
) -> Pair:  # fmt: skip
    """Recover x_0 and v_0."""
    for f in reversed(functions):
        x = x - v
        v = v - push(f, n, d, x)
        v, b = undo(v, b, n, d)
    return x, v
