"""Do momentum networks classify as well as residual ones?  (The paper's table 2, at the size of a laptop.)

The same network, data and number of epochs for each rival, from several seeds; then the momentum network with other
values of gamma.  The paper's networks have up to 22 momentum layers in a stage and are trained for 220 epochs.  A
ResNet-20 has two, where with gamma = 0.9 the velocity takes ten layers to come to speed, and two epochs are the
beginning of a training: expect less of that gamma here, and look at the smaller ones.

Every training has a folder of its own with a checkpoint, so an interrupted experiment goes on where it was, and a
finished training is not run again.
"""

import dataclasses
import math
import pathlib
import statistics

from ... import plotting
from ..claim import Claim, Options, Report
from . import image_training

RIVALS = {
    "ResNet-20": {"gamma": None},
    "Momentum ResNet-20, v₀ = 0": {"gamma": 0.9},
    "Momentum ResNet-20, v₀ learned": {"gamma": 0.9, "learned_velocity": True},
    "RevNet of the same size": {"network": "revnet20"},
}
SEEDS = (0, 1, 2)
GAMMAS = (0.1, 0.5, 0.99)
"""Beside those of the rivals: 0, which is the residual network, and 0.9."""


@dataclasses.dataclass(frozen=True)
class Accuracies:
    """Test accuracies of one network, a number for each seed."""

    values: tuple

    @property
    def mean(self):
        """Over the seeds."""
        return statistics.fmean(self.values)

    @property
    def deviation(self):
        """Standard deviation over the seeds; NaN for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan

    def __str__(self):
        spread = f" ± {100 * self.deviation:.2f}" if len(self.values) > 1 else ""
        return f"{100 * self.mean:.2f}{spread} %"


def train_all(split, settings, folder, rivals=None, seeds=SEEDS, progress=True):
    """Histories of every rival from every seed; each training goes on from the checkpoint in its folder there."""
    found = {}
    for name, changes in (RIVALS if rivals is None else rivals).items():
        file_name = "".join(each if each.isalnum() and each.isascii() else "-" for each in name).strip("-").lower()
        found[name] = []
        for seed in seeds:
            chosen = dataclasses.replace(settings, seed=seed, **changes)
            own_folder = pathlib.Path(folder) / f"{file_name}-seed{seed}"
            training = image_training.training(chosen, split, own_folder, progress=progress)
            training.resume()
            found[name].append(training.run())
    return found


def gammas(split, settings, folder, histories, values=GAMMAS, progress=True):
    """Histories of momentum networks, v_0 = 0, by gamma: trained from one seed, and those of the rivals, 0 and 0.9."""
    rivals = {f"γ = {value:g}": {"gamma": value} for value in values}
    found = train_all(split, settings, folder, rivals, (settings.seed,), progress)
    for name, changes in RIVALS.items():
        if list(changes) == ["gamma"]:
            found[f"γ = {changes['gamma'] or 0:g}"] = histories[name][:1]
    return dict(sorted(found.items()))


def accuracies(histories):
    """`Accuracies` after the last epoch, by name."""
    return {
        name: Accuracies(tuple(history[-1].test_accuracy for history in by_seed)) for name, by_seed in histories.items()
    }


def claims(found, reference="ResNet-20"):
    """For each rival a `Claim`: its mean does not differ from the reference's by more than two standard errors."""
    made = []
    for name, ours in found.items():
        if name == reference:
            continue
        theirs = found[reference]
        difference = ours.mean - theirs.mean
        error = math.hypot(*(each.deviation / math.sqrt(len(each.values)) for each in (ours, theirs)))
        evidence = f"{100 * difference:+.2f} points, standard error {100 * error:.2f}"
        made.append(Claim(f"{name}: same accuracy as {reference}", evidence, abs(difference) <= 2 * error))
    return made


def table(histories):
    """Mean and spread of the test accuracy after the last epoch, and training loss, as a text table."""
    lines = []
    for name, ours in accuracies(histories).items():
        loss = statistics.fmean(history[-1].loss for history in histories[name])
        each = ", ".join(f"{100 * value:.2f}" for value in ours.values)
        lines.append(f"{name:34}{ours!s:>18}   ({each})   training loss {loss:.3f}")
    return "\n".join(lines)


def draw(histories, by_gamma=None):
    """A figure: test accuracy by epoch (a line for each seed), and beside it by gamma."""
    with plotting.figure(columns=1 if by_gamma is None else 2, width=5) as (figure, axes):
        panel = axes if by_gamma is None else axes[0]
        for (name, by_seed), colour in zip(histories.items(), plotting.SEQUENCE, strict=False):
            for number, history in enumerate(by_seed):
                epochs = range(1, len(history) + 1)
                values = [100 * epoch.test_accuracy for epoch in history]
                panel.plot(epochs, values, color=colour, label=name if number == 0 else None, alpha=0.8)
        panel.set(xlabel="epoch", title="test accuracy [%], a line for each seed")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.legend()
        if by_gamma is not None:
            values = [100 * by_seed[0][-1].test_accuracy for by_seed in by_gamma.values()]
            axes[1].plot(range(len(values)), values, color=plotting.BLUE, marker="o")
            axes[1].set_xticks(range(len(values)), by_gamma)
            axes[1].set(title="test accuracy [%] after the last epoch, one seed")
    return figure


def reproduce(options: Options) -> Report:
    """Accuracy of the rivals, and against gamma."""
    settings = image_training.settings_for(options, epochs=2)
    split = image_training.load_for(options, settings.dataset)
    seeds = range(options.seeds or (1 if options.quick else len(SEEDS)))
    folder = pathlib.Path(options.folder) / "images"
    histories = train_all(split, settings, folder, None, seeds, options.progress)
    values = GAMMAS[:1] if options.quick else GAMMAS
    by_gamma = gammas(split, settings, folder, histories, values, options.progress)
    found = [] if options.quick else claims(accuracies(histories))  # an epoch of few digits says nothing
    means = {name: f"{100 * ours.mean:.1f} %" for name, ours in accuracies(histories).items()}
    sentence = "Test accuracy: " + ", ".join(f"{name} {mean}" for name, mean in means.items()) + "."
    title = "Do momentum networks classify images as well as residual ones?"
    figures = {"images": draw(histories, by_gamma)}
    return Report(f"{table(histories)}\n{table(by_gamma)}", found, figures, title=title, found=sentence)
