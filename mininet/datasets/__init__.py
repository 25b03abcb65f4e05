"""Real data, and batches of it."""

from . import augmentation
from .batches import Batches
from .cifar import CIFAR10_CLASSES, cifar10, cifar100
from .digits import digits
from .image_folder import ImageFolder
from .split import Split
from .text import Text, TextBatches, moby_dick

__all__ = [
    "CIFAR10_CLASSES", "Batches", "ImageFolder", "Split", "Text", "TextBatches", "augmentation", "cifar10", "cifar100",
    "digits", "moby_dick",
]  # fmt: skip
