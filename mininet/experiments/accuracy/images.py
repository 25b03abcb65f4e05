"""Do momentum networks classify as well as residual ones?  (The paper's table 2, at the size of a laptop.)

The same network, data and number of epochs for each rival, from several seeds; then the momentum network with other
values of gamma.  The paper's networks have up to 22 momentum layers in a stage and are trained for 220 epochs.  A
ResNet-20 has two, where with gamma = 0.9 the velocity takes ten layers to come to speed, and two epochs are the
beginning of a training: expect less of that gamma here, and look at the smaller ones.

Every training has a folder of its own with a checkpoint, so an interrupted experiment goes on where it was, and a
finished training is not run again.
"""

import statistics
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure

from ... import plotting
from ..claim import Claim, Options, Report
from ..images import image_training
from . import cifar, result
from .equivalence import difference

RIVALS: dict[str, dict[str, Any]] = {
    "ResNet-20": {"gamma": None},
    "Momentum ResNet-20, v₀ = 0": {"gamma": 0.9},
    "Momentum ResNet-20, v₀ learned": {"gamma": 0.9, "learned_velocity": True},
    "RevNet of the same size": {"network": "revnet20"},
}
SEEDS = 3
GAMMAS = (0, 0.1, 0.5, 0.9, 0.99)
"""Of one seed; 0 is the residual network."""

Found = dict[str, list[dict[str, Any]]]
"""What trainings gave, by the network's name, a list by seed."""


def claims(found: Found) -> list[Claim]:
    """For each rival that it is as accurate as the ResNet, judged as in `accuracy`."""
    by_name = {name: [one["test"]["accuracy"] for one in ours] for name, ours in found.items()}
    theirs, *others = by_name
    made = []
    for name in others:
        against = difference(by_name[name], by_name[theirs])
        text = f"{name}: the accuracy of {theirs}, within one point or better"
        evidence = f"{100 * against.mean:+.2f} points, 90 % interval {against.interval}"
        made.append(Claim(text, evidence, against.verdict in ("equal", "better")))
    return made


def table(found: Found) -> str:
    """Test accuracy after the last epoch, mean, spread and each, and training loss, as a text table."""
    lines = []
    for name, ours in found.items():
        loss = statistics.fmean(one["loss"][-1] for one in ours)
        each = ", ".join(f"{100 * one['test']['accuracy']:.2f}" for one in ours)
        lines.append(f"{name:34}{f'{result.spread(ours)} %':>18}   ({each})   training loss {loss:.3f}")
    return "\n".join(lines)


def draw(found: Found, by_gamma: Found) -> Figure:
    """Test accuracy by epoch, a line for each seed, and beside it by gamma."""
    with plotting.figure(columns=2, width=5) as (figure, axes):
        for (name, ours), colour in zip(found.items(), plotting.SEQUENCE, strict=False):
            for number, one in enumerate(ours):
                values = [100 * value for value in one["test_accuracy"]]
                label = name if number == 0 else None
                axes[0].plot(range(1, len(values) + 1), values, color=colour, label=label, alpha=0.8)
        axes[0].set(xlabel="epoch", title="test accuracy [%], a line for each seed")
        axes[0].xaxis.get_major_locator().set_params(integer=True)
        axes[0].legend()
        values = [100 * one["test"]["accuracy"] for (one,) in by_gamma.values()]
        axes[1].plot(range(len(values)), values, color=plotting.BLUE, marker="o")
        axes[1].set_xticks(range(len(values)), by_gamma)
        axes[1].set(title="test accuracy [%] after the last epoch, one seed")
    return figure


def reproduce(options: Options) -> Report:
    """Accuracy of the rivals, and against gamma."""
    settings = image_training.settings_for(options, epochs=2)
    split = image_training.load_for(options, settings.dataset)

    def train(changes: dict[str, Any], seeds: Iterable[int]) -> list[dict[str, Any]]:
        every = [replace(settings, seed=seed, **changes) for seed in seeds]
        return [cifar.train(each, split, options.folder / "images", progress=options.progress) for each in every]

    seeds = options.seeds or (1 if options.quick else SEEDS)
    found = {name: train(changes, range(seeds)) for name, changes in RIVALS.items()}
    values = GAMMAS[:2] if options.quick else GAMMAS
    by_gamma = {f"γ = {gamma:g}": train({"gamma": gamma or None}, [0]) for gamma in values}
    made = [] if options.quick else claims(found)  # an epoch of few digits says nothing
    means = {name: statistics.fmean(100 * one["test"]["accuracy"] for one in ours) for name, ours in found.items()}
    sentence = "Test accuracy: " + ", ".join(f"{name} {mean:.1f} %" for name, mean in means.items()) + "."
    title = "Do momentum networks classify images as well as residual ones?"
    figures = {"images": draw(found, by_gamma)}
    return Report(f"{table(found)}\n{table(by_gamma)}", made, figures, title=title, found=sentence)
