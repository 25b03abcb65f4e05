"""Intervals and verdicts."""

import math

import pytest

from mininet import plotting
from mininet.experiments.accuracy.equivalence import claims, difference, draw, in_words


def test_the_interval_is_students():
    """Computed by hand: deviation 0.01, over sqrt(4) is 0.005, times the 95 % quantile with 3 degrees, 2.353."""
    half = 0.01 * math.sqrt(3) / 2
    found = difference([0.5 + half, 0.5 - half, 0.5 + half, 0.5 - half], [0.5] * 4)
    assert found == pytest.approx((0, -2.353 * 0.005, 2.353 * 0.005))


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


def test_what_is_said_and_drawn_of_each_verdict():
    known = {
        "same": difference([0.90, 0.91, 0.92], [0.90, 0.91, 0.92]),
        "lower": difference([0.80, 0.81, 0.82], [0.90, 0.91, 0.92]),
        "higher": difference([0.99, 1.0, 0.99], [0.90, 0.91, 0.92]),
        "wide": difference([0.90, 0.92, 0.91], [0.91, 0.91, 0.91]),
        "alone": difference([0.9], [0.91]),
    }
    every = [*known.items(), ("missing", None)]
    assert (
        in_words(every) == "**equal**: same. **worse**: lower. **better**: higher. **not known**: wide; alone; missing"
    )
    said = claims(every, "the other")
    assert [claim.holds for claim in said] == [True, False, True]
    assert str(said[1]) == (
        "DOES NOT HOLD: lower: within one point of the other, or better (-10.00 points, 90 % interval -10.00 to -10.00)"
    )
    assert str(known["alone"]) == "-1.00 (no interval)"
    (panel,) = draw({"three seeds": list(known.items())}, "Differences").axes
    colours = [line.get_color() for line in panel.lines[1:]]  # behind the line at 0: an interval and a point each
    green, red, black = plotting.GREEN, plotting.VERMILION, plotting.BLACK
    assert colours == [green, green, red, red, green, green, black, black, black]
