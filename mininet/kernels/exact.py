"""The momentum rule in exact arithmetic, after Maclaurin, Duvenaud and Adams (ICML 2015).

Position x and velocity v are integers, in units of 2^-40.  Integer additions are undone by subtraction; what destroys
information is the product gamma v.  Here gamma is a fraction n/d, and every element has a buffer, an integer b >= 0,
that takes in the remainder of the division by d and gives its own remainder modulo n to the product:

    multiply:  b <- b d + v mod d      v <- v div d      v <- v n + b mod n      b <- b div n
    undo:      b <- b n + v mod n      v <- v div n      v <- v d + b mod d      b <- b div d

with floor division and remainders >= 0, also for negative v.  So v becomes gamma v but for less than n units, b grows
by the factor d/n, that is by log2(1/gamma) bits, and nothing is lost.  One layer is then

    v <- gamma v + round((1 - gamma) f 2^40)            x <- x + v

The buffer lives in one 32-bit word.  How large it can have become depends on n, d and the number of steps only, so a
schedule that knows nothing of the data says before which steps the low 8 bits of every b must be moved to a stack to
make room: `SpillSchedule`.

Undoing is the same operation with n and d exchanged: `_multiply`.

Processors divide integers slowly, and one at a time.  Floating point does it many at a time: float64 holds every
integer up to 2^53 exactly, so multiplying by 1/d gives nearly the quotient, and then the remainder, which is computed
without rounding, tells how far it is off.  The buffer is kept small enough for that; blocks with a velocity that is not
are divided as integers.
"""

import fractions
import functools
import numbers
import threading

import numpy as np

from . import buffers, jit
from .prefetch import prefetch
from .threads import for_each_share

kernel = functools.partial(jit.kernel, contract=True)  # what is multiplied and then added to are integers below 2^53

FRACTION_BITS = 40
"""x and v count units of 2^-40, about 9.1e-13."""

LIMIT = 2**61
"""Largest |x| and |v| in units, 2^21 = 2,097,152 as a value.  A sum of three such numbers, x + gamma v + increment,
fits into 64 bits, so an overflow is always seen before it can wrap."""

LARGEST = LIMIT / 2**FRACTION_BITS

SPILL_BITS = 8
BUFFER_BITS = 32
MAX_DENOMINATOR = 2**20
ELEMENTS_WORTH_SHARING = 2**17

BLOCK, AHEAD = 64, 512
"""While a block of elements is computed, the one so many elements further on is asked for from memory."""

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
    if not isinstance(gamma, numbers.Real) or isinstance(gamma, bool):
        raise ValueError(f"gamma must be a number, got {gamma!r}")
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
    b' <= floor((B d - 1) / n) < ceil(B d / n), which must fit into the word: at most 2^32.  Then B d <= 2^32 n < 2^53,
    so that float64 can divide.
    """

    def __init__(self, gamma):
        self._numerator, self._denominator = gamma.numerator, gamma.denominator
        self._bounds = [1]
        self._spills = [0]
        self._lock = threading.Lock()

    def _after_step(self, bound):
        return -(-bound * self._denominator // self._numerator)

    def spills_before(self, step):
        """Number of spills before step number `step`, counted from 0."""
        with self._lock:  # several threads may share a schedule
            while len(self._bounds) <= step:
                bound = self._after_step(self._bounds[-1])
                spills = 0
                while self._after_step(bound) > 2**BUFFER_BITS:
                    bound = -(-bound >> SPILL_BITS)
                    spills += 1
                self._spills.append(spills)
                self._bounds.append(bound)
            return self._spills[step]


@functools.lru_cache(maxsize=64)
def spill_schedule(gamma):
    """The `SpillSchedule` of a fraction 0 < gamma < 1, shared by all who ask for it."""
    if not isinstance(gamma, fractions.Fraction) or not 0 < gamma < 1:
        raise ValueError(f"gamma must be a fraction above 0 and below 1, as as_fraction gives it, got {gamma!r}")
    return SpillSchedule(gamma)


def to_integers(values, out):
    """Write `values`, floats, rounded to units into `out`, int64 of the same shape; return a status.

    FINE, or TOO_LARGE or NOT_A_NUMBER if some value is (infinity is too large); `out` is then useless.
    """
    is_bad = np.zeros(1, np.int64)
    arrays = _flat(values, out)
    _for_each_share(lambda first, last: _to_integers(*arrays, is_bad, first, last), out.size)
    return _status(is_bad, values)


def to_floats(integers, dtype):
    """The floats nearest to integers in units (via float64, so float32 is rounded twice, always the same way)."""
    out = buffers.empty(integers.shape, dtype)
    arrays = integers.reshape(-1), out.reshape(-1)
    _for_each_share(lambda first, last: _to_floats(*arrays, first, last), out.size)
    return out


def step(x, v, b, f, gamma):
    """One layer forward: overwrites `x`, `v` (int64) and `b` (uint32), given `f` (floats) and the fraction gamma.

    For gamma = 0 the buffer is left alone and the old velocity is lost: this step cannot be undone.

    Returns
    -------
    status : int
        FINE, or TOO_LARGE or NOT_A_NUMBER if some value is; the arrays are then useless.
    values : ndarray
        The new x as floats, of the dtype of `f`.
    """
    values = buffers.empty(x.shape, f.dtype)
    arrays = _flat(x, v, b, f, values)
    if gamma.numerator == 0:
        v.fill(0)
    ratio = _ratio(gamma.numerator, gamma.denominator) if gamma.numerator else _ratio(1, 1)
    scale = _scale(gamma)
    is_bad = np.zeros(1, np.int64)
    _for_each_share(lambda first, last: _step(*arrays, ratio, scale, is_bad, first, last), x.size)
    return _status(is_bad, f), values


def undo_position(x, v, dtype):
    """First half of the inverse: `x` is overwritten with the position before the step, and returned as floats too."""
    values = buffers.empty(x.shape, dtype)
    arrays = _flat(x, v, values)
    _for_each_share(lambda first, last: _undo_position(*arrays, first, last), x.size)
    return values


def undo_velocity(v, b, f, gamma):
    """Second half of the inverse: overwrites `v` and `b`; `f` is evaluated at the x that `undo_position` gave back."""
    arrays, scale = _flat(v, b, f), _scale(gamma)
    ratio = _ratio(gamma.denominator, gamma.numerator)
    _for_each_share(lambda first, last: _undo_velocity(*arrays, ratio, scale, first, last), v.size)


def undo_velocity_and_position(x, v, b, f, gamma):
    """`undo_velocity`, and then `undo_position` of the layer before, in one pass over memory."""
    values = buffers.empty(x.shape, f.dtype)
    arrays, scale = _flat(x, v, b, f, values), _scale(gamma)
    ratio = _ratio(gamma.denominator, gamma.numerator)
    _for_each_share(lambda first, last: _undo_both(*arrays, ratio, scale, first, last), x.size)
    return values


def add(x, f, sign=1):
    """Add `f` (floats), rounded to units, to `x` (int64), which is overwritten; sign -1 subtracts, and so undoes that.

    Returns
    -------
    status : int
        FINE, or TOO_LARGE or NOT_A_NUMBER if some value is; `x` is then useless.
    values : ndarray
        The new x as floats, of the dtype of `f`.
    """
    values = buffers.empty(x.shape, f.dtype)
    arrays = _flat(x, f, values)
    is_bad = np.zeros(1, np.int64)
    _for_each_share(lambda first, last: _add(*arrays, sign * _UNITS_PER_ONE, is_bad, first, last), x.size)
    return _status(is_bad, f), values


def spill(b):
    """Take the low 8 bits off every buffer; returns them as uint8."""
    low = np.empty(b.shape, dtype=np.uint8)
    arrays = b.reshape(-1), low.reshape(-1)
    _for_each_share(lambda first, last: _spill(*arrays, first, last), b.size)
    return low


def unspill(b, low):
    """Put spilled bits back below every buffer."""
    arrays = b.reshape(-1), low.reshape(-1)
    _for_each_share(lambda first, last: _unspill(*arrays, first, last), b.size)


def _for_each_share(work, size):
    for_each_share(work, size, ELEMENTS_WORTH_SHARING)


def _flat(*arrays):
    return tuple(np.ascontiguousarray(array).reshape(-1) for array in arrays)


@functools.lru_cache(maxsize=64)
def _ratio(factor, divisor):
    """What `_multiply` needs to multiply by factor / divisor; last, the largest |v| for which floats suffice."""
    # a little less than 1 / factor: a quotient found with it may be too small by one, but never too large
    below_inverse_factor = (1 - 2.0**-52) / factor
    # up to 2^50, v + 1/2 is a float and (v + 1/2) / divisor is off by less than 1/2 divisor, so never by an integer;
    # the product stays below 2^53
    largest_for_floats = min(2**50, 2**52 * divisor // factor)
    return factor, divisor, below_inverse_factor, 1 / divisor, largest_for_floats


@functools.lru_cache(maxsize=64)
def _scale(gamma):
    """(1 - gamma) 2^40, correctly rounded."""
    return float((1 - gamma) * 2**FRACTION_BITS)


def _status(is_bad, values):
    if not is_bad[0]:
        return FINE
    return NOT_A_NUMBER if np.isnan(values).any() else TOO_LARGE


@kernel
def _to_integers(values, out, is_bad, first, last):
    values, out = values[first:last], out[first:last]
    for i in range(len(out)):
        units = np.rint(np.float64(values[i]) * _UNITS_PER_ONE)
        if abs(units) <= LIMIT:
            out[i] = np.int64(units)
        else:
            is_bad[0] = 1


@kernel
def _to_floats(integers, out, first, last):
    integers, out = integers[first:last], out[first:last]
    for i in range(len(out)):
        out[i] = np.float64(integers[i]) * _UNIT


@kernel
def _multiply(v, b, ratio, first, last):
    """Multiply v by factor / divisor.

    For |v| up to 3 * 2^61 and b * divisor below 2^53; `first` and `last` are unsigned.
    """
    factor, divisor, below_inverse_factor, inverse_divisor, largest_for_floats = ratio
    largest = np.int64(0)
    for i in range(first, last):
        largest = max(largest, abs(v[i]))
    if largest <= largest_for_floats:
        for i in range(first, last):
            left = np.float64(v[i])
            quotient = np.floor((left + 0.5) * inverse_divisor)
            carry = np.float64(b[i]) * divisor + (left - quotient * divisor)
            buffer = np.floor(carry * below_inverse_factor)
            low = carry - buffer * factor
            if low >= factor:
                low -= factor
                buffer += 1
            v[i] = np.int64(quotient * factor + low)
            b[i] = np.uint32(buffer)
    else:
        for i in range(first, last):
            quotient = v[i] // divisor
            carry = np.int64(b[i]) * divisor + (v[i] - quotient * divisor)
            buffer = carry // factor
            v[i] = quotient * factor + (carry - buffer * factor)
            b[i] = np.uint32(buffer)


@kernel
def _step(x, v, b, f, values, ratio, scale, is_bad, first, last):
    largest = np.int64(0)
    beyond = np.int64(0)
    x, v, b, f, values = x[first:last], v[first:last], b[first:last], f[first:last], values[first:last]
    for start in range(0, len(x), BLOCK):
        _prefetch_block(x, v, b, f, values, start + AHEAD)
        begin, end = np.uint64(start), np.uint64(min(start + BLOCK, len(x)))
        _multiply(v, b, ratio, begin, end)
        for i in range(begin, end):
            change = np.rint(np.float64(f[i]) * scale)
            velocity = v[i] + np.int64(change)
            position = x[i] + velocity
            v[i], x[i] = velocity, position
            values[i] = np.float64(position) * _UNIT
            largest = max(largest, abs(velocity), abs(position))
            beyond |= np.int64(not abs(change) <= LIMIT)  # also if it is NaN
    if beyond or largest > LIMIT:
        is_bad[0] = 1


@kernel
def _undo_position(x, v, values, first, last):
    x, v, values = x[first:last], v[first:last], values[first:last]
    for i in range(len(x)):
        x[i] -= v[i]
        values[i] = np.float64(x[i]) * _UNIT


@kernel
def _undo_velocity(v, b, f, ratio, scale, first, last):
    v, b, f = v[first:last], b[first:last], f[first:last]
    for start in range(0, len(v), BLOCK):
        begin, end = np.uint64(start), np.uint64(min(start + BLOCK, len(v)))
        for i in range(begin, end):
            v[i] -= np.int64(np.rint(np.float64(f[i]) * scale))
        _multiply(v, b, ratio, begin, end)


@kernel
def _undo_both(x, v, b, f, values, ratio, scale, first, last):
    x, v, b, f, values = x[first:last], v[first:last], b[first:last], f[first:last], values[first:last]
    for start in range(0, len(x), BLOCK):
        _prefetch_block(x, v, b, f, values, start + AHEAD)
        begin, end = np.uint64(start), np.uint64(min(start + BLOCK, len(x)))
        for i in range(begin, end):
            v[i] -= np.int64(np.rint(np.float64(f[i]) * scale))
        _multiply(v, b, ratio, begin, end)
        for i in range(begin, end):
            x[i] -= v[i]
            values[i] = np.float64(x[i]) * _UNIT


@kernel
def _add(x, f, values, scale, is_bad, first, last):
    x, f, values = x[first:last], f[first:last], values[first:last]
    beyond = np.int64(0)
    for i in range(len(x)):
        change = np.rint(np.float64(f[i]) * scale)
        x[i] += np.int64(change)
        values[i] = np.float64(x[i]) * _UNIT
        beyond |= np.int64(not abs(change) <= LIMIT) | np.int64(abs(x[i]) > LIMIT)  # the first also if it is NaN
    if beyond:
        is_bad[0] = 1


@kernel
def _prefetch_block(x, v, b, f, values, start):
    prefetch(x, start, BLOCK)
    prefetch(v, start, BLOCK)
    prefetch(b, start, BLOCK)
    prefetch(f, start, BLOCK)
    prefetch(values, start, BLOCK)


@kernel
def _spill(b, low, first, last):
    b, low = b[first:last], low[first:last]
    for i in range(len(b)):
        low[i] = b[i] & _LOW_BITS
        b[i] >>= SPILL_BITS


@kernel
def _unspill(b, low, first, last):
    b, low = b[first:last], low[first:last]
    for i in range(len(b)):
        b[i] = (b[i] << SPILL_BITS) | low[i]


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
