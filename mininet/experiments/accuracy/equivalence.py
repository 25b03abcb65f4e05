"""Is one network as accurate as another?  Judged by an interval and a margin, not by "no significant difference"."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

MARGIN = 0.01
"""Differences up to this accuracy, one point, count as none; fixed before anything was trained."""

_STUDENT = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833)
"""The 95 % quantiles of Student's t with 1, 2, ... degrees of freedom."""


class Difference(NamedTuple):
    """The mean of paired differences and its 90 % interval."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Say "equal", "worse", "better" or "not known".

        Networks are equal if the whole interval lies within the margin.  If not, one is worse or better if the interval
        excludes 0.
        """
        if max(abs(self.low), abs(self.high)) < MARGIN:
            return "equal"
        return "worse" if self.high < 0 else "better" if self.low > 0 else "not known"

    @property
    def interval(self) -> str:
        """The interval in points, in words."""
        return f"{100 * self.low:+.2f} to {100 * self.high:+.2f}" if math.isfinite(self.low) else "no interval"

    def __str__(self) -> str:
        return f"{100 * self.mean:+.2f} ({self.interval})"


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """Compare two networks by their accuracies from the same seeds, 1 to 10 of them, in the same order.

    Fewer than 3 seeds give no interval: two differences are often the same, as accuracies come in steps of an image.

    Examples
    --------
    >>> found = difference([0.98, 0.99, 0.99], [0.99, 0.99, 0.98])
    >>> str(found), found.verdict
    ('+0.00 (-1.69 to +1.69)', 'not known')
    """
    differences = [our - their for our, their in zip(ours, theirs, strict=True)]
    mean, count = statistics.fmean(differences), len(differences)
    if count < 3:
        return Difference(mean, -math.inf, math.inf)
    half = _STUDENT[count - 2] * statistics.stdev(differences) / math.sqrt(count)
    return Difference(mean, mean - half, mean + half)
