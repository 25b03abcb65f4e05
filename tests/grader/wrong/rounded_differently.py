"""What was added to v was rounded to the nearest integer; what is subtracted is cut."""

import numpy as np

BREAKS = {"exact inversion": "must be the one that was added", "same bits": "must be the same float"}


def undo(value, n, d, v, b, count, stack):
    cut = ((d - n) / d * value * 2.0**40).astype(np.int64)
    return multiply(v - cut, b, d, n)  # noqa: F821
