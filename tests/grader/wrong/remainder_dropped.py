"""v n/d, rounded down, and nothing kept."""

CAUSE = "the remainder of the division by d is dropped"
BREAKS = {"exact inversion": CAUSE, "same bits": "must be the same float"}


def multiply(v, b, n, d):
    return v * n // d, b
