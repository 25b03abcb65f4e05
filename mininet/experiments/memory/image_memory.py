"""Memory of a training step against depth, for residual and momentum networks on images (the paper's figure 7).

A residual network stores what every block computed; turned into a momentum network it keeps the state, whatever the
depth.  What still grows with every added block is its parameters, their gradients, and the side information: log2(1 /
gamma) bits for each element of x.  The paper takes gamma = 1 - 1 / (50 N) for N layers, which makes that tiny.
"""

import dataclasses

import numpy as np
from matplotlib.ticker import NullLocator
from tqdm import tqdm

from ... import models, plotting, seeding
from ..claim import Options, Report, text_table
from ..step_memory import by_method, held_by_a_step
from .memory import LOOKS

METHODS = {
    "stored": "residual network",
    "float": "momentum, float, γ = 0.9",
    "exact": "momentum, exact, γ = 0.9",
    "paper": "momentum, exact, γ = 1 − 1 / (50 N)",
}
DEPTHS = (3, 5, 9, 18, 36, 72)
LARGE = "ResNet-101, 4 images of 224×224"


@dataclasses.dataclass(frozen=True)
class Step:
    """What one training step held, with the reuse of memory turned off."""

    layers: int  # convolutions and the classifier, without those of shortcuts
    peak_bytes: int  # of all arrays, parameters included
    by_kind: dict  # highest points, see `MemoryTracker`
    at_peak: dict  # what `peak_bytes` is made of


def momentum_layer_count(net):
    """How many momentum layers `to_momentum` makes of a network: all blocks but the first of each stage."""
    return sum(len(getattr(net, name)) - 1 for name in net.stages)


def converted(net, method):
    """`net` as one of `METHODS` has it."""
    if method == "stored":
        return net
    gamma = 1 - 1 / (50 * max(1, momentum_layer_count(net))) if method == "paper" else 0.9
    return models.to_momentum(net, gamma, arithmetic="float" if method == "float" else "exact")


def measure(make_net, method, batch_size, size):
    """Measure what a training step on random images holds, for a network of `make_net` run by one of `METHODS`."""
    random = np.random.default_rng(0)
    images = random.standard_normal((batch_size, size, size, 3), dtype=np.float32)
    labels = random.integers(0, 10, batch_size)
    seeding.manual_seed(0)
    net = make_net()
    memory = held_by_a_step(lambda: converted(make_net(), method), images, labels)
    weights = [name for name, parameter in net.named_parameters() if parameter.ndim > 1]
    layers = sum("downsample" not in name and "shortcut" not in name for name in weights)
    return Step(layers, memory.peak_bytes, memory.by_kind, memory.at_peak)


def by_depth(depths=DEPTHS, batch_size=32, size=32, width=16, progress=False):
    """Measure the `Step` of CIFAR ResNets for every method and number of blocks in a stage."""

    def step(method, depth):
        return measure(lambda: models.CifarResNet(depth, width=width), method, batch_size, size)

    return by_method(METHODS, depths, step, progress)


def large(make_net=models.resnet101, batch_size=4, size=224, progress=False):
    """`Step` of a large network, a bottleneck ResNet-101 on four images of 224x224, for every method."""
    return {
        method: measure(make_net, method, batch_size, size)
        for method in tqdm(METHODS, desc="large network", disable=not progress)
    }


def reproduce(options: Options) -> Report:
    """Memory of training steps on images against depth, and, unless quick, of a large network."""
    if options.quick:
        steps = by_depth((2, 4), batch_size=2, size=8, width=4, progress=options.progress)
        return Report(table(steps), figures={"image_memory": draw(steps)}, found=sentence(steps))
    steps, of_large = by_depth(progress=options.progress), large(progress=options.progress)
    lines = [table(steps), f"{LARGE}:"]
    for method, step in of_large.items():
        lines.append(f"  {METHODS[method]:38}{plotting.readable_bytes(step.peak_bytes):>10}")
    return Report("\n".join(lines), figures={"image_memory": draw(steps, of_large)}, found=sentence(steps))


def sentence(steps_by_method):
    """What the deepest networks take."""
    stored, *_, exact = (steps[-1] for steps in steps_by_method.values())
    stored_bytes, exact_bytes = (plotting.readable_bytes(step.peak_bytes) for step in (stored, exact))
    return (
        f"On images, a residual network of {stored.layers} layers takes {stored_bytes}, and the momentum network of "
        f"the same blocks, exact and memory-free, {exact_bytes}."
    )


def table(steps_by_method):
    """Peak memory as a text table: a row for each depth, a column for each method."""
    readable = plotting.readable_bytes
    rows = [("  layers", METHODS.values())]
    for steps in zip(*steps_by_method.values(), strict=True):
        rows.append((f"{steps[0].layers:8}", [readable(step.peak_bytes) for step in steps]))
    first, last = ([steps[index] for steps in steps_by_method.values()] for index in (0, -1))
    growth = [(b.peak_bytes - a.peak_bytes) / max(1, b.layers - a.layers) for a, b in zip(first, last, strict=True)]
    return text_table([*rows, (" a layer", map(readable, growth))], 8, 40)


def draw(steps_by_method, large_steps=None):
    """A figure: peak memory by depth, and beside it that of the large network by what it is held for."""
    with plotting.figure(columns=1 if large_steps is None else 2, width=5, height=3.8) as (figure, axes):
        by_depth_axes = axes if large_steps is None else axes[0]
        for method, steps in steps_by_method.items():
            look = LOOKS[method] | {"label": METHODS[method]}
            by_depth_axes.plot([step.layers for step in steps], [step.peak_bytes for step in steps], **look)
        by_depth_axes.set(xlabel="layers", title="CIFAR ResNets: peak memory of a training step", xscale="log")
        by_depth_axes.set_xticks([step.layers for step in next(iter(steps_by_method.values()))])
        by_depth_axes.xaxis.set_major_formatter("{x:g}")
        by_depth_axes.xaxis.set_minor_locator(NullLocator())
        plotting.bytes_upwards(by_depth_axes)
        # below: inside, it would cover a curve
        figure.legend(*by_depth_axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        if large_steps is not None:
            _draw_large(axes[1], large_steps)
    return figure


def _draw_large(axes, steps):
    kinds = [kind for kind in next(iter(steps.values())).at_peak if any(step.at_peak[kind] for step in steps.values())]
    left = np.zeros(len(steps))
    for kind, colour in zip(kinds, plotting.SEQUENCE, strict=False):
        widths = np.array([step.at_peak[kind] for step in steps.values()]) / 2**20
        axes.barh(range(len(steps)), widths, left=left, color=colour, label=kind)
        left += widths
    axes.set_yticks(range(len(steps)), [METHODS[method].replace(", ", ",\n", 1) for method in steps])
    axes.invert_yaxis()
    axes.set(xlabel="memory at the peak [MiB]", title=LARGE)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
