"""The remainder has the sign of v, as in C."""

import numpy as np

CAUSE = "the division truncates, towards zero, and must round down (floor)"
BREAKS = {"exact inversion": CAUSE, "same bits": "must be the same float"}


def multiply(v, b, n, d):
    b = b * d + np.fmod(v, d)
    v = v // d * n + b % n
    return v, b // n
