"""Does γ = 0.9 lag in short stages, and what helps?

Under a constant f, the velocity after k layers is (1 - γ^k) f: for γ = 0.9, 0.10 f after one layer, 0.19 f after two,
0.65 f after ten.  x itself moves by the mean of these factors, so that two layers with γ = 0.9 move x by 0.145 of what
two residual layers move it.  Each remedy follows from that, at the same budget:

- γ = 1 - 1/k for k layers, whose velocity always comes to at least 1 - 1/e = 0.63 of its speed;
- a learned v₀, which need not start at rest;
- larger functions: the weights of their last batch norm start at 1 / (1 - γ^k) or at 1 / (mean of the factors), not 1.
"""

import statistics
from dataclasses import replace

from matplotlib.figure import Figure

from ... import plotting
from ..claim import Options, Report
from . import plan
from .accuracy import table, unfinished
from .digits_training import Settings
from .plan import Results

DEPTHS = (2, 5, 10, 30, 100)


def _lines(depth: int) -> dict[str, Settings]:
    """The network of each line of the figure at one depth."""
    plain = Settings("momentum", depth, 0.9)
    by_end, by_mean, by_depth = plan.helped(depth)
    return {
        "ResNet": Settings("resnet", depth),
        "γ = 0.9": plain,
        "γ = 0.9, v₀ learned": replace(plain, learned_velocity=True),
        "γ = 0.9, f / (1 - γᵏ)": by_end,
        "γ = 0.9, f / (mean factor)": by_mean,
        "γ = 1 - 1/k": by_depth,
    }


def draw(found: Results) -> Figure:
    """Mean test error by depth, a line for each way."""
    by_line: dict[str, list[tuple[int, float]]] = {}
    for depth in DEPTHS:
        for name, network in _lines(depth).items():
            scores = [each["test"]["accuracy"] for each in found.of(network).values()]
            if scores:
                by_line.setdefault(name, []).append((depth, 100 * (1 - statistics.fmean(scores))))
    with plotting.figure(width=6.5, height=4) as (figure, axes):
        for (name, points), colour in zip(by_line.items(), (plotting.BLACK, *plotting.SEQUENCE), strict=False):
            axes.plot(*zip(*points, strict=True), "o-", color=colour, label=name)
        axes.set(xscale="log", xlabel="layers k", ylabel="test error [%]")
        axes.set_title("Test error of networks of k layers, mean of the seeds that are trained")
        axes.set_xticks(DEPTHS, map(str, DEPTHS))
        axes.minorticks_off()
        if by_line:
            axes.legend()
    return figure


def reproduce(options: Options) -> Report:
    """Compare the remedies by the results that `accuracy` trained."""
    found = Results(options.folder / "accuracy")
    networks = plan.QUICK if options.quick else plan.SHORT
    text = f"{table(networks, found)}\n{unfinished(networks, found)}"
    return Report(text, figures={"short_stages": draw(found)})
