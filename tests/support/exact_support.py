"""What the tests of the exact momentum rule share: arrays of every size and sign, and a network of steps."""

import fractions

import numpy as np
import pytest
from support import DTYPES

from mininet.kernels.exact import (
    BUFFER_BITS,
    FINE,
    FRACTION_BITS,
    MAX_DENOMINATOR,
    spill,
    spill_schedule,
    step,
    to_floats,
    undo_position,
    undo_velocity,
    undo_velocity_and_position,
    unspill,
)

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


def scale_of(gamma):
    """Units per unit of f: (1 - gamma) 2^40, rounded once."""
    return float((1 - gamma) * 2**FRACTION_BITS)


def largest_buffer(gamma):
    """The largest b that a step may be given: b d + d - 1 < 2^53, and the b after it below 2^32."""
    n, d = gamma.numerator, gamma.denominator
    return min(2**53 // d, 2**BUFFER_BITS * n // d) - 1


def make(size, gamma, seed=0):
    """Positions, velocities and buffers of every size and sign, within what a step may be given."""
    random = np.random.default_rng(seed)
    arrays = []
    for _ in range(2):
        bits = random.integers(1, 60, size)  # uniform in magnitude, not in value
        values = random.integers(-(2**59), 2**59, size)
        arrays.append((np.sign(values) * (np.abs(values) >> (60 - bits))).astype(np.int64))
    x, v = arrays
    largest = largest_buffer(gamma) if gamma else 2**BUFFER_BITS - 1
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
    """Steps and inverse steps with spills, as the schedule says; the residual function is any map of float arrays."""

    def __init__(self, x, v, b, gamma, function):
        self.x, self.v, self.b, self.gamma, self.function = x, v, b, gamma, function
        self.schedule, self.stack, self.depth = spill_schedule(gamma), [], 0
        self.values = to_floats(x, np.float64)

    def forward(self):
        for _ in range(self.schedule.spills_before(self.depth)):
            self.stack.append(spill(self.b))
        status, self.values = step(self.x, self.v, self.b, self.function(self.values), self.gamma)
        assert status == FINE
        self.depth += 1

    def back(self):
        self.depth -= 1
        self.values = undo_position(self.x, self.v, np.float64)
        undo_velocity(self.v, self.b, self.function(self.values), self.gamma)
        self._unspill()

    def all_the_way_back(self):
        """Like `back` for every layer, but with the second half of one layer and the first of the next together."""
        self.values = undo_position(self.x, self.v, np.float64)
        for depth in reversed(range(self.depth)):
            self.depth = depth
            f = self.function(self.values)
            if depth:
                self.values = undo_velocity_and_position(self.x, self.v, self.b, f, self.gamma)
            else:
                undo_velocity(self.v, self.b, f, self.gamma)
            self._unspill()

    def _unspill(self):
        for _ in range(self.schedule.spills_before(self.depth)):
            unspill(self.b, self.stack.pop())
