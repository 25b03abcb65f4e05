"""The quotient is cut towards zero, as in C; the remainder is Python's."""

import numpy as np

CAUSE = "the division truncates, towards zero, and must round down (floor)"
BREAKS = {"exact inversion": CAUSE, "same bits": "must be the same float"}


def multiply(v, b, n, d):
    b = b * d + v % d
    v = np.trunc(v / d).astype(np.int64) * n + b % n
    return v, b // n
