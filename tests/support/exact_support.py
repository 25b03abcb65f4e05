"""What the tests of the exact momentum rule share: arrays of every size and sign, and a network of steps."""

import fractions

import numpy as np
import pytest
from support import DTYPES

from mininet.kernels import exact
from mininet.kernels.exact import FRACTION_BITS, MAX_DENOMINATOR
from mininet.kernels.remainders import WORD_BITS, Remainders

F = fractions.Fraction
NEAR_ONE = F(MAX_DENOMINATOR - 1, MAX_DENOMINATOR)
GAMMAS = [F(1, 2), F(9, 10), F(13, 25), F(1, 3), F(49999, 50000), F(1, 1000000), NEAR_ONE]
KINDS_OF_GAMMA = [
    *GAMMAS,
    F(1, MAX_DENOMINATOR),
    F(3, MAX_DENOMINATOR),
    F(524289, MAX_DENOMINATOR),
    F(699051, MAX_DENOMINATOR),
    F(2, 3),
    F(99, 100),
    F(1, 1048573),  # the largest prime below 2^20
    F(1048572, 1048573),
    F(524287, 1048573),
    F(1023, 1024),
    F(1, 1024),
]
by_gamma = pytest.mark.parametrize("gamma", GAMMAS, ids=str)
by_dtype = pytest.mark.parametrize("dtype", DTYPES)


def step(x, v, b, f, gamma):
    return exact.step(x, v, b, f, exact.coefficients(gamma), f.dtype)


def undo_velocity(v, b, f, gamma):
    exact.undo_velocity(v, b, f, exact.coefficients(gamma), f.dtype)


def undo_velocity_and_position(x, v, b, f, gamma):
    return exact.undo_velocity_and_position(x, v, b, f, exact.coefficients(gamma), f.dtype)


def scale_of(gamma):
    """Units per unit of f: (1 - gamma) 2^40, rounded once."""
    return float((1 - gamma) * 2**FRACTION_BITS)


def step_reference(x, v, b, f, gamma):
    """(x, v, b) after one layer for single Python integers, which cannot overflow."""
    n, d = gamma.numerator, gamma.denominator
    b, v = b * d + v % d, v // d
    b, v = b // n, v * n + b % n
    v += round(float(f) * scale_of(gamma))
    return x + v, v, b


def inverse_step_reference(x, v, b, function, gamma):
    """(x, v, b) before the layer; `function` maps a position in units to the residual function's value."""
    n, d = gamma.numerator, gamma.denominator
    x -= v
    v -= round(float(function(x)) * scale_of(gamma))
    b, v = b * n + v % n, v // n
    b, v = b // d, v * d + b % d
    return x, v, b


def largest_remainder(gamma):
    """The largest b that a step may be given: b d + d - 1 < 2^53, and the b after it below 2^32."""
    n, d = gamma.numerator, gamma.denominator
    return min(2**53 // d, 2**WORD_BITS * n // d) - 1


def make(size, gamma, seed=0):
    """Positions, velocities and remainders of every size and sign, within what a step may be given."""
    random = np.random.default_rng(seed)
    arrays = []
    for _ in range(2):
        bits = random.integers(1, 60, size)  # uniform in magnitude, not in value
        values = random.integers(-(2**59), 2**59, size)
        arrays.append((np.sign(values) * (np.abs(values) >> (60 - bits))).astype(np.int64))
    x, v = arrays
    largest = largest_remainder(gamma) if gamma else 2**WORD_BITS - 1
    b = (random.integers(0, largest, size, endpoint=True) >> random.integers(0, 32, size)).astype(np.uint32)
    edges = [0, 1, -1, gamma.denominator, -gamma.denominator, gamma.numerator, -gamma.numerator - 1]
    v[: len(edges)] = edges[:size]
    b[-1:] = largest
    return x, v, b


def zeros(*shape):
    """x, v and b at the very beginning."""
    return np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.uint32)


def as_rows(*arrays):
    return list(zip(*(array.ravel().tolist() for array in arrays), strict=True))


class Network:
    """Steps and inverse steps, with spills in time; the residual function is any map of float arrays."""

    def __init__(self, x, v, gamma, function):
        self.x, self.v, self.gamma, self.function = x, v, gamma, function
        self.remainders, self.depth = Remainders(gamma, x.shape), 0
        self.values = exact.to_floats(x, np.dtype(np.float64))

    def arrays(self):
        return self.x, self.v, self.remainders.packed

    def forward(self):
        self.remainders.make_room(self.depth)
        self.values = step(*self.arrays(), self.function(self.values), self.gamma)
        self.depth += 1

    def back(self):
        self.values = exact.undo_position(self.x, self.v, self.values.dtype)
        undo_velocity(self.v, self.remainders.packed, self.function(self.values), self.gamma)
        self.depth -= 1
        self.remainders.take_back(self.depth)

    def back_in_one_pass(self):
        """Like `back`, after the position was undone, but with the first half of what comes next."""
        self.values = undo_velocity_and_position(*self.arrays(), self.function(self.values), self.gamma)
        self.depth -= 1
        self.remainders.take_back(self.depth)
