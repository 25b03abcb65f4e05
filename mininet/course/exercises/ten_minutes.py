"""Exercises of notebook 01, Momentum ResNets in ten minutes."""

import numpy as np

from ..checking import NotYet, expect, require, returned


def exercise_1(multiply_like_c):
    """The product with a division towards zero: no negative v survives a round trip, except multiples of den."""
    answer = returned(multiply_like_c(1, 0, 9, 10), "multiply_like_c")
    require(isinstance(answer, (tuple, list)) and len(answer) == 2, f"return (v, b), not {answer!r}")
    lost = [v for v in range(-50, 51) if tuple(multiply_like_c(*multiply_like_c(v, 0, 9, 10), 10, 9)) != (v, 0)]
    print(f"times 9/10 and back, these v are lost: {lost}")
    require(lost, "that is a division that rounds down, as // does; C rounds towards zero")
    if not all(v < 0 for v in lost):
        raise NotYet(
            "some v >= 0 are lost, where both divisions agree: is v % den that of the old v, the rest as before?"
        )
    require(lost == [v for v in range(-50, 0) if v % 10], "every negative v that 10 does not divide should be lost")


def exercise_2(positions):
    """x_0, ..., x_N for f(x) = -x from x_0 = 1."""
    for gamma, right in {0: [1, 0, 0, 0], 0.5: [1, 0.5, 0, -0.25, -0.25]}.items():
        answer = positions(gamma, len(right) - 1)
        name = f"gamma = {gamma}"
        if np.shape(answer) == (len(right) - 1,):
            raise NotYet(f"{name}: x_0, ..., x_N are N + 1 numbers, for N = {len(right) - 1}")
        expect(name, answer, right)
