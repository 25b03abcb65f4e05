"""Each network gets so many MiB more than its process holds after a first step, and is to run a training step.

The networks are those of `accuracy`: a convolution, then residual functions of two 3x3 convolutions on 16 channels, for
digits of 8x8.  A step includes the network itself, its gradients and the optimiser.  Left: how many layers fit with 64
images.  Right: how many images fit with 10 layers (the paper's figure 7).  What no longer fits ends in a MemoryError,
which says how much was asked for.  Then the deepest network that each way can train is trained, for 15 epochs, as in
`accuracy`: with activations stored, which takes less time and gives the same bits.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ... import plotting
from ..accuracy.digits_training import Settings, train
from ..claim import Claim, Options, Report
from .limited import BATCH, DEPTH, GAMMA, METHODS, largest, unavailable

LIMITS, TRAINED_LIMIT, QUICK_LIMITS = (8, 12, 16, 24, 32), 16, (6,)
LOOKS = {
    "stored": plotting.style("stored", label="ResNet, stored activations"),
    "checkpointed": plotting.style("checkpointed", label="ResNet, checkpoints"),
    "memory-free": plotting.style("exact", label=f"Momentum ResNet (γ = {GAMMA}), memory-free"),
}

Found = dict[str, dict[str, list[dict[str, Any]]]]
"""What `largest` gave, by method."""


def table(found: Found, what: str, limits: Sequence[int]) -> str:
    """The largest "depth" or "batch" by MiB, as text."""
    lines = [f"{f'largest {what}, in':30}" + "".join(f"{limit:>7} MiB" for limit in limits)]
    for method, by_what in found.items():
        lines.append(f"{method:30}" + "".join(f"{each['largest']:>11}" for each in by_what[what]))
    return "\n".join(lines)


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


def deepest(depths: dict[str, int], options: Options) -> dict[str, float]:
    """Test accuracy of the deepest network of each method, trained here or before."""
    folder = options.folder / "accuracy"
    found = {}
    for method, depth in depths.items():
        kind = METHODS[method][0]
        settings = Settings(kind, depth, GAMMA if kind == "momentum" else 0.0)
        if options.train or (folder / f"{settings.name}.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            found[method] = train(settings, folder)["test"]["accuracy"]
    return found


def reproduce(options: Options) -> Report:
    """Find what fits, and train the deepest."""
    title = "How deep a network fits into so many megabytes?"
    if reason := unavailable():
        return Report(f"Skipped: {reason}.", title=title)
    limits, limit = (QUICK_LIMITS, QUICK_LIMITS[-1]) if options.quick else (LIMITS, TRAINED_LIMIT)
    found = {method: largest(method, limits) for method in METHODS}
    at_limit = {method: by_what["depth"][limits.index(limit)] for method, by_what in found.items()}
    fitting = {method: each["largest"] for method, each in at_limit.items()}
    accuracies = {} if options.quick else deepest(fitting, options)
    lines = [table(found, what, limits) for what in ("depth", "batch")]
    lines += [f"\nOne layer too many for {limit} MiB:"]
    lines += [f"{method:30}{each['message']}" for method, each in at_limit.items()]
    lines += [f"{method:30}test accuracy {value:.4f}" for method, value in accuracies.items()]
    times = fitting["memory-free"] / fitting["stored"]
    sentence = (
        f"In {limit} MiB you can train a ResNet of {fitting['stored']} layers, or of {fitting['checkpointed']} with "
        f"checkpoints. A Momentum ResNet of {fitting['memory-free']} layers fits, {times:.0f} times as deep."
    )
    if accuracies:
        each = (f"{100 * value:.2f} % ({method})" for method, value in accuracies.items())
        sentence += f" Test accuracy on the digits: {', '.join(each)}."
    least = 2 if options.quick else 10
    claim = Claim(f"memory-free, at least {least} times as many layers fit", f"{times:.1f} times", times >= least)
    return Report("\n".join(lines), [claim], {"too_deep": draw(found, limits)}, title=title, found=sentence)
