"""The flows of `crossing` and `rings`, forward and back: two short films of trained momentum networks.

Points move from layer to layer, in straight lines in between, stop at the last one, and go back.  The way back is not
the film played in reverse: it starts from x_N and v_N alone, and each layer is undone from the one after it.  In exact
arithmetic every point comes to where it was, bit for bit, at every layer.
"""

import dataclasses

import matplotlib
import numpy as np
from matplotlib.animation import FuncAnimation

from ... import plotting
from ..claim import Claim, Options, Report
from . import crossing, nested_rings, rings


@dataclasses.dataclass(frozen=True)
class Flow:
    """Where points pass through a network and, undone layer after layer, back: arrays (depth + 1, points, d)."""

    forward: np.ndarray
    back: np.ndarray

    @property
    def largest_difference(self):
        """Between the way there and the way back, over all layers and points."""
        return float(np.abs(self.forward - self.back).max())

    @property
    def in_words(self):
        """How far apart both ways are."""
        difference = self.largest_difference
        return f"within {difference:.1e} of the way there" if difference else "exactly where they were on the way there"


def flow(net, x):
    """The `Flow` of points x (n, d) through an invertible network."""
    return Flow(net.trajectory(x), net.inverse_trajectory(net.run(x)))


@dataclasses.dataclass(frozen=True)
class Frame:
    """A moment of the film: where the points are, possibly between two layers."""

    layer: float
    goes_back: bool
    x: np.ndarray


def film(moving, per_layer=3, pause=12):
    """The `Frame`s of a `Flow`: there, a pause, back, a pause."""
    last = len(moving.forward) - 1
    layers = np.linspace(0, last, round(last * per_layer) + 1)
    there = [Frame(layer, False, between(moving.forward, layer)) for layer in layers]
    back = [Frame(layer, True, between(moving.back, layer)) for layer in layers[::-1]]
    return [*there, *[there[-1]] * pause, *back, *[back[-1]] * pause]


def between(passed, layer):
    """Where points are at a `layer` that need not be an integer: in between they move straight and evenly."""
    below = min(int(layer), len(passed) - 2)
    share = layer - below
    return (1 - share) * passed[below] + share * passed[below + 1]


def animate_crossing(moving, **timing):
    """An animation of a `Flow` in one dimension: position by layer; the way back is drawn over the way there."""
    frames = film(moving, **timing)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, moving.forward.shape[1]))
    with plotting.figure(width=4.2, height=3.6) as (figure, axes):
        there = [axes.plot([], [], color=colour, linewidth=2.5)[0] for colour in colours]
        back = [axes.plot([], [], color=plotting.BLACK, linewidth=1, linestyle="--")[0] for _ in colours]
        points = axes.scatter(np.zeros(len(colours)), moving.forward[0, :, 0], c=colours, s=40, zorder=3)
        reach = 1.05 * np.abs(moving.forward).max()
        axes.set(xlim=(-0.5, len(moving.forward) - 0.5), ylim=(-reach, reach), xlabel="layer $n$")
        axes.set(ylabel="position $x_n$", title=_title(moving, frames[0]))
    _freeze(figure)

    layers = np.arange(len(moving.forward))

    def show(frame):
        points.set_offsets(np.column_stack([np.full(len(frame.x), frame.layer), frame.x[:, 0]]))
        there_until = layers[-1] if frame.goes_back else frame.layer
        for number, (line, line_back) in enumerate(zip(there, back, strict=True)):
            passed = layers <= there_until
            line.set_data(
                [*layers[passed], there_until],
                [*moving.forward[passed, number, 0], between(moving.forward[:, number, 0], there_until)],
            )
            undone = (layers >= frame.layer) & frame.goes_back
            line_back.set_data([frame.layer, *layers[undone]], [frame.x[number, 0], *moving.back[undone, number, 0]])
        axes.set_title(_title(moving, frame))

    return FuncAnimation(figure, show, frames)


def animate_rings(moving, labels, **timing):
    """An animation of a `Flow` in the plane, in the colours of the classes; the axes follow the cloud."""
    frames = film(moving, **timing)
    lowest, highest = moving.forward.min(axis=1), moving.forward.max(axis=1)  # by layer
    margin = 0.05 * (highest - lowest)
    limits = np.stack([lowest - margin, highest + margin], axis=-1)
    with plotting.figure(width=4, height=4.1) as (figure, axes):
        points = rings.draw_points(axes, moving.forward[0], labels, size=6)
        axes.set(xlabel="first coordinate", ylabel="second coordinate", title=_title(moving, frames[0]))
        axes.locator_params(integer=True, nbins=6)
        axes.yaxis.set_label_coords(-0.1, 0.5)  # whatever the width of the numbers
    _freeze(figure)

    def show(frame):
        points.set_offsets(frame.x)
        horizontal, vertical = between(limits, frame.layer)
        axes.set(xlim=horizontal, ylim=vertical, title=_title(moving, frame))

    return FuncAnimation(figure, show, frames)


def _title(moving, frame):
    layer = f"layer {round(frame.layer)} of {len(moving.forward) - 1}"
    if not frame.goes_back:
        return f"forward: {layer}\n"
    return f"back, undoing layers: {layer}\n{moving.in_words}"


def _freeze(figure):
    """Keep everything where it is now: the layout would be computed again for every frame."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def reproduce(options: Options) -> Report:
    """Train a momentum network on each task, and film it; in the quick form, fewer steps, rings and frames."""
    settings = crossing.RIVALS["Momentum ResNet"] | {"steps": 20 if options.quick else crossing.STEPS}
    net = crossing.train(**settings, progress="crossing" if options.progress else None)
    count, steps = (2, 20) if options.quick else (4, nested_rings.STEPS[4])
    (rate,) = nested_rings.LEARNING_RATES["Momentum ResNet"]
    model = nested_rings.train(count, "Momentum ResNet", rate, steps, progress="rings" if options.progress else None)
    x, labels = nested_rings.sample(count, 150, np.random.default_rng(nested_rings.UNSEEN))
    line = np.linspace(-1, 1, 13, dtype=np.float32)[:, None]
    flows = {"crossing_flow": flow(net, line), "rings_flow": flow(model[0], x)}
    timing = {"per_layer": 1 / 5, "pause": 1} if options.quick else {}
    films = {
        "crossing_flow": animate_crossing(flows["crossing_flow"], **timing),
        "rings_flow": animate_rings(flows["rings_flow"], labels, **timing),
    }
    accuracy = np.mean(nested_rings.classify(model, x) == labels)
    text = f"crossing_flow: loss {crossing.examine(net).loss:.5f}\nrings_flow: {count} rings, accuracy {accuracy:.3f}"
    back = all(moving.largest_difference == 0 for moving in flows.values())
    found = f"Undone layer by layer, {'all' if back else 'not all'} points of both flows come back, bit for bit."
    title = "Two flows as films, there and back"
    return Report(text, claims(flows), animations=films, title=title, found=found)


def claims(flows):
    """That each `Flow`, by name, comes back exactly."""
    return [
        Claim(f"{name}: undone layer by layer, all points come back", moving.in_words, moving.largest_difference == 0)
        for name, moving in flows.items()
    ]
