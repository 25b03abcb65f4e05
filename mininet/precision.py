"""How far apart two floating-point results are, counted in representable numbers and in bits."""

import numpy as np

from .checks import array, shown

_INTEGERS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def _ordered(array):
    """Map floats to integers so that neighbouring floats become neighbouring integers (and -0 equals +0)."""
    integers = array.view(_INTEGERS[array.dtype])
    lowest = np.iinfo(integers.dtype).min
    return np.where(integers < 0, lowest - integers, integers)


def ulp_distance(a, b):
    """Largest number of steps between neighbouring floats (units in the last place) from `a` to `b`.

    Parameters
    ----------
    a, b : ndarray of float32 or float64
        Same shape and dtype.

    Returns
    -------
    int
        0 if all values are equal.  A NaN is as far as can be from a number, and equal to a NaN.
    """
    a, b = np.ascontiguousarray(array("a", a)), np.ascontiguousarray(array("b", b))
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(f"a and b must agree in shape and dtype, got {a.shape} {a.dtype} and {b.shape} {b.dtype}")
    if a.dtype not in _INTEGERS:
        raise TypeError(f"a and b must be float32 or float64, got {a.dtype}")
    if a.size == 0 or np.array_equal(a, b, equal_nan=True):
        return 0
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return 2 ** (8 * a.dtype.itemsize)
    missing = np.isnan(a)
    a, b = (_ordered(np.where(missing, 0, array).astype(array.dtype)) for array in (a, b))
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    distance = np.maximum(a, b).view(unsigned) - np.minimum(a, b).view(unsigned)  # wraps to the true distance
    return int(distance.max())


def bits_of_difference(a, b):
    """By how many of their last bits `a` and `b` differ at most: 0 if and only if all values are equal.

    This is the length in bits of the number `ulp_distance`: neighbouring floats differ by 1 bit, floats up to 3 steps
    apart by 2, and so on.  Near zero floats are dense: a value and one of the other sign are some 30 bits apart in
    float32, however small they are.
    """
    return ulp_distance(a, b).bit_length()


def describe_difference(a, b):
    """In words, how `a` and `b` compare: exact, or approximate with the largest difference.

    For tutorials and reports.  Parameters as in `ulp_distance`; other numbers and booleans are welcome too.
    """
    a, b = array("a", a), array("b", b)
    for name, values in (("a", a), ("b", b)):
        if values.dtype.kind not in "biufc":
            raise TypeError(f"{name} must hold numbers, got {shown(values)}")
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"different: {a.shape} {a.dtype} and {b.shape} {b.dtype}"
    differ = (a != b) & ((a == a) | (b == b))  # NaN and NaN do not
    if not differ.any():
        return "exact"
    a, b = a[differ], b[differ]
    if a.dtype.kind in "biu":
        a, b = a.astype(object), b.astype(object)  # Python's integers do not overflow
    return f"approximate: largest difference {np.abs(a - b).max():.3g}"
