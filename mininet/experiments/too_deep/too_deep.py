"""Each network gets so many MiB more than its process holds after a first step, and is to run a training step.

The networks are those of `accuracy`: a convolution, then residual functions of two 3x3 convolutions on 16 channels, for
digits of 8x8.  A step includes the network itself, its gradients and the optimiser.  Left: how many layers fit with 64
images.  Right: how many images fit with 10 layers (the paper's figure 7).  What no longer fits ends in a MemoryError,
which says how much was asked for.  From run to run the numbers differ by some percent, because a process begins with
more or less memory to use again.

Then the deepest network of each way is trained from one seed for 15 epochs, as in `accuracy`: with activations stored,
which takes less time and gives the same bits.  Each takes the learning rate of 0.01 and 0.1 that is better on
validation images.  The deeper a network, the more functions move x at each step of training, so it needs the smaller
rate: at 0.1 the 248 layers leave the range of exact arithmetic in the second epoch.  One test image is 0.28 points.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ... import plotting
from ..accuracy import plan
from ..accuracy.digits_training import Settings
from ..accuracy.equivalence import MARGIN
from ..claim import Claim, Options, Report, text_table
from .limited import BATCH, DEPTH, GAMMA, METHODS, largest, unavailable

LIMITS, TRAINED_LIMIT, QUICK_LIMITS = (8, 12, 16, 24, 32), 16, (6,)
RATES = (0.01, 0.1)
LOOKS = {
    "stored": plotting.style("stored", label="ResNet, stored activations"),
    "checkpointed": plotting.style("checkpointed", label="ResNet, checkpoints"),
    "memory-free": plotting.style("exact", label=f"Momentum ResNet (γ = {GAMMA}), memory-free"),
}

Found = dict[str, dict[str, list[dict[str, Any]]]]
"""What `largest` gave, by method."""


def table(found: Found, what: str, limits: Sequence[int]) -> str:
    """The largest "depth" or "batch" by MiB, as text."""
    by_method = [(method, [each["largest"] for each in by_what[what]]) for method, by_what in found.items()]
    return text_table([(f"largest {what}, in", [f"{limit} MiB" for limit in limits]), *by_method], 30, 11)


def draw(found: Found, limits: Sequence[int]) -> Figure:
    """Depth and batch by memory."""
    titles = {"depth": f"Layers that fit (batch {BATCH})", "batch": f"Images that fit ({DEPTH} layers)"}
    with plotting.figure(columns=2, width=4.6) as (figure, axes):
        for panel, (what, title) in zip(axes, titles.items(), strict=True):
            for method, by_what in found.items():
                panel.plot(limits, [each["largest"] for each in by_what[what]], **LOOKS[method])
            panel.set(xlabel="memory for network and step [MiB]", title=title, ylim=(0, None))
        axes[0].legend(loc="upper left")
    return figure


def deepest(depths: dict[str, int], options: Options) -> dict[str, dict[str, Any]]:
    """The better training of the deepest network of each method, run here or before."""
    folder = options.folder / "accuracy"
    best = {}
    for method, depth in depths.items():
        kind = METHODS[method][0]
        trials = plan.trials(Settings(kind, depth, GAMMA if kind == "momentum" else 0.0), RATES, seeds=1)
        if options.train:
            plan.run(itertools.chain(*trials), folder, options.progress)
        results = plan.Results(folder)
        if found := results.best(trials):
            best[method] = results[found[0]]
    return best


def reproduce(options: Options) -> Report:
    """Find what fits, and train the deepest."""
    title = "How deep a network fits into so many megabytes?"
    if reason := unavailable():
        return Report(f"Skipped: {reason}.", title=title)
    limits, limit = (QUICK_LIMITS, QUICK_LIMITS[-1]) if options.quick else (LIMITS, TRAINED_LIMIT)
    found = {method: largest(method, limits) for method in METHODS}
    at_limit = {method: by_what["depth"][limits.index(limit)] for method, by_what in found.items()}
    fitting = {method: each["largest"] for method, each in at_limit.items()}
    trained = {} if options.quick else deepest(fitting, options)
    accuracies = {method: each["test"]["accuracy"] for method, each in trained.items()}
    lines = [table(found, what, limits) for what in ("depth", "batch")]
    lines += [f"\nOne layer too many for {limit} MiB:"]
    lines += [f"{method:30}{each['message']}" for method, each in at_limit.items()]
    lines += [""] * bool(trained)
    for method, each in trained.items():
        rate, value = each["settings"]["learning_rate"], accuracies[method]
        lines.append(f"{method:30}{fitting[method]} layers, learning rate {rate:g}, test accuracy {value:.4f}")
    times = fitting["memory-free"] / fitting["stored"]
    sentence = (
        f"In {limit} MiB you can train a ResNet of {fitting['stored']} layers, or of {fitting['checkpointed']} with "
        f"checkpoints. A Momentum ResNet fits with {fitting['memory-free']}, {times:.0f} times as many as the first."
    )
    least = 2 if options.quick else 10
    claims = [Claim(f"memory-free, at least {least} times as many layers fit", f"{times:.1f} times", times >= least)]
    if accuracies:
        by_method = ", ".join(f"{100 * value:.2f} % ({method})" for method, value in accuracies.items())
        sentence += f" Test accuracy on the digits: {by_method}."
    if len(accuracies) == len(METHODS):
        ahead = accuracies["memory-free"] - accuracies["stored"]
        text = "the deepest memory-free network classifies as well as the deepest stored one, within a point or better"
        claims.append(Claim(text, f"{100 * ahead:+.2f} points", ahead >= -MARGIN))
    return Report("\n".join(lines), claims, {"too_deep": draw(found, limits)}, title=title, found=sentence)
