"""The momentum rule in exact arithmetic, after Maclaurin, Duvenaud and Adams (ICML 2015).

Position x and velocity v are integers, in units of 2^-40.  Integer additions are undone by subtraction; what destroys
information is the product gamma v.  Here gamma is a fraction n/d, and every element has a buffer, an integer b >= 0,
that takes in the remainder of the division by d and gives its own remainder modulo n to the product:

    multiply:  b <- b d + v mod d      v <- v div d      v <- v n + b mod n      b <- b div n
    undo:      b <- b n + v mod n      v <- v div n      v <- v d + b mod d      b <- b div d

with floor division and remainders >= 0, also for negative v.  So v becomes gamma v but for less than n units, b grows
by the factor d/n, that is by log2(1/gamma) bits, and nothing is lost.  One layer is then

    v <- gamma v + round((1 - gamma) f 2^40)            x <- x + v

The buffer lives in one 64-bit word.  How large it can have become depends on n, d and the number of steps only, so a
schedule that knows nothing of the data says before which steps the low 16 bits of every b must be moved to a stack to
make room: `SpillSchedule`.
"""

import fractions
import functools
import threading

import numpy as np

from .jit import kernel
from .threads import for_each_piece

FRACTION_BITS = 40
"""x and v count units of 2^-40, about 9.1e-13."""

LIMIT = 2**61
"""Largest |x| and |v| in units, 2^21 = 2,097,152 as a value.  A sum of three such numbers, x + gamma v + increment,
fits into 64 bits, so an overflow is always seen before it can wrap."""

LARGEST = LIMIT / 2**FRACTION_BITS

SPILL_BITS = 16
MAX_DENOMINATOR = 2**20
ELEMENTS_PER_PIECE = 2**15

FINE, TOO_LARGE, NOT_A_NUMBER = 0, 1, 2

_UNITS_PER_ONE = 2.0**FRACTION_BITS
_UNIT = 2.0**-FRACTION_BITS
_LOW_BITS = 2**SPILL_BITS - 1


@functools.lru_cache(maxsize=64)
def as_fraction(gamma):
    """The fraction n/d with small d that stands for `gamma` in exact arithmetic.

    A product with gamma is off by up to n units, and the buffer must have room for d, so the denominator is kept small:
    of the bounds 1, 2, 4, ..., 2^20, the first one under which a fraction agrees with gamma, and with 1 - gamma, to a
    relative 2^-30; else 2^20.  So 0.9 becomes 9/10, not the double nearest to it.

    Returns
    -------
    fractions.Fraction
        In [0, 1); 0 only for gamma = 0.

    Raises
    ------
    ValueError
        If gamma is not 0 and nearer than 2^-20 to 0 or 1, or lies outside.
    """
    nearest = fractions.Fraction(1, MAX_DENOMINATOR)
    if gamma == 0:
        return fractions.Fraction(0)
    if not nearest <= gamma <= 1 - nearest:  # also for NaN
        raise ValueError(f"gamma must be 0 or at least 2^-20 away from 0 and 1 in exact arithmetic, got {gamma!r}")
    exact = fractions.Fraction(gamma)
    tolerance = min(exact, 1 - exact) / 2**30
    for bits in range(MAX_DENOMINATOR.bit_length()):
        fraction = exact.limit_denominator(2**bits)
        if abs(fraction - exact) <= tolerance:
            break
    return fraction


class SpillSchedule:
    """How often the low bits of all buffers move to the stack before each step; a function of n/d alone.

    `_bounds[t]` is a strict upper bound of every buffer before step t, after its spills.  A step takes b < B to
    b' <= floor((B d - 1) / n) < ceil(B d / n), and needs B d <= 2^63.
    """

    def __init__(self, gamma):
        self._numerator, self._denominator = gamma.numerator, gamma.denominator
        self._bounds = [1]
        self._spills = [0]
        self._lock = threading.Lock()

    def spills_before(self, step):
        """Number of spills before step number `step`, counted from 0."""
        with self._lock:  # several threads may share a schedule
            while len(self._bounds) <= step:
                bound = -(-self._bounds[-1] * self._denominator // self._numerator)
                spills = 0
                while bound * self._denominator > 2**63:
                    bound = -(-bound >> SPILL_BITS)
                    spills += 1
                self._spills.append(spills)
                self._bounds.append(bound)
            return self._spills[step]


@functools.lru_cache(maxsize=64)
def spill_schedule(gamma):
    """The `SpillSchedule` of a fraction 0 < gamma < 1, shared by all who ask for it."""
    return SpillSchedule(gamma)


def to_integers(values, out):
    """Write `values`, floats, rounded to units into `out`, int64 of the same shape; return a status.

    FINE, or TOO_LARGE or NOT_A_NUMBER if some value is (infinity is too large); `out` is then useless.
    """
    arrays = np.ascontiguousarray(values).reshape(-1), out.reshape(-1)
    return _checked(lambda first, last, status: _to_integers(*arrays, status, first, last), out.size)


def to_floats(integers, dtype):
    """The floats nearest to integers in units (via float64, so float32 is rounded twice, always the same way)."""
    out = np.empty(integers.shape, dtype=dtype)
    arrays = integers.reshape(-1), out.reshape(-1)
    for_each_piece(lambda first, last: _to_floats(*arrays, first, last), out.size, ELEMENTS_PER_PIECE)
    return out


def step(x, v, b, f, gamma):
    """One layer forward: overwrites `x`, `v`, `b` (int64), given `f` (floats) and the fraction gamma; returns a status.

    For gamma = 0 the buffer is left alone and the old velocity is lost: this step cannot be undone.
    """
    arrays = x.reshape(-1), v.reshape(-1), b.reshape(-1), np.ascontiguousarray(f).reshape(-1)
    scale = _scale(gamma)
    numerator, denominator = gamma.numerator, gamma.denominator
    if numerator == 0:
        v.fill(0)
        numerator = denominator = 1

    def work(first, last, status):
        _step(*arrays, numerator, denominator, scale, status, first, last)

    return _checked(work, x.size)


def undo_position(x, v):
    """First half of the inverse: `x` is overwritten with the position before the step."""
    arrays = x.reshape(-1), v.reshape(-1)
    for_each_piece(lambda first, last: _undo_position(*arrays, first, last), x.size, ELEMENTS_PER_PIECE)


def undo_velocity(v, b, f, gamma):
    """Second half of the inverse: overwrites `v` and `b`; `f` is evaluated at the x that `undo_position` gave back."""
    arrays = v.reshape(-1), b.reshape(-1), np.ascontiguousarray(f).reshape(-1)
    scale = _scale(gamma)

    def work(first, last):
        _undo_velocity(*arrays, gamma.numerator, gamma.denominator, scale, first, last)

    for_each_piece(work, v.size, ELEMENTS_PER_PIECE)


def spill(b):
    """Take the low 16 bits off every buffer; returns them as uint16."""
    low = np.empty(b.shape, dtype=np.uint16)
    arrays = b.reshape(-1), low.reshape(-1)
    for_each_piece(lambda first, last: _spill(*arrays, first, last), b.size, ELEMENTS_PER_PIECE)
    return low


def unspill(b, low):
    """Put spilled bits back below every buffer."""
    arrays = b.reshape(-1), low.reshape(-1)
    for_each_piece(lambda first, last: _unspill(*arrays, first, last), b.size, ELEMENTS_PER_PIECE)


def _scale(gamma):
    """(1 - gamma) 2^40, correctly rounded."""
    return float((1 - gamma) * 2**FRACTION_BITS)


def _checked(work, size):
    """Run `work(first, last, status)` on all pieces, each with a status array of its own; the worst status."""
    pieces = -(-size // ELEMENTS_PER_PIECE)
    status = np.zeros((pieces, 1), dtype=np.int64)
    for_each_piece(lambda first, last: work(first, last, status[first // ELEMENTS_PER_PIECE]), size, ELEMENTS_PER_PIECE)
    return int(status.max(initial=FINE))


@kernel
def _to_integers(values, out, status, first, last):
    for i in range(first, last):
        units = np.rint(np.float64(values[i]) * _UNITS_PER_ONE)
        if abs(units) <= LIMIT:
            out[i] = np.int64(units)
        else:
            status[0] = max(status[0], NOT_A_NUMBER if np.isnan(units) else TOO_LARGE)


@kernel
def _to_floats(integers, out, first, last):
    for i in range(first, last):
        out[i] = np.float64(integers[i]) * _UNIT


@kernel
def _step(x, v, b, f, n, d, scale, status, first, last):
    for i in range(first, last):
        increment = np.rint(np.float64(f[i]) * scale)
        if not abs(increment) <= LIMIT:  # or NaN
            status[0] = max(status[0], NOT_A_NUMBER if np.isnan(increment) else TOO_LARGE)
            continue
        quotient = v[i] // d
        carry = b[i] * d + (v[i] - quotient * d)
        b[i] = carry // n
        velocity = quotient * n + (carry - b[i] * n) + np.int64(increment)
        position = x[i] + velocity
        if abs(velocity) > LIMIT or abs(position) > LIMIT:
            status[0] = max(status[0], TOO_LARGE)
        v[i] = velocity
        x[i] = position


@kernel
def _undo_position(x, v, first, last):
    for i in range(first, last):
        x[i] -= v[i]


@kernel
def _undo_velocity(v, b, f, n, d, scale, first, last):
    for i in range(first, last):
        velocity = v[i] - np.int64(np.rint(np.float64(f[i]) * scale))
        quotient = velocity // n
        carry = b[i] * n + (velocity - quotient * n)
        b[i] = carry // d
        v[i] = quotient * d + (carry - b[i] * d)


@kernel
def _spill(b, low, first, last):
    for i in range(first, last):
        low[i] = b[i] & _LOW_BITS
        b[i] >>= SPILL_BITS


@kernel
def _unspill(b, low, first, last):
    for i in range(first, last):
        b[i] = (b[i] << SPILL_BITS) | np.int64(low[i])


def step_reference(x, v, b, f, gamma):
    """(x, v, b) after one layer for single Python integers, which cannot overflow."""
    n, d = gamma.numerator, gamma.denominator
    b, v = b * d + v % d, v // d
    b, v = b // n, v * n + b % n
    v += round(float(f) * _scale(gamma))
    return x + v, v, b


def inverse_step_reference(x, v, b, function, gamma):
    """(x, v, b) before the layer; `function` maps a position in units to the residual function's value."""
    n, d = gamma.numerator, gamma.denominator
    x -= v
    v -= round(float(function(x)) * _scale(gamma))
    b, v = b * n + v % n, v // n
    b, v = b // d, v * d + b % d
    return x, v, b
