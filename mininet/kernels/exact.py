"""The momentum rule in exact arithmetic, after Maclaurin, Duvenaud and Adams (ICML 2015).

Position x and velocity v are integers, in units of 2^-40.  A subtraction undoes an addition of integers.  What
destroys information is the product gamma v.  Here gamma is a fraction n/d, and every element has an integer b >= 0, a
32-bit word of `Remainders.packed`, into which the remainders of all its divisions are packed.  b takes in the remainder
of a division by d and gives its own remainder modulo n to the product:

    multiply:  b = b d + v mod d      v = v div d      v = v n + b mod n      b = b div n
    undo:      b = b n + v mod n      v = v div n      v = v d + b mod d      b = b div d

with floor division and remainders >= 0, also for negative v.  So v becomes gamma v up to an error below n units, b
grows by the factor d/n, that is by log2(1/gamma) bits, and nothing is lost.  One layer is then

    v = gamma v + round((1 - gamma) f 2^40)            x = x + v

Undoing multiplies by d/n in place of n/d, with the same kernel, `_multiply`.  `remainders` keeps b within its 32 bits.

Processors divide integers slowly, and one at a time.  Floating point does it many at a time: float64 holds every
integer up to 2^53 exactly, so multiplying by 1/d gives nearly the quotient, and then the remainder, which is computed
without rounding, tells how far it is off.  b is kept small enough for that; blocks with a velocity that is not are
divided as integers.  Many processors cannot turn whole vectors of 64-bit integers into floats either; additions do it
for all below 2^51, in `_small_float` and `_small_integer`.
"""

import fractions
import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..base.checks import alike, float_array, is_real
from ..base.types import FloatArray, IntegerArray
from . import buffers, jit
from .prefetch import prefetch
from .threads import share_elements

share = functools.partial(share_elements, cost=8)  # a division takes its time
kernel = functools.partial(jit.kernel, contract=True)  # no harm: products that are added to are integers below 2^53

FRACTION_BITS = 40
"""x and v count units of 2^-40, about 9.1e-13."""

LIMIT = 2**61
"""Largest |x| and |v| in units, 2^21 = 2,097,152 as a value.  A sum of three such numbers, x + gamma v + increment,
fits into 64 bits, so an overflow is always seen before it can wrap."""

LARGEST = LIMIT / 2**FRACTION_BITS

MAX_DENOMINATOR = 2**20
BLOCK, AHEAD = 128, 512
"""While a block of `BLOCK` elements is computed, the one `AHEAD` elements further on is asked for from memory."""

_UNITS_PER_ONE, _UNIT = 2.0**FRACTION_BITS, 2.0**-FRACTION_BITS
_SHIFT, _SMALL = 1.5 * 2.0**52, 2**50
_SHIFT_BITS = np.float64(_SHIFT).view(np.int64)


@functools.lru_cache(maxsize=64)
def as_fraction(gamma: float) -> fractions.Fraction:
    """The fraction n/d that stands for `gamma` in exact arithmetic.

    It is chosen among the nearest fractions with denominators up to 1, 2, 4, ..., 2^20, so that two errors are small
    together: that of the fraction, relative to gamma and to 1 - gamma, and that of a product, up to n units of 2^-40.
    So 0.9 becomes 9/10, not the double nearest to it, and sqrt(1/2) becomes 19601/27720, with errors below 2e-8.

    Parameters
    ----------
    gamma
        0, or at least 2^-20 away from 0 and 1.

    Raises
    ------
    ValueError
        If gamma is not 0 and nearer than 2^-20 to 0 or 1, or lies outside.

    Examples
    --------
    >>> as_fraction(0.9)
    Fraction(9, 10)
    """
    nearest = fractions.Fraction(1, MAX_DENOMINATOR)
    if not is_real(gamma):
        raise ValueError(f"gamma must be a number, got {gamma!r}")
    if gamma == 0:
        return fractions.Fraction(0)
    if not nearest <= gamma <= 1 - nearest:  # also for NaN
        raise ValueError(f"gamma must be 0 or at least 2^-20 away from 0 and 1 in exact arithmetic, got {gamma!r}")
    wanted = fractions.Fraction(gamma)

    def error(fraction: fractions.Fraction) -> fractions.Fraction:
        return abs(fraction - wanted) / min(wanted, 1 - wanted) + fraction.numerator * fractions.Fraction(_UNIT)

    candidates = [wanted.limit_denominator(2**bits) for bits in range(MAX_DENOMINATOR.bit_length())]
    return min(candidates, key=error)  # never 0 or 1, which are off by all of gamma or of 1 - gamma


class Coefficients(NamedTuple):
    """gamma = n/d and 1 - gamma as the kernels need them; for gamma = 0, which cannot be undone, they multiply by 1."""

    gamma: fractions.Fraction
    multiply: FloatArray  # n/d, as `_ratio` gives it to `_multiply`
    undo: FloatArray  # d/n
    scale: float  # (1 - gamma) 2^40, correctly rounded

    def require_invertible(self) -> None:
        """Raise ValueError for gamma = 0."""
        if not self.gamma:
            raise ValueError("gamma must be above 0 to invert, got 0")


@functools.lru_cache(maxsize=64)
def coefficients(gamma: fractions.Fraction) -> Coefficients:
    """The `Coefficients` of a fraction; ValueError if its denominator is too large for exact division in floats."""
    if gamma.denominator > MAX_DENOMINATOR:
        raise ValueError(f"gamma must have a denominator of at most 2^20, got {gamma}: as_fraction finds one")
    n, d = (gamma.numerator, gamma.denominator) if gamma else (1, 1)
    return Coefficients(gamma, _ratio(n, d), _ratio(d, n), float((1 - gamma) * 2**FRACTION_BITS))


def _ratio(factor: int, divisor: int) -> FloatArray:
    """What `_multiply` needs to multiply by factor / divisor; last, the largest |v| for which floats suffice."""
    # a little less than 1 / factor: a quotient found with it may be too small by one, but never too large
    below_inverse_factor = (1 - 2.0**-52) / factor
    # up to 2^50, v + 1/2 is a float and (v + 1/2) / divisor is off by less than 1/2 divisor, so never by an integer;
    # the product stays below 2^51, as `_small_integer` needs
    largest_for_floats = min(2**50, (2**51 - 2**21) * divisor // factor)
    return np.array([factor, divisor, below_inverse_factor, 1 / divisor, largest_for_floats])


def to_units(name: str, values: FloatArray) -> NDArray[np.int64]:
    """Round floats to units of 2^-40, as int64.

    ValueError for NaN or infinity, OverflowError beyond `LARGEST`.

    Parameters
    ----------
    name
        What errors call them.
    values
        float32 or float64, of any shape.

    Examples
    --------
    >>> to_units("x", np.array([0.5, -1.0]))
    array([  549755813888, -1099511627776])
    """
    units, is_bad = buffers.empty(float_array(name, values).shape, np.int64), np.zeros(1, np.int64)
    share(_to_units, values, units, is_bad)
    if is_bad[0] and not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite in exact arithmetic, got NaN or infinity")
    if is_bad[0]:
        raise OverflowError(
            f"{name} must lie within +-{LARGEST:,.0f} in exact arithmetic, got {np.abs(values).max():,.6g}"
        )
    return units


def to_floats(integers: IntegerArray, dtype: np.dtype[Any]) -> FloatArray:
    """The floats nearest to integers in units, via float64.

    Parameters
    ----------
    integers
        In units of 2^-40.
    dtype
        float32 or float64.

    Examples
    --------
    >>> to_floats(np.array([549755813888]), np.dtype(np.float32))
    array([0.5], dtype=float32)
    """
    out = buffers.empty(integers.shape, dtype)
    share(_to_floats, integers, out)
    return out


def step(
    x: IntegerArray, v: IntegerArray, b: IntegerArray, f: FloatArray, coefficients: Coefficients, dtype: np.dtype[Any]
) -> FloatArray:
    """One layer forward: overwrites `x`, `v` (int64) and `b` (uint32), given `f` (floats); returns x as floats.

    After FloatingPointError, if f has a NaN, or OverflowError, if x, v or f leave the range, the arrays are useless.
    """
    values, is_bad = buffers.empty(x.shape, dtype), np.zeros(1, np.int64)
    f = alike("residual", f, x.shape, dtype)
    if not coefficients.gamma:
        v.fill(0)
    share(_step, x, v, b, f, values, coefficients.multiply, coefficients.scale, is_bad)
    _require_in_range(is_bad, f, "x, v")
    return values


def undo_position(x: IntegerArray, v: IntegerArray, dtype: np.dtype[Any]) -> FloatArray:
    """First half of the inverse: `x` is overwritten with the position before the step, and returned as floats too."""
    values = buffers.empty(x.shape, dtype)
    share(_undo_position, x, v, values)
    return values


def undo_velocity(
    v: IntegerArray, b: IntegerArray, f: FloatArray, coefficients: Coefficients, dtype: np.dtype[Any]
) -> None:
    """Second half of the inverse: overwrites `v` and `b`; `f` is evaluated at the x that `undo_position` gave back."""
    coefficients.require_invertible()
    share(_undo_velocity, v, b, alike("residual", f, v.shape, dtype), coefficients.undo, coefficients.scale)


def undo_velocity_and_position(
    x: IntegerArray, v: IntegerArray, b: IntegerArray, f: FloatArray, coefficients: Coefficients, dtype: np.dtype[Any]
) -> FloatArray:
    """`undo_velocity`, and then `undo_position` of the layer before, in one pass over memory."""
    coefficients.require_invertible()
    values, f = buffers.empty(x.shape, dtype), alike("residual", f, x.shape, dtype)
    share(_undo_both, x, v, b, f, values, coefficients.undo, coefficients.scale)
    return values


def add(x: IntegerArray, f: FloatArray, sign: int = 1) -> FloatArray:
    """Add `f` (floats), rounded to units, to `x` (int64), which is overwritten and returned as floats.

    Errors are those of `step`.  With sign -1 it is subtracted, which leads back to an x within the range.
    """
    values, is_bad = buffers.empty(x.shape, f.dtype), np.zeros(1, np.int64)
    share(_add, x, alike("residual", f, x.shape, f.dtype), values, sign * _UNITS_PER_ONE, is_bad)
    if sign > 0:
        _require_in_range(is_bad, f, "x")
    return values


def _require_in_range(is_bad: IntegerArray, f: FloatArray, what: str) -> None:
    """Raise what a kernel has noted, `what` being the variables that it changes."""
    if is_bad[0] and np.isnan(f).any():
        raise FloatingPointError("the residual function returned NaN")
    if is_bad[0]:
        raise OverflowError(
            f"{what} or the value of the residual function left the range of exact arithmetic, +-{LARGEST:,.0f}"
        )


@kernel
def _to_units(values, out, is_bad, first, last):
    values, out = values[first:last], out[first:last]
    out[:] = 0
    if _add_rounded(out, values, _UNITS_PER_ONE, np.uint64(0), np.uint64(len(out))):
        is_bad[0] = 1


@kernel
def _to_floats(integers, out, first, last):
    _write_floats(integers, out, np.uint64(first), np.uint64(last))


@kernel
def _multiply(v, b, ratio, first, last):
    """Multiply v by factor / divisor.

    For |v| up to 2^62 and b * divisor below 2^53; `first` and `last` are unsigned.
    """
    factor, divisor, below_inverse_factor, inverse_divisor, largest_for_floats = ratio
    largest = np.int64(0)
    for i in range(first, last):
        largest = max(largest, abs(v[i]))
    if largest <= largest_for_floats:
        for i in range(first, last):
            left = _small_float(v[i])
            quotient = np.floor((left + 0.5) * inverse_divisor)  # never off, see `_ratio`
            carry = _small_float(b[i]) * divisor + (left - quotient * divisor)
            rest = np.floor(carry * below_inverse_factor)
            low = carry - rest * factor
            if low >= factor:  # `rest` was too small by one
                low -= factor
                rest += 1
            v[i] = _small_integer(quotient * factor + low)
            b[i] = np.uint32(_small_integer(rest))
    else:
        times, by = np.int64(factor), np.int64(divisor)
        for i in range(first, last):
            quotient = v[i] // by
            carry = np.int64(b[i]) * by + (v[i] - quotient * by)
            rest = carry // times
            v[i] = quotient * times + (carry - rest * times)
            b[i] = np.uint32(rest)


@kernel
def _small_float(integer):
    """The float64 equal to an integer between -2^51 and 2^51: it becomes the last bits of 1.5 * 2^52."""
    return np.int64(np.int64(integer) + _SHIFT_BITS).view(np.float64) - _SHIFT


@kernel
def _small_integer(value):
    """The inverse of `_small_float`."""
    return np.float64(value + _SHIFT).view(np.int64) - _SHIFT_BITS


@kernel
def _add_rounded(total, f, scale, first, last):
    """Add f * scale, rounded; returns whether one is beyond the range, or NaN."""
    is_large = np.int64(0)
    for i in range(first, last):
        is_large |= np.int64(not abs(np.float64(f[i]) * scale) <= _SMALL)
    if not is_large:
        for i in range(first, last):
            total[i] += _small_integer(np.rint(np.float64(f[i]) * scale))
        return False
    beyond = np.int64(0)
    for i in range(first, last):
        change = np.rint(np.float64(f[i]) * scale)
        total[i] += np.int64(change)
        beyond |= np.int64(not abs(change) <= LIMIT)
    return beyond != 0


@kernel
def _write_floats(x, values, first, last):
    """The floats nearest to x, in units."""
    largest = np.int64(0)
    for i in range(first, last):
        largest = max(largest, abs(x[i]))
    if largest <= _SMALL:
        for i in range(first, last):
            values[i] = _small_float(x[i]) * _UNIT
    else:
        for i in range(first, last):
            values[i] = np.float64(x[i]) * _UNIT


@kernel
def _step(x, v, b, f, values, ratio, scale, is_bad, first, last):
    largest = np.int64(0)
    x, v, b, f, values = x[first:last], v[first:last], b[first:last], f[first:last], values[first:last]
    for start in range(0, len(x), BLOCK):
        _prefetch_block(x, v, b, f, values, start + AHEAD)
        begin, end = np.uint64(start), np.uint64(min(start + BLOCK, len(x)))
        _multiply(v, b, ratio, begin, end)
        if _add_rounded(v, f, scale, begin, end):
            is_bad[0] = 1
        for i in range(begin, end):
            x[i] += v[i]
            largest = max(largest, abs(v[i]), abs(x[i]))
        _write_floats(x, values, begin, end)
    if largest > LIMIT:
        is_bad[0] = 1


@kernel
def _undo_position(x, v, values, first, last):
    for i in range(np.uint64(first), np.uint64(last)):
        x[i] -= v[i]
    _write_floats(x, values, np.uint64(first), np.uint64(last))


@kernel
def _undo_velocity(v, b, f, ratio, scale, first, last):
    for start in range(first, last, BLOCK):
        begin, end = np.uint64(start), np.uint64(min(start + BLOCK, last))
        _add_rounded(v, f, -scale, begin, end)  # rint(-a) is -rint(a), for halves too
        _multiply(v, b, ratio, begin, end)


@kernel
def _undo_both(x, v, b, f, values, ratio, scale, first, last):
    x, v, b, f, values = x[first:last], v[first:last], b[first:last], f[first:last], values[first:last]
    for start in range(0, len(x), BLOCK):
        _prefetch_block(x, v, b, f, values, start + AHEAD)
        begin, end = np.uint64(start), np.uint64(min(start + BLOCK, len(x)))
        _add_rounded(v, f, -scale, begin, end)
        _multiply(v, b, ratio, begin, end)
        for i in range(begin, end):
            x[i] -= v[i]
        _write_floats(x, values, begin, end)


@kernel
def _add(x, f, values, scale, is_bad, first, last):
    begin, end = np.uint64(first), np.uint64(last)
    if _add_rounded(x, f, scale, begin, end):
        is_bad[0] = 1
    largest = np.int64(0)
    for i in range(begin, end):
        largest = max(largest, abs(x[i]))
    if largest > LIMIT:
        is_bad[0] = 1
    _write_floats(x, values, begin, end)


@kernel
def _prefetch_block(x, v, b, f, values, start):
    prefetch(x, start, BLOCK)
    prefetch(v, start, BLOCK)
    prefetch(b, start, BLOCK)
    prefetch(f, start, BLOCK)
    prefetch(values, start, BLOCK)
