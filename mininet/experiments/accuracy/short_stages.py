"""Networks of 2 to 10 layers, on the digits: how far γ = 0.9 lags, and what helps.

Under a constant f, the velocity after k layers is (1 - γ^k) f: for γ = 0.9, 0.10 f after one layer, 0.19 f after two,
0.65 f after ten.  x itself moves by the mean of these factors, so that two layers with γ = 0.9 move x by 0.145 of what
two residual layers move it, and their functions get gradients that are as much smaller.  Each remedy follows from that,
at the same budget:

- γ = 1 - 1/k for k layers, whose velocity always comes to at least 1 - 1/e = 0.63 of its speed;
- a learned v₀, which need not start at rest;
- larger functions: the weights of their last batch norm start at 1 / (1 - γ^k) or at 1 / (mean of the factors), not 1.

What the digits say: the lag is one of speed, not of what is reached.  With two layers γ = 0.9 wants a larger learning
rate, and the loss still falls later.  Larger functions or a smaller γ bring it down as fast as a ResNet's.  After 15
epochs all are within a point of the ResNet, except a learned v₀ with 2 and 10 layers.

What to choose for stages of ten to thirty layers: γ = 0.9, which is the default, and v₀ = 0.  For shorter ones choose
γ = 0.5, which was as accurate as a ResNet in all of them, on CIFAR-10 too.  It stores 1 bit per element and layer
where γ = 0.9 stores 0.15, and at these depths both fit into the same word.  With γ = 0.9 photographs take longer than
digits: in stages of two layers it is still 1.2 points behind after 12 epochs.  If you want it there, try learning rates
up to three times a ResNet's, and let the weights of each function's last batch norm start at 1 / (mean of the factors):
6.9 for two layers, 3.8 for five, 2.4 for ten.  On the digits this makes up for the lag; on CIFAR-10 we have not tried
it.  Networks of hundreds of layers need a smaller learning rate, see [too_deep](too_deep.md).  γ by depth is not
needed, so there is no helper for it.
"""

import statistics
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure

from ... import plotting
from ..claim import Options, Report
from . import plan
from .accuracy import table, unfinished
from .digits_training import Settings
from .plan import Results

DEPTHS = (2, 5, 10, 30, 100)
EARLY = 4


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


def early_loss(results: Iterable[dict[str, Any]]) -> float:
    """Mean training loss of the fourth epoch."""
    return statistics.fmean(each["loss"][EARLY - 1] for each in results)


def test_error(results: Iterable[dict[str, Any]]) -> float:
    """Mean test error in %."""
    return 100 * (1 - statistics.fmean(each["test"]["accuracy"] for each in results))


def draw(found: Results) -> Figure:
    """Early loss and final test error by depth, a line for each way."""
    panels = {f"Training loss of epoch {EARLY}": early_loss, "Test error after 15 epochs [%]": test_error}
    with plotting.figure(columns=2, width=5, height=3.6) as (figure, axes):
        for panel, (title, measure) in zip(axes, panels.items(), strict=True):
            by_line: dict[str, list[tuple[int, float]]] = {}
            for depth in DEPTHS:
                for name, network in _lines(depth).items():
                    if results := found.of(network).values():
                        by_line.setdefault(name, []).append((depth, measure(results)))
            for (name, points), colour in zip(by_line.items(), (plotting.BLACK, *plotting.SEQUENCE), strict=False):
                panel.plot(*zip(*points, strict=True), "o-", color=colour, label=name)
            panel.set(xscale="log", xlabel="layers k", title=title)
            panel.set_xticks(DEPTHS, map(str, DEPTHS))
            panel.minorticks_off()
        if axes[0].lines:
            axes[0].legend()
    return figure


def sentence(found: Results) -> str:
    """How two layers with γ = 0.9 lag, and what makes up for it; empty while that is not known."""
    lines = _lines(2)
    names = {"a ResNet": "ResNet", "γ = 0.9": "γ = 0.9", "γ = 0.9 and larger functions": "γ = 0.9, f / (mean factor)"}
    results = {words: list(found.of(lines[name]).values()) for words, name in names.items()}
    if not all(results.values()):
        return ""
    each = (f"{early_loss(some):.2f} and {test_error(some):.1f} % ({words})" for words, some in results.items())
    return (
        "On the digits, γ = 0.9 learns later in short stages, but no worse. "
        f"Two layers, loss of the fourth epoch and test error in the end: {', '.join(each)}."
    )


def reproduce(options: Options) -> Report:
    """Compare the remedies by the results that `accuracy` trained."""
    found = Results(options.folder / "accuracy")
    networks = plan.QUICK if options.quick else plan.SHORT
    text = f"{table(networks, found)}\n{unfinished(networks, found)}"
    title = "Why does γ = 0.9 lag in short stages, and what helps?"
    return Report(text, figures={"short_stages": draw(found)}, title=title, found=sentence(found))
