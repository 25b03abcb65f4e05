"""The paper's experiments by name: each runs, prints its numbers and saves its figure."""

import dataclasses

from .. import models, plotting
from . import fine_tuning, image_memory, image_training, images, table_one

FINE_TUNING = {"normalization": "imagenet", "learning_rate": 0.01, "epochs": 3}


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line gives to an experiment.

    Attributes
    ----------
    folder : pathlib.Path
        For results.
    data : path or None
        Of CIFAR-10; see `datasets.cifar10`.
    quick : bool
        A small version, on digits, that takes seconds and shows that everything runs.
    epochs : int or None
        Of each training; the experiment's own number if None.
    seeds : int
        How many seeds.
    weights : str or None
        File of pretrained weights, for fine-tuning.
    progress : bool
    """

    folder: object
    data: object = None
    quick: bool = False
    epochs: int | None = None
    seeds: int = 3
    weights: str | None = None
    progress: bool = True

    def settings(self, epochs, **changes):
        """`image_training.Settings`, of digits and one epoch if quick."""
        settings = image_training.Settings(epochs=self.epochs or epochs, **changes)
        if not self.quick:
            return settings
        return dataclasses.replace(settings, dataset="digits", epochs=self.epochs or 1)

    def split(self, settings):
        """The dataset of `settings`."""
        return image_training.load(settings.dataset, self.data)


def memory(options):
    """Memory against depth."""
    if options.quick:
        steps = image_memory.by_depth((2, 4), batch_size=4, size=16, width=8, progress=options.progress)
        large = image_memory.large(models.resnet18, 2, 64, options.progress)
    else:
        steps = image_memory.by_depth(progress=options.progress)
        large = image_memory.large(progress=options.progress)
    print(image_memory.table(steps))
    print("ResNet-101, 4 images of 224x224:" if not options.quick else "ResNet-18, 2 images of 64x64:")
    for method, step in large.items():
        print(f"  {image_memory.METHODS[method]:38}{plotting.readable_bytes(step.peak_bytes):>10}")
    plotting.save(image_memory.draw(steps, large), options.folder / "memory.png")


def accuracy(options):
    """Accuracy of the rivals, and against gamma."""
    settings = options.settings(epochs=3)
    split = options.split(settings)
    seeds = range(2 if options.quick else options.seeds)
    histories = images.train_all(split, settings, options.folder / "images", None, seeds, options.progress)
    values = images.GAMMAS[:1] if options.quick else images.GAMMAS
    by_gamma = images.gammas(split, settings, options.folder / "images", values, options.progress)
    print(images.table(histories))
    print(images.verdict(images.accuracies(histories)))
    print(images.table(by_gamma))
    plotting.save(images.draw(histories, by_gamma), options.folder / "images.png")


def tuning(options):
    """Fine-tuning of pretrained weights on other images."""
    if options.weights is None and not options.quick:
        raise ValueError("weights must be given: --weights FILE, a state dict of a pretrained ResNet-20")
    settings = options.settings(**FINE_TUNING, weights=options.weights)
    versions = fine_tuning.fine_tune(options.split(settings), settings, options.progress)
    print(fine_tuning.table(versions))
    plotting.save(fine_tuning.draw(versions), options.folder / "fine_tuning.png")


def rivals(options):
    """The paper's Table 1, and what a step costs."""
    print(table_one.formatted(table_one.table_one()))
    print(table_one.formatted_costs(table_one.costs()))


EXPERIMENTS = {"images": accuracy, "memory": memory, "fine_tuning": tuning, "table_one": rivals}
"""Functions of `Options` by name."""
