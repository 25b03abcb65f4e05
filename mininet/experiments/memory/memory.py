"""Memory of a training step against depth, up to 1,000 layers (the paper's figure 2), and against its time.

Stored backpropagation keeps what every layer computed, N of them; checkpoints keep of the order of sqrt(N).  A momentum
network run backwards keeps its state, and in exact arithmetic the bits that multiplying v by gamma would destroy, N
log2(1 / gamma) for each element of x: see `side_information`.

The setting is the paper's: x in R^500, a batch of 500, functions Linear(500, 8) - tanh - Linear(8, 500); as in the
authors' example one function stands at every layer, so that parameters do not grow with depth, and the loss is the mean
of the squares of x_N.  The paper has profiled the process, 120 MiB flat against 2000 at 900 layers, library included;
here the arrays are counted.
"""

import dataclasses
import math
import statistics
import time

import numpy as np
from tqdm import tqdm

from ... import nn, plotting, seeding
from ...autodiff import Tensor
from ...reversible import MomentumNet
from .. import digits, side_information
from ..claim import Claim, Options, Report, text_table
from ..step_memory import by_method, held_by

GAMMA = 0.9
METHODS = digits.METHODS | {"paper": digits.METHODS["exact"]}
"""Arithmetic and backpropagation; "exact" has gamma = 0.9, all others the paper's, on which their memory does not
depend (a float inversion with 0.9 would drift away long before 1,000 layers: see the experiment `drift`)."""

LABELS = {
    "stored": "stored activations",
    "checkpointed": "checkpointed every √N layers",
    "float": "memory-free, float",
    "exact": "memory-free, exact, γ = 0.9",
    "paper": "memory-free, exact, γ = 1 − 1 / (50 N)",
}
LOOKS = {method: plotting.STYLES.get(method) for method in LABELS} | {
    "paper": plotting.style("exact", color=plotting.GREEN, marker="v", linestyle=":")
}
EXPONENTS = {"stored": (1, 0.02), "checkpointed": (0.5, 0.05)}
"""By which power of N memory grows, and how near to it a fit must come: rounding up moves the number of layers
between checkpoints, ceil(sqrt(N)), and that of checkpoints, ceil(N / ceil(sqrt(N))), by up to one in sqrt(N)."""

DEPTHS: tuple[int, ...] = (10, 25, 50, 100, 200, 400, 600, 800, 1000)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sizes, the paper's: of x, of the functions' hidden layer, of the batch."""

    features: int = 500
    hidden: int = 8
    batch_size: int = 500

    @property
    def elements(self):
        """Of x."""
        return self.features * self.batch_size


@dataclasses.dataclass(frozen=True)
class PowerLaw:
    """value = offset + scale N^exponent."""

    offset: float
    scale: float
    exponent: float
    residual: float  # root mean square of (fitted - measured) / measured

    def at(self, depths):
        """The values for an array of depths."""
        return self.offset + self.scale * depths**self.exponent


def fit_power_law(depths, values):
    """The `PowerLaw` of the smallest residual: least squares for each of the exponents 0.001, 0.002, ..., 2."""
    depths, values = np.asarray(depths, float), np.asarray(values, float)
    laws = []
    for exponent in np.arange(1, 2001) / 1000:
        columns = np.stack([np.ones_like(depths), depths**exponent], axis=1) / values[:, None]
        factors = np.linalg.lstsq(columns, np.ones_like(depths))[0]
        residual = np.sqrt(np.mean((columns @ factors - 1) ** 2))
        laws.append(PowerLaw(*map(float, factors), float(exponent), float(residual)))
    return min(laws, key=lambda law: law.residual)


def paper_gamma(depth):
    """gamma = 1 - 1 / (50 N)."""
    return 1 - 1 / (50 * depth)


def network(method, depth, settings):
    """A momentum network of `depth` layers, which share one function, run by one of `METHODS`."""
    arithmetic, backprop = METHODS[method]
    gamma = GAMMA if method == "exact" else paper_gamma(depth)
    return MomentumNet([function(settings)] * depth, gamma, arithmetic=arithmetic, backprop=backprop)


def function(settings):
    """Linear - tanh - Linear, always with the same weights."""
    with seeding.rewound((0, 0)):
        sizes = settings.features, settings.hidden
        return nn.Sequential(nn.Linear(*sizes), nn.Tanh(), nn.Linear(*sizes[::-1]))


def inputs(settings):
    """x, standard normal."""
    return np.random.default_rng(0).standard_normal((settings.batch_size, settings.features), dtype=np.float32)


def train_step(net, x):
    """The gradients of the mean of the squares of x_N."""
    net.zero_grad()
    (net(Tensor(x)) ** 2).mean().backward()


def by_depth(depths=DEPTHS, settings=None, progress=False):
    """Measure what training steps hold: a list of `MemoryTracker`, one per depth, for each of `METHODS`."""
    settings = settings or Settings()
    x = inputs(settings)

    def measure(method, depth):
        net = network(method, depth, settings)
        return held_by(lambda: train_step(net, x))

    return by_method(METHODS, depths, measure, progress)


def seconds_by_depth(depths, settings=None, rounds=3, progress=False):
    """Median times of training steps, one per depth, for each of `METHODS`; they take turns, to share disturbances."""
    settings = settings or Settings()
    x = inputs(settings)
    nets = {(method, depth): network(method, depth, settings) for method in METHODS for depth in depths}
    seconds = {case: [] for case in nets}
    for number in tqdm(range(rounds + 1), desc="time by depth", disable=not progress):
        for case, net in nets.items():
            start = time.perf_counter()
            train_step(net, x)
            if number > 0:  # the first round warms up
                seconds[case].append(time.perf_counter() - start)
    return {method: [statistics.median(seconds[method, depth]) for depth in depths] for method in METHODS}


def reproduce(options: Options) -> Report:
    """Memory by depth with the laws fitted to it, side information layer by layer, and memory against time."""
    settings, depths = (Settings(64, 8, 64), (4, 9, 16, 25)) if options.quick else (Settings(), DEPTHS)
    timed = (4, 16) if options.quick else (100, 400, 1000)
    memories = by_depth(depths, settings, options.progress)
    fits = {method: fit_power_law(depths, [each.peak_bytes for each in memories[method]]) for method in EXPONENTS}
    information = {
        method: side_information.measure(function(settings), inputs(settings), gamma, DEPTHS[-1])
        for method, gamma in (("exact", GAMMA), ("paper", paper_gamma(DEPTHS[-1])))
    }
    seconds = seconds_by_depth(timed, settings, 1 if options.quick else 3, options.progress)
    claims = [*claims_by_depth(depths, memories, fits), *side_information.claims(*information.values())]
    figure = draw(depths, memories, fits, information, timed, seconds, settings)
    figures = {"memory": figure, "memory_by_depth": draw_three(depths, memories)}
    last = {method: plotting.readable_bytes(found[-1].peak_bytes) for method, found in memories.items()}
    found = (
        f"A training step of {depths[-1]} layers takes {last['stored']} with stored activations, "
        f"{last['checkpointed']} with checkpoints, and {last['paper']} run back in exact arithmetic with the paper's γ."
    )
    title = "Memory of a training step against depth"
    return Report(tables(depths, memories, timed, seconds), claims, figures, title=title, found=found)


def claims_by_depth(depths, memories, fits):
    """Linear, square root, flat."""
    claims = []
    for method, (exponent, tolerance) in EXPONENTS.items():
        fit = fits[method]
        text = f"{LABELS[method]}: peak memory is a constant + N^{exponent:g} times another, within {tolerance}"
        found = f"N^{fit.exponent:.3f} from {depths[0]} to {depths[-1]} layers, residual {100 * fit.residual:.2g} %"
        claims.append(Claim(text, found, abs(fit.exponent - exponent) <= tolerance and fit.scale > 0))
    stored = memories["stored"][-1].peak_bytes
    for method in ("float", "paper"):
        peaks = [memory.peak_bytes for memory in memories[method]]
        text = f"{LABELS[method]}: peak memory is flat, to the byte, from {depths[0]} to {depths[-1]} layers"
        found = " to ".join(plotting.readable_bytes(peak) for peak in sorted({min(peaks), max(peaks)}))
        found += f", at {depths[-1]} layers {stored / peaks[-1]:.0f} times less than stored"
        claims.append(Claim(text, found, len(set(peaks)) == 1 and peaks[-1] < stored))
    return claims


def tables(depths, memories, timed, seconds):
    """Peak memory, what is kept for the backward pass, and times as text; a row for each method."""
    readable = plotting.readable_bytes
    peaks = {method: [readable(each.peak_bytes) for each in found] for method, found in memories.items()}
    kept = {method: [readable(each.kept_for_backward) for each in found] for method, found in memories.items()}
    times = {method: [f"{1000 * each:.0f} ms" for each in found] for method, found in seconds.items()}
    rows = []
    for title, columns, entries in (
        ("peak memory of a step by layers", depths, peaks),
        ("kept for the backward pass", depths, kept),
        ("median time of a step, here", timed, times),
    ):
        rows += [(title, columns), *((LABELS[method], row) for method, row in entries.items())]
    return text_table(rows, 39, 9)


def draw(depths, memories, fits, information, timed, seconds, settings):
    """A figure: peak memory by depth; side information per element; what is kept against time."""
    with plotting.figure(columns=3, width=4.6, height=4.6) as (figure, axes):
        _draw_peaks(axes[0], depths, memories, fits, settings)
        side_information.draw(axes[1], information)
        kept = {
            method: [found[depths.index(depth)].kept_for_backward for depth in timed]
            for method, found in memories.items()
        }
        _draw_plane(axes[2], timed, kept, seconds)
    return figure


def draw_three(depths, memories):
    """A figure for the README: stored, checkpointed and memory-free, exact; each curve has its name at its end."""
    with plotting.figure(width=7.5, height=2.8) as (figure, axes):
        for method in ("stored", "checkpointed", "exact"):
            mebibytes = [memory.peak_bytes / 2**20 for memory in memories[method]]
            axes.plot(depths, mebibytes, **plotting.style(method))
            look, end = plotting.STYLES[method], (depths[-1], mebibytes[-1])
            axes.annotate(look["label"], end, (8, 0), textcoords="offset points", va="center", color=look["color"])
        most, least = (plotting.readable_bytes(memories[method][-1].peak_bytes) for method in ("stored", "exact"))
        axes.set(xlabel="layers", ylabel="peak memory [MiB]")
        axes.set_title(f"A training step of {depths[-1]:,} layers takes {most}, or {least}")
    return figure


def _draw_peaks(axes, depths, memories, fits, settings):
    for method, found in memories.items():
        look, peaks = LOOKS[method] | {"label": LABELS[method]}, [memory.peak_bytes for memory in found]
        if method not in fits:
            axes.plot(depths, peaks, **look)
            continue
        look["label"] += f"; fit: $a + b N^{{{fits[method].exponent:.2f}}}$"
        axes.plot([], [], **look)
        axes.plot(depths, peaks, **look | {"linestyle": "", "label": None})
        layers = np.geomspace(depths[0], depths[-1])
        axes.plot(layers, fits[method].at(layers), **look | {"marker": "", "label": None})
    limit = settings.elements * np.array(depths) * math.log2(1 / GAMMA) / 8
    axes.plot(depths, limit, **plotting.style("limit", label="side information, γ = 0.9: the limit"))
    axes.set(xlabel="depth $N$ [layers]", ylabel="all arrays, at most", xscale="log")
    axes.set(title="Peak memory of a training step")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    plotting.bytes_upwards(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15))


def _draw_plane(axes, depths, kept, seconds):
    for method in kept:
        axes.plot(seconds[method], kept[method], **LOOKS[method] | {"label": LABELS[method]})
    for depth, x, y in zip(depths, seconds["stored"], kept["stored"], strict=True):
        axes.annotate(
            f"$N$ = {depth}", (x, y), textcoords="offset points", xytext=(-6, 3), ha="right", fontsize="small"
        )
    axes.set(xlabel="median time of a training step, this machine [s]", xscale="log")
    axes.set(ylabel="kept for the backward pass", title="Memory and time for different depths")
    axes.set_xticks([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    times = [each for found in seconds.values() for each in found]
    axes.set_xlim(min(times) / 2, max(times) * 1.2)  # room for the labels
    plotting.bytes_upwards(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15))
