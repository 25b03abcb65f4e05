"""Fine-tuning a network on other images than it was trained on, as a residual network and as a momentum network.

The paper's section 5.4: a pretrained residual network becomes a momentum network with the same parameters, and is
trained on.  Both versions see the same batches.  The paper's networks are deep; a ResNet-20 has two momentum layers in
a stage.  For so few, the state of exact arithmetic weighs as much as the activations that need not be stored, and with
gamma = 0.9, whose velocity takes ten layers to come to speed, the momentum network starts as a very different function.
"""

import dataclasses
from functools import partial

from ... import plotting
from ...training import accuracy
from ..claim import Options, Report
from ..step_memory import held_by_a_step
from . import image_training

SETTINGS = {"normalization": "imagenet", "learning_rate": 0.01}
VERSIONS = {"residual network": None, "momentum network": 0.9}


@dataclasses.dataclass
class Version:
    """What was seen of one of the `VERSIONS`."""

    before: float  # test accuracy before training
    history: list
    peak_bytes: int  # the most that a training step held


def fine_tune(split, settings, progress=True):
    """Train both versions from `settings.weights`; returns a `Version` by name."""
    found = {}
    for name, gamma in VERSIONS.items():
        chosen = dataclasses.replace(settings, gamma=gamma)
        training = image_training.training(chosen, split, progress=progress)
        before = accuracy(training.net, training.test_batches)
        images, labels = next(training.batches.of_epoch(0))
        memory = held_by_a_step(partial(image_training.network, chosen, 10), images, labels)
        found[name] = Version(before, training.run(), memory.peak_bytes)
    return found


def reproduce(options: Options) -> Report:
    """Fine-tuning of pretrained weights on other images."""
    if options.weights is None and not options.quick:
        raise ValueError("weights must be given: --weights FILE, a state dict of a pretrained ResNet-20")
    settings = image_training.settings_for(options, epochs=3, weights=options.weights, **SETTINGS)
    versions = fine_tune(image_training.load_for(options, settings.dataset), settings, options.progress)
    return Report(table(versions), figures={"fine_tuning": draw(versions)})


def table(versions):
    """Accuracy before and after each epoch, and peak memory, as a text table."""
    lines = []
    for name, version in versions.items():
        values = [version.before, *(epoch.test_accuracy for epoch in version.history)]
        numbers = "  ".join(f"{100 * value:.2f}" for value in values)
        lines.append(f"{name:18} test accuracy [%] {numbers}   peak {plotting.readable_bytes(version.peak_bytes)}")
    return "\n".join(lines)


def draw(versions):
    """A figure: test accuracy by epoch, and peak memory."""
    with plotting.figure(columns=2) as (figure, axes):
        for (name, version), look in zip(versions.items(), ("stored", "exact"), strict=True):
            values = [100 * version.before, *(100 * epoch.test_accuracy for epoch in version.history)]
            axes[0].plot(range(len(values)), values, **plotting.style(look, label=name))
            axes[1].bar(name, version.peak_bytes / 2**20, color=plotting.STYLES[look]["color"])
        axes[0].set(xlabel="epochs of fine-tuning", title="test accuracy [%]")
        axes[0].xaxis.get_major_locator().set_params(integer=True)
        axes[0].legend()
        axes[1].set(title="peak memory of a training step [MiB]")
    return figure
