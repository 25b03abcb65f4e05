"""The paper's section 5.4: a pretrained residual network becomes a momentum network of the same parameters, and is
trained on, on few images of another kind.

The weights are those of a ResNet for CIFAR-10, of 20, 32, 38, 44, 56 or 110 layers.  The new images are JPEG copies:
2,000 of them, drawn once, train for 3 epochs, and 1,000 test.  All versions see the same batches of 64 images, with a
learning rate of 0.01 that falls along a cosine.

What a version can do before it is trained depends on γ.  A velocity needs about 1/(1 - γ) layers to come to speed, and
a stage of a ResNet-32 has four momentum layers.  So γ = 0.1 keeps the function, and γ = 0.5 most of it.  γ = 0.9 is
another function, and 30 steps are too few for the weights to follow.  The versions that rise begin at γ = 2^-10 and
raise γ a little with every step of the first epoch.  One seed: of 1,000 test images, two points are chance.

Memory is the most that a training step holds.  The first block of a stage stays ordinary, so its activations are
stored.  The batch is the largest one that a momentum version can train in the memory of the residual network.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ... import models, optim, plotting
from ...datasets import Split
from ...reversible import MomentumNet
from ...training import accuracy
from ..claim import Options, Report
from ..step_memory import held_by_a_step
from . import image_training

SETTINGS: dict[str, Any] = {"normalization": "imagenet", "learning_rate": 0.01, "batch_size": 64}
EPOCHS, TRAIN_IMAGES, TEST_IMAGES = 3, 2000, 1000
SMALLEST = 2.0**-10
VERSIONS = {
    "residual network": (None, None),
    "momentum, γ = 0.1": (0.1, 0.1),
    "momentum, γ = 0.5": (0.5, 0.5),
    "momentum, γ rises to 0.5": (SMALLEST, 0.5),
    "momentum, γ rises to 0.9": (SMALLEST, 0.9),
}
"""Gamma before training, and from the second epoch on."""

COLOURS = dict(
    zip(VERSIONS, (plotting.VERMILION, plotting.BLACK, plotting.BLUE, plotting.SKY, plotting.ORANGE), strict=True)
)


@dataclasses.dataclass
class Version:
    """What was seen of one of the `VERSIONS`."""

    before: float  # test accuracy before training
    history: list
    peaks: list  # the most that a training step held, before training and after each epoch
    batch: int = 0  # the largest batch of which a step, after training, holds as much as the residual network's


class RisingGamma(optim.CosineDecay):
    """A cosine that also raises the gamma of `nets` to `highest` in the first third of its steps."""

    nets: Sequence[MomentumNet] = ()
    highest = SMALLEST

    def step(self) -> None:
        """Set the learning rate and gamma of the next step."""
        super().step()
        for net in self.nets:
            net.gamma = rising(3 * self.steps / self.total, self.highest)


def rising(share: float, highest: float) -> float:
    """Gamma after a share of the way from 2^-10 to `highest`: multiples of 1/64, which are simple fractions."""
    return highest if share >= 1 else max(SMALLEST, round(64 * highest * share) / 64)


def network_of(weights: str) -> str:
    """The name of the CIFAR network that a state dict in a file fits."""
    for name in image_training.RESNETS:
        try:
            models.load_pytorch_state_dict(getattr(models, name)(), weights)
        except ValueError:
            continue
        return name
    raise ValueError(f"weights must be those of a ResNet for CIFAR-10, got {weights}")


def few(split: Split) -> Split:
    """Some of the images, drawn once."""
    random = np.random.default_rng(0)
    train = random.permutation(len(split.train_images))[:TRAIN_IMAGES]
    test = random.permutation(len(split.test_images))[:TEST_IMAGES]
    return Split(split.train_images[train], split.train_labels[train], split.test_images[test], split.test_labels[test])


def peak_bytes(settings: image_training.Settings, split: Split, batch: int) -> int:
    """The most that a training step of `batch` images holds."""
    images, labels = next(image_training.train_batches(settings, split).of_epoch(0))
    chosen = np.resize(np.arange(len(images)), batch)
    return held_by_a_step(partial(image_training.network, settings, 10), images[chosen], labels[chosen]).peak_bytes


def largest_batch(settings: image_training.Settings, split: Split, limit: int) -> int:
    """The largest batch of which a training step holds at most `limit` bytes."""
    small, large = (peak_bytes(settings, split, batch) for batch in (16, 48))
    batch = 16 + int(32 * (limit - small) / (large - small))
    while peak_bytes(settings, split, batch) > limit:
        batch -= 1
    return batch


def fine_tune(split, settings, names=tuple(VERSIONS), progress=True):
    """Train the versions of these names, the residual network first, from `settings.weights`; a `Version` by name."""
    found = {}
    for name in names:
        gamma, highest = VERSIONS[name]
        chosen, ends = (dataclasses.replace(settings, gamma=each) for each in (gamma, highest))
        rises = gamma != highest
        schedule = RisingGamma if rises else optim.CosineDecay
        training = image_training.training(chosen, split, schedule=schedule, progress=progress)
        before = accuracy(training.net, training.test_batches)
        if rises:
            training.schedule.nets = [each for each in training.net.modules() if isinstance(each, MomentumNet)]
            training.schedule.highest = highest
        history = training.run()
        first, last = (peak_bytes(each, split, settings.batch_size) for each in (chosen, ends))
        found[name] = Version(before, history, [first] + [last] * len(history))
        limit = found["residual network"].peaks[0]
        found[name].batch = largest_batch(ends, split, limit) if gamma else settings.batch_size
    return found


def reproduce(options: Options) -> Report:
    """Fine-tuning of pretrained weights on other images."""
    if options.weights is None and not options.quick:
        raise ValueError("weights must be given: --weights FILE, a state dict of a pretrained ResNet for CIFAR-10")
    dataset, epochs, names = "cifar10", EPOCHS, tuple(VERSIONS)
    if options.quick:
        dataset, epochs, names = "digits", 1, ("residual network", "momentum, γ rises to 0.5")
    settings = image_training.Settings(
        dataset=dataset, epochs=options.epochs or epochs, weights=options.weights, **SETTINGS
    )
    if options.weights is not None:
        settings = dataclasses.replace(settings, network=network_of(options.weights))
    split = image_training.load(dataset, options.data)
    some = Split(*(array[:128] for array in split)) if options.quick else few(split)
    versions = fine_tune(some, settings, names, options.progress)
    title = f"Fine-tuning a pretrained {settings.network.replace('resnet', 'ResNet-')} with less memory"
    return Report(table(versions), figures={"fine_tuning": draw(versions)}, title=title, found=sentence(versions))


def sentence(versions):
    """What was found, in words."""
    best = max(list(versions)[1:], key=lambda name: versions[name].history[-1].test_accuracy)
    ours, theirs = versions[best], versions["residual network"]
    now, then = (100 * each.history[-1].test_accuracy for each in (ours, theirs))
    return (
        f"Trained on, the residual network classifies {then:.1f} % of the test images right, and the best momentum "
        f"version ({best.removeprefix('momentum, ')}) {now:.1f} %, with "
        f"{100 * ours.peaks[-1] / theirs.peaks[-1]:.0f} % of the memory: a batch of {ours.batch} fits where the "
        f"residual network has {theirs.batch}."
    )


def table(versions):
    """Accuracy and peak memory before training and after each epoch, and the larger batch, as a text table."""
    lines = [f"{'':26}test accuracy [%]: before, after each epoch"]
    for name, version in versions.items():
        values = [version.before, *(epoch.test_accuracy for epoch in version.history)]
        lines.append(f"{name:26}{'  '.join(f'{100 * value:6.2f}' for value in values)}")
    lines.append(f"\n{'':26}peak memory of a step: before, after each epoch; largest batch in the first one's memory")
    for name, version in versions.items():
        peaks = "  ".join(f"{plotting.readable_bytes(each):>8}" for each in version.peaks)
        lines.append(f"{name:26}{peaks}  {version.batch:>6}")
    return "\n".join(lines)


def draw(versions):
    """A figure: test accuracy by epoch, and peak memory with the largest batch."""
    limit = plotting.readable_bytes(versions["residual network"].peaks[0])
    with plotting.figure(columns=2, width=4.8) as (figure, axes):
        for name, version in versions.items():
            colour = COLOURS[name]
            values = [100 * version.before, *(100 * epoch.test_accuracy for epoch in version.history)]
            axes[0].plot(range(len(values)), values, "o-", color=colour, label=name)
            axes[1].barh(name, version.peaks[-1] / 2**20, color=colour)
            axes[1].text(0, name, f"  fits {version.batch} in {limit}", va="center", color="white")
        axes[0].set(xlabel="epochs of fine-tuning", title="Test accuracy [%]")
        axes[0].xaxis.get_major_locator().set_params(integer=True)
        axes[0].legend()
        axes[1].set(title="Memory of a step of 64 images [MiB]", ylim=(len(versions) - 0.5, -0.5))
    return figure
