"""Intervals and verdicts."""

import math

import pytest

from mininet.experiments.accuracy.equivalence import difference


def test_the_interval_is_students():
    """Computed by hand: deviation 0.01, over sqrt(4) is 0.005, times the 95 % quantile with 3 degrees, 2.353."""
    found = difference([0.51, 0.49, 0.51, 0.49], [0.5 + 0.01 / math.sqrt(12) * k for k in (1, -1, -1, 1)])
    spread = math.sqrt(4 * (0.0001 + 0.0001 / 12) / 3)
    assert found == pytest.approx((0, -2.353 * spread / 2, 2.353 * spread / 2))


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.001, -0.001, 0.002], "equal"),
        ([-0.004, -0.004, -0.0041], "equal"),  # surely lower, but within the margin
        ([-0.02, -0.021, -0.019], "worse"),
        ([0.02, 0.021, 0.019], "better"),
        ([-0.02, 0.0, 0.01], "not known"),
        ([-0.011, -0.001, -0.006], "not known"),  # from -0.0144 to 0.0024: one end within the margin
        ([0.0, 0.0], "not known"),
    ],
)
def test_verdicts(differences, verdict):
    assert difference([0.9 + each for each in differences], [0.9] * len(differences)).verdict == verdict


def test_in_words():
    assert str(difference([0.9], [0.91])) == "-1.00 (no interval)"
    assert str(difference([0.90, 0.92, 0.91], [0.91, 0.91, 0.91])) == "+0.00 (-1.69 to +1.69)"
