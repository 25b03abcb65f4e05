"""How far apart two floating-point results are, in representable numbers and in bits."""

import numpy as np
from numpy.typing import ArrayLike

from .base.checks import array, shown
from .base.types import AnyArray, FloatArray

_INTEGERS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def _ordered(array: AnyArray) -> AnyArray:
    """Map floats to integers so that neighbours stay neighbours (and -0 equals +0)."""
    integers = array.view(_INTEGERS[array.dtype])
    lowest = np.iinfo(integers.dtype).min
    return np.where(integers < 0, lowest - integers, integers)


def ulp_distance(a: FloatArray, b: FloatArray) -> int:
    """Count the steps between neighbouring floats (units in the last place) from `a` to `b`, at their largest.

    `a` and `b` are float32 or float64 arrays that agree in shape and dtype; other ones raise ValueError or TypeError.
    A NaN is as far as can be from a number, and equals a NaN.

    Examples
    --------
    >>> ulp_distance(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 2**-50]))
    2
    """
    a, b = np.ascontiguousarray(array("a", a)), np.ascontiguousarray(array("b", b))
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(f"a and b must agree in shape and dtype, got {a.shape} {a.dtype} and {b.shape} {b.dtype}")
    if a.dtype not in _INTEGERS:
        raise TypeError(f"a and b must be float32 or float64, got {a.dtype}")
    if a.size == 0 or np.array_equal(a, b, equal_nan=True):
        return 0
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return 1 << 8 * a.dtype.itemsize
    missing = np.isnan(a)
    a, b = (_ordered(np.where(missing, 0, array).astype(array.dtype)) for array in (a, b))
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    distance = np.maximum(a, b).view(unsigned) - np.minimum(a, b).view(unsigned)  # wraps to the true distance
    return int(distance.max())


def bits_of_difference(a: FloatArray, b: FloatArray) -> int:
    """Count by how many of their last bits `a` and `b` differ at most: 0 if and only if all values are equal.

    This is the length in bits of `ulp_distance`: neighbouring floats differ by 1 bit, floats up to 3 steps apart by 2,
    and so on.  Floats are dense near zero: however small two values of opposite sign are, they differ by about 30 bits
    in float32.

    Examples
    --------
    >>> bits_of_difference(np.array([2.0]), np.array([2.0 + 2**-50]))
    2
    """
    return ulp_distance(a, b).bit_length()


def describe_difference(a: ArrayLike, b: ArrayLike) -> str:
    """Say in words how two arrays of numbers compare: exact, or by their largest difference.

    Examples
    --------
    >>> describe_difference([0.1 + 0.2], [0.3])
    'largest difference 5.55e-17'
    """
    one, other = array("a", a), array("b", b)
    for name, values in (("a", one), ("b", other)):
        if values.dtype.kind not in "biufc":
            raise TypeError(f"{name} must hold numbers, got {shown(values)}")
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"different: {one.shape} {one.dtype} and {other.shape} {other.dtype}"
    differ = (one != other) & ((one == one) | (other == other))  # NaN and NaN do not
    if not differ.any():
        return "exact"
    one, other = one[differ], other[differ]
    if one.dtype.kind in "biu":
        one, other = one.astype(object), other.astype(object)  # Python's integers do not overflow
    return f"largest difference {np.abs(one - other).max():.3g}"
