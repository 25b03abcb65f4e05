"""Fits of constant + constant * N^exponent."""

import numpy as np
import pytest

from mininet.experiments.memory import power_law

DEPTHS = np.array([4, 9, 25, 100, 400, 900])


@pytest.mark.parametrize("exponent", [0.5, 1, 1.25])
def test_a_law_is_found_again(exponent):
    law = power_law.fit(DEPTHS, 700 + 30 * DEPTHS**exponent)
    assert law.exponent == exponent
    # least squares on columns of condition number below 1e4, so 1e-16 becomes 1e-12 at most
    assert (law.offset, law.scale) == pytest.approx((700, 30), rel=1e-11)
    assert law.residual < 1e-11
    np.testing.assert_allclose(law.at(DEPTHS), 700 + 30 * DEPTHS**exponent, rtol=1e-11)


def test_the_residual_is_relative():
    """What a line leaves over, in shares of the values, however large these are."""
    values = 10 + DEPTHS + np.array([1, -1, 1, -1, 1, -1])
    small, large = power_law.fit(DEPTHS, values), power_law.fit(DEPTHS, 1e6 * values)
    assert 0 < small.residual < 0.1  # 1 of 14 at most
    assert large.residual == pytest.approx(small.residual, rel=1e-9)
    assert large.exponent == small.exponent
    by_hand = np.sqrt(np.mean((small.at(DEPTHS) / values - 1) ** 2))
    assert small.residual == pytest.approx(by_hand, rel=1e-9)
