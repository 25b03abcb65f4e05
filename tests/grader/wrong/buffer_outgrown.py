"""The buffer stays one 64-bit integer, however many layers there are."""

BREAKS = {"exact inversion": "it has outgrown its integer", "same bits": "must be the same float"}


def spills(n, d, depth):
    return depth * [0]
