"""Is one network as accurate as another?  Judged by an interval and a margin, not by "no significant difference"."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from ... import plotting
from ..claim import Claim

MARGIN = 0.01
"""Differences up to this accuracy, one point, count as none; fixed before anything was trained."""

COLOURS = {
    "equal": plotting.GREEN, "better": plotting.GREEN, "worse": plotting.VERMILION, "not known": plotting.BLACK,
}  # fmt: skip

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


def compared(ours: Mapping[int, dict[str, Any]], theirs: Mapping[int, dict[str, Any]]) -> Difference | None:
    """The `difference` of two networks from their results by seed, of the seeds that both have; None without any."""
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return None
    return difference(*([each[seed]["test"]["accuracy"] for seed in seeds] for each in (ours, theirs)))


def in_words(differences: Iterable[tuple[str, Difference | None]]) -> str:
    """Names, each with its difference from the same network, by verdict; "not known" without one."""
    by_verdict: dict[str, list[str]] = {}
    for name, against in differences:
        by_verdict.setdefault(against.verdict if against else "not known", []).append(name)
    return ". ".join(f"**{verdict}**: {'; '.join(names)}" for verdict, names in by_verdict.items())


def claims(differences: Iterable[tuple[str, Difference | None]], reference: str) -> list[Claim]:
    """That each network is shown to be as accurate as the `reference`, unless the verdict is "not known"."""
    return [
        Claim(
            f"{name}: within one point of {reference}, or better",
            f"{100 * against.mean:+.2f} points, 90 % interval {against.interval}",
            against.verdict != "worse",
        )
        for name, against in differences
        if against is not None and against.verdict != "not known"
    ]


def draw(panels: Mapping[str, Sequence[tuple[str, Difference]]], title: str) -> Figure:
    """Differences with their intervals and the margin, each panel below the one before."""
    ratios = [len(rows) + 1 for rows in panels.values()] or [1]
    with plotting.figure(
        rows=len(ratios), width=4.8, height=2, sharex=True, squeeze=False, height_ratios=ratios
    ) as (figure, axes):  # fmt: skip
        for panel, (heading, rows) in zip(axes[:, 0], panels.items(), strict=False):
            panel.axvspan(-100 * MARGIN, 100 * MARGIN, color=plotting.GREEN, alpha=0.15)
            panel.axvline(0, color=plotting.BLACK, linewidth=1)
            for row, (_, against) in enumerate(rows):
                colour = COLOURS[against.verdict]
                if math.isfinite(against.low):
                    panel.plot([100 * against.low, 100 * against.high], [row, row], color=colour)
                panel.plot(100 * against.mean, row, "o", color=colour)
            panel.set_yticks(range(len(rows)), [name for name, _ in rows])
            panel.set(ylim=(len(rows) - 0.5, -0.5), xlim=(-3, 3), title=heading)
        axes[-1, 0].set_xlabel("points of accuracy")
        figure.suptitle(title, fontsize="medium")
    return figure
