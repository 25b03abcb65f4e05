"""Memory of a training step against depth, for residual and momentum networks on images (the paper's figure 7).

A residual network stores what every block computed; turned into a momentum network it keeps the state, whatever the
depth.  What still grows with every added block is its parameters, their gradients, and the side information: log2(1 /
gamma) bits for each element of x.  The paper takes gamma = 1 - 1 / (50 N) for N layers, which makes that tiny.
"""

import dataclasses

import numpy as np
from matplotlib.ticker import NullLocator
from tqdm import tqdm

from .. import models, plotting, seeding
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..checks import integer, one_of
from .claim import Report
from .memory import held_by

METHODS = {
    "stored": "residual network",
    "float": "momentum, float, γ = 0.9",
    "exact": "momentum, exact, γ = 0.9",
    "paper": "momentum, exact, γ = 1 − 1 / (50 N)",
}
DEPTHS = (3, 5, 9, 18, 36, 72)
_LOOKS = {"paper": plotting.style("exact", color=plotting.GREEN, marker="v", linestyle=":")}


@dataclasses.dataclass(frozen=True)
class Step:
    """What one training step held.

    Attributes
    ----------
    layers : int
        Convolutions and the classifier, without those of shortcuts.
    momentum_layers : int
    peak_bytes : int
        Of all arrays, parameters included, with the reuse of memory turned off.
    by_kind : dict of str to int
        Highest points; see `MemoryTracker`.
    at_peak : dict of str to int
        What `peak_bytes` is made of.
    """

    layers: int
    momentum_layers: int
    peak_bytes: int
    by_kind: dict
    at_peak: dict


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
    """What a training step on random images holds.

    Parameters
    ----------
    make_net : callable
        Makes a residual network of `mininet.models`.
    method : str
        One of `METHODS`.
    batch_size, size : int
        Images, and their height and width.

    Returns
    -------
    Step
    """
    one_of("method", method, METHODS)
    batch_size, size = integer("batch_size", batch_size, 1), integer("size", size, 1)
    random = np.random.default_rng(0)
    images = random.standard_normal((batch_size, size, size, 3), dtype=np.float32)
    labels = random.integers(0, 10, batch_size)
    seeding.manual_seed(0)
    net = make_net()
    memory = held_by_a_step(lambda: converted(make_net(), method), images, labels)
    weights = [name for name, parameter in net.named_parameters() if parameter.ndim > 1]
    layers = sum("downsample" not in name and "shortcut" not in name for name in weights)
    return Step(layers, momentum_layer_count(net), memory.peak_bytes, memory.by_kind, memory.at_peak)


def held_by_a_step(make_net, images, labels):
    """A `MemoryTracker` of making a network and the gradients of a batch, with the reuse of memory turned off."""

    def step():
        net = make_net()  # held until the end, as in training
        F.cross_entropy(net(Tensor(images)), labels).backward()

    return held_by(step)


def by_depth(depths=DEPTHS, batch_size=32, size=32, width=16, progress=False):
    """`Step` of CIFAR ResNets for every method and number of blocks in a stage.

    Returns
    -------
    dict of str to list of Step
    """
    found = {method: [] for method in METHODS}
    with tqdm(total=len(METHODS) * len(depths), desc="memory by depth", disable=not progress) as bar:
        for method, steps in found.items():
            for depth in depths:
                steps.append(measure(lambda: models.CifarResNet(depth, width=width), method, batch_size, size))  # noqa: B023
                bar.update()
    return found


def large(make_net=models.resnet101, batch_size=4, size=224, progress=False):
    """`Step` of a large network, a bottleneck ResNet-101 on four images of 224x224, for every method."""
    return {
        method: measure(make_net, method, batch_size, size)
        for method in tqdm(METHODS, desc="large network", disable=not progress)
    }


def reproduce(options):
    """Memory of training steps on images against depth, and of a large network."""
    if options.quick:
        steps = by_depth((2, 4), batch_size=4, size=16, width=8, progress=options.progress)
        title, of_large = "ResNet-18, 2 images of 64×64", large(models.resnet18, 2, 64, options.progress)
    else:
        steps = by_depth(progress=options.progress)
        title, of_large = "ResNet-101, 4 images of 224×224", large(progress=options.progress)
    lines = [table(steps), f"{title}:"]
    for method, step in of_large.items():
        lines.append(f"  {METHODS[method]:38}{plotting.readable_bytes(step.peak_bytes):>10}")
    return Report("\n".join(lines), figures={"image_memory": draw(steps, of_large, title)})


def table(steps_by_method):
    """Peak memory as a text table: a row for each depth, a column for each method."""
    readable = plotting.readable_bytes
    lines = [f"{'layers':>8}" + "".join(f"{name:>40}" for name in METHODS.values())]
    for steps in zip(*steps_by_method.values(), strict=True):
        lines.append(f"{steps[0].layers:8}" + "".join(f"{readable(step.peak_bytes):>40}" for step in steps))
    first, last = ([steps[index] for steps in steps_by_method.values()] for index in (0, -1))
    growth = [(b.peak_bytes - a.peak_bytes) / max(1, b.layers - a.layers) for a, b in zip(first, last, strict=True)]
    lines.append(f"{'a layer':>8}" + "".join(f"{readable(value):>40}" for value in growth))
    return "\n".join(lines)


def draw(steps_by_method, large_steps=None, large_title="ResNet-101, 4 images of 224×224"):
    """A figure: peak memory by depth, and beside it that of the large network by what it is held for."""
    with plotting.figure(columns=1 if large_steps is None else 2, width=5, height=3.8) as (figure, axes):
        by_depth_axes = axes if large_steps is None else axes[0]
        for method, steps in steps_by_method.items():
            look = _LOOKS.get(method) or plotting.style(method)
            by_depth_axes.plot(
                [step.layers for step in steps],
                [step.peak_bytes for step in steps],
                **look | {"label": METHODS[method]},
            )
        by_depth_axes.set(xlabel="layers", title="CIFAR ResNets: peak memory of a training step", xscale="log")
        by_depth_axes.set_xticks([step.layers for step in next(iter(steps_by_method.values()))])
        by_depth_axes.xaxis.set_major_formatter("{x:g}")
        by_depth_axes.xaxis.set_minor_locator(NullLocator())
        plotting.bytes_upwards(by_depth_axes)
        # below: inside, it would cover a curve
        figure.legend(*by_depth_axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        if large_steps is not None:
            _draw_large(axes[1], large_steps, large_title)
    return figure


def _draw_large(axes, steps, title):
    kinds = [kind for kind in next(iter(steps.values())).at_peak if any(step.at_peak[kind] for step in steps.values())]
    left = np.zeros(len(steps))
    for kind, colour in zip(kinds, plotting.SEQUENCE, strict=False):
        widths = np.array([step.at_peak[kind] for step in steps.values()]) / 2**20
        axes.barh(range(len(steps)), widths, left=left, color=colour, label=kind)
        left += widths
    axes.set_yticks(range(len(steps)), [METHODS[method].replace(", ", ",\n", 1) for method in steps])
    axes.invert_yaxis()
    axes.set(xlabel="memory at the peak [MiB]", title=title)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
