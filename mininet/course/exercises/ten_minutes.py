"""Exercises of notebook 01, Momentum ResNets in ten minutes."""

import numpy as np

from ..checking import expect, require


def exercise_1(multiply_like_c):
    """The product with a division towards zero: no negative v survives a round trip, but for multiples of d."""
    require(multiply_like_c(1, 0, 9, 10) is not None, "multiply_like_c returns nothing")
    lost = [v for v in range(-50, 51) if multiply_like_c(*multiply_like_c(v, 0, 9, 10), 10, 9) != (v, 0)]
    print(f"round trips fail for {lost}")
    require(lost == [v for v in range(-50, 0) if v % 10], "they should fail for all negative v that 10 does not divide")


def exercise_2(bits_for_paper_gamma):
    """Bits destroyed by N layers with gamma = 1 - 1 / (50 N)."""
    for depth in (10, 1000):
        expect(f"{depth} layers", bits_for_paper_gamma(depth), -depth * np.log2(1 - 1 / (50 * depth)), within=1e-6)


def exercise_3(positions):
    """x_0, ..., x_N for f(x) = -x from x_0 = 1."""
    expect("gamma = 0", positions(0, 3), [1, 0, 0, 0])
    expect("gamma = 0.5", positions(0.5, 4), [1, 0.5, 0, -0.25, -0.25])
