"""Training image classifiers as the paper does, at the size of a laptop: networks, data and settings by name."""

import dataclasses

import numpy as np

from ... import datasets, models, nn, optim, seeding
from ...base.checks import instance, integer, one_of
from ...datasets import Batches, augmentation
from ...training import Training, confusion

RESNETS = ("resnet20", "resnet32", "resnet38", "resnet44", "resnet56", "resnet110")
NETWORKS = (*RESNETS, "revnet20")
DATASETS = ("digits", "cifar10", "cifar100")
NORMALIZATIONS = ("dataset", "imagenet")
TEST_BATCH = 250
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of ImageNet's channels, customary for networks of other datasets as well."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, and how; the learning rate rises in the first epoch or tenth, then falls along a cosine."""

    network: str = "resnet20"  # one of `NETWORKS`
    gamma: float | None = None  # of the momentum network made of it; None for the residual network itself
    learned_velocity: bool = False  # whether v_0 is a learned function of x_0, conv3x3 - batch norm, or 0
    arithmetic: str = "exact"
    backprop: str | None = None  # of the momentum network: "reversible" if None; all ways train the same bits
    dataset: str = "cifar10"  # one of `DATASETS`
    weights: str | None = None  # a file for `load_pytorch_state_dict` to start from; else weights are drawn
    prefix: str = ""  # of the names in that file
    normalization: str = "dataset"  # whose mean and deviation normalise images: one of `NORMALIZATIONS`
    epochs: int = 15
    batch_size: int = 128
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    seed: int = 0


def load(name, folder=None, download=False):
    """Load a `Split` of bytes (n, height, width, 3) by name; `folder` and `download` as for `datasets.cifar10`."""
    one_of("name", name, DATASETS)
    if name == "digits":
        split = datasets.digits()
        as_colours = [np.repeat(np.rint(images * 255).astype(np.uint8), 3, axis=3) for images in split[::2]]
        return datasets.Split(as_colours[0], split.train_labels, as_colours[1], split.test_labels)
    return {"cifar10": datasets.cifar10, "cifar100": datasets.cifar100}[name](folder, download)


def velocity_function(channels):
    """conv3x3 - batch norm: the learned initial velocity."""
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))


@seeding.restored_on_error()
def network(settings, classes):
    """The network that `settings` names, with weights drawn from its seed."""
    one_of("network", settings.network, NETWORKS)
    seeding.manual_seed(settings.seed)
    net = getattr(models, settings.network)(classes)
    if settings.weights is not None:
        models.load_pytorch_state_dict(net, settings.weights, settings.prefix)
    if settings.gamma is None:
        return net
    if settings.network == "revnet20":
        raise ValueError(f"gamma must be None for revnet20, which is reversible already, got {settings.gamma!r}")
    start = velocity_function if settings.learned_velocity else None
    return models.to_momentum(
        net, settings.gamma, init_velocity=start, arithmetic=settings.arithmetic, backprop=settings.backprop
    )


def normalization(settings, split):
    """(mean, deviation) of the channels that `settings` say."""
    one_of("normalization", settings.normalization, NORMALIZATIONS)
    return IMAGENET if settings.normalization == "imagenet" else augmentation.statistics(split.train_images)


def test_batches(settings, split):
    """The test images of `split`, normalised, in order."""
    mean, deviation = normalization(settings, split)

    def prepare(images, random):
        return augmentation.normalized(images, mean, deviation)

    return Batches(split.test_images, split.test_labels, TEST_BATCH, shuffle=False, transform=prepare, prefetch=2)


def train_batches(settings, split):
    """The training images: shuffled, shifted by up to an eighth of their size, mirrored unless digits, normalised."""
    mean, deviation = normalization(settings, split)

    def prepare(images, random):
        moved = augmentation.shifted(images, random, images.shape[1] // 8, flips=settings.dataset != "digits")
        return augmentation.normalized(moved, mean, deviation)

    return Batches(
        split.train_images, split.train_labels, settings.batch_size, settings.seed, drop_last=True, transform=prepare,
        prefetch=2,
    )  # fmt: skip


def evaluate(settings, split):
    """The `confusion` of the test images by the network of `settings` with its weights; right ones on the diagonal."""
    classes = _classes(split)
    return confusion(network(settings, classes), test_batches(settings, split), classes)


@seeding.restored_on_error()
def training(settings, split, folder=None, schedule=optim.CosineDecay, **keywords):
    """A `Training` of `settings` on a `Split` of bytes; the other arguments are those of `Training`.

    schedule : a kind of `CosineDecay`
    """
    instance("settings", settings, Settings)
    integer("epochs", settings.epochs, 1)
    net = network(settings, _classes(split))
    batches = train_batches(settings, split)
    optimizer = optim.SGD(
        net.parameters(), settings.learning_rate, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay
    )
    total = settings.epochs * len(batches)
    decay = schedule(optimizer, total, warmup=min(len(batches), total // 10))
    return Training(
        net, optimizer, decay, batches, test_batches(settings, split), settings.epochs, folder,
        dataclasses.asdict(settings), **keywords,
    )  # fmt: skip


def _classes(split):
    return int(instance("split", split, datasets.Split).train_labels.max()) + 1
