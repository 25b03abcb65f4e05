"""Separating nested rings (the paper's figure 5): what a flow of the plane cannot do, and a momentum network can.

Points lie on nested rings, classes alternate, and a network of 15 tied layers in the plane must bring them where a
straight line separates them.  A flow x' = f(x) deforms the plane continuously and without folding it: the inner ring
stays inside.  A momentum network has the velocity as further dimensions, so its points pass through each other.

As in the paper, ring k has the radii 3 (0.5 k + 0.2 u) with u uniform in [0, 1], functions are 2-16-2 with tanh, gamma
is 0.99, and points are drawn anew for every step.  Ours: the line is learned, by a linear layer at the end (the
authors' example takes x_N itself for logits, which makes training harder); 250 points of each ring a step (theirs
2,000); Adam with a cosine schedule, see `toy`.  Accuracy is measured on 5,000 other points of each ring.  The momentum
network is trained in exact arithmetic without stored activations, which has the same bits as with them.

The ResNet is trained as carefully: it starts with small functions, its gradients are clipped, and of several learning
rates it is given the one with the best median accuracy, on the very points that count.  Then it is often no flow any
more: it learns steps so large that layers x + f(x) fold the plane, which they do where the determinant of I + df/dx is
negative.  Else it leaves a tunnel open between the rings, on whose points it errs.
"""

import numpy as np

from ... import plotting
from ..claim import Claim, Options, Report
from . import networks
from .nested_rings import LEARNING_RATES, SEEDS, STEPS, UNSEEN, classify, compare, sample

AT_LEAST = {2: 0.99, 4: 0.97}
"""The median accuracy that is claimed of the momentum network, by the number of rings."""

_CLASSES = (plotting.BLUE, plotting.ORANGE)
_COLOURS = {"ResNet": plotting.VERMILION, "Momentum ResNet": plotting.GREEN}


def reproduce(options: Options) -> Report:
    """Accuracies of both on 2 and on 4 rings; the quick form leaves 4 rings out, which take long to learn."""
    steps, at_least, learning_rates, seeds = STEPS, AT_LEAST, LEARNING_RATES, SEEDS
    if options.quick:
        steps, at_least, seeds = {2: 80}, {2: 0.95}, 1
        learning_rates = {"ResNet": (0.02,), "Momentum ResNet": (0.1,)}
    seeds = options.seeds or seeds
    results = {rings: compare(rings, count, learning_rates, seeds, options.progress) for rings, count in steps.items()}
    figures = {"rings": draw(results), "rings_layers": draw_layers(results)}
    most = max(results)
    resnet, momentum = (results[most][name].median for name in ("ResNet", "Momentum ResNet"))
    found = (
        f"{most} nested rings: a momentum network tells {100 * momentum:.1f} % of new points apart, a ResNet with the "
        f"best of its learning rates {100 * resnet:.1f} %, in the median of {seeds} seeds."
    )
    return Report(table(results), claims(results, at_least), figures, title="Separating nested rings", found=found)


def table(results):
    """Accuracies as text; results: those of `compare` by the number of rings."""
    lines = [f"{'':26}{'accuracy: median (lowest to highest)':>38}{'learning rate':>16}{'least determinant':>20}"]
    for rings, by_name in results.items():
        for name, result in by_name.items():
            determinants = [run.least_determinant for run in result.runs if run.least_determinant is not None]
            folding = f"{min(determinants):.2f}" if determinants else ""
            title = f"{rings} rings, {name}"
            lines.append(f"{title:26}{result!s:>38}{result.learning_rate:>16g}{folding:>20}".rstrip())
    folded = [run.least_determinant < 0 for by_name in results.values() for run in by_name["ResNet"].runs]
    share = f"{sum(folded)} of {len(folded)} ResNets"
    lines.append(f"{share} fold the plane somewhere (negative determinant of I + df/dx).")
    return "\n".join(lines)


def claims(results, at_least=None):
    """That the momentum network separates the rings, and most of them better than the ResNet, by number of rings."""
    made = []
    for rings, least in (at_least or AT_LEAST).items():
        momentum = results[rings]["Momentum ResNet"]
        text = f"the momentum network separates {rings} rings, median accuracy at least {least:g}"
        made.append(Claim(text, f"{momentum.median:.4f}", momentum.median >= least))
    most = max(results)
    resnet, momentum = results[most]["ResNet"], results[most]["Momentum ResNet"]
    text = f"it separates {most} rings better than the ResNet with the best of its learning rates"
    evidence = f"{momentum.median:.4f} against {resnet.median:.4f}"
    return [*made, Claim(text, evidence, momentum.median > resnet.median)]


def draw(results):
    """A figure: accuracies of all seeds, and what the runs with the median accuracy say of each point of the plane."""
    rings = max(results)
    with plotting.figure(columns=3, width=3.9, height=3.5) as (figure, axes):
        columns = [(count, name) for count, by_name in results.items() for name in by_name]
        for place, (count, name) in enumerate(columns):
            result = results[count][name]
            axes[0].plot([place] * len(result.runs), result.accuracies, "o", color=_COLOURS[name], alpha=0.6)
            axes[0].plot([place - 0.3, place + 0.3], [result.median] * 2, color=_COLOURS[name])
        labels = [f"{count} rings,\n" + name.replace(" ", "\n") for count, name in columns]
        axes[0].set_xticks(range(len(labels)), labels, fontsize="small")
        axes[0].set(ylabel="test accuracy", title="every seed, and the median")
        for panel, (name, result) in zip(axes[1:], results[rings].items(), strict=True):
            run = median_run(result)
            draw_regions(panel, run.model, rings)
            panel.set(title=f"{name}: classes in the plane\n{rings} rings, accuracy {run.accuracy:.3f}")
    return figure


def median_run(result):
    """The run with the median accuracy, of an even number the better one in the middle."""
    return sorted(result.runs, key=lambda run: run.accuracy)[len(result.runs) // 2]


def draw_regions(axes, model, rings):
    """The class of each point of the plane, and points of the rings on top."""
    reach = 3 * (0.5 * rings + 0.2) + 0.5
    ticks = np.linspace(-reach, reach, 300)
    plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    regions = classify(model, plane).reshape(300, 300)
    axes.contourf(ticks, ticks, regions, levels=[-0.5, 0.5, 1.5], colors=_CLASSES, alpha=0.3)
    draw_points(axes, *sample(rings, 150, np.random.default_rng(UNSEEN)))
    axes.set(aspect="equal", xlabel="first coordinate", ylabel="second coordinate")


def draw_points(axes, x, labels, size=4):
    """Points (n, 2) in the colours of their classes; returns matplotlib's collection."""
    return axes.scatter(*x.T, c=[_CLASSES[label] for label in labels], s=size, linewidths=0)


def draw_layers(results, layers=range(0, networks.DEPTH + 1, 3)):
    """A figure like the paper's: where the points of most rings are after every third layer, a row for each rival."""
    rings = max(results)
    x, labels = sample(rings, 250, np.random.default_rng(UNSEEN))
    with plotting.figure(columns=len(layers), rows=len(results[rings]), width=2.1, height=2.3) as (figure, axes):
        for row, (name, result) in zip(axes, results[rings].items(), strict=True):
            model = median_run(result).model
            passed = model[0].trajectory(x)
            for panel, layer in zip(row, layers, strict=True):
                draw_points(panel, passed[layer], labels)
                panel.set(title=f"layer {layer}")
                panel.tick_params(labelsize="x-small")
            draw_boundary(row[-1], model[1])
            row[0].set(ylabel=name)
        where = f"where the points of {rings} rings are"
        figure.suptitle(f"{where}, in the colours of their classes; dashed: the classifier")
    return figure


def draw_boundary(axes, linear):
    """The line on which both classes are equally likely, where it passes `axes`."""
    normal = linear.weight.data[:, 1] - linear.weight.data[:, 0]
    foot = -(linear.bias.data[1] - linear.bias.data[0]) * normal / (normal @ normal)
    limits = axes.axis()
    along = np.array([-normal[1], normal[0]])
    axes.axline(foot, foot + along, color=plotting.BLACK, linewidth=1, linestyle="--")
    axes.axis(limits)
