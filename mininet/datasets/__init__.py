"""Real data, and batches of it."""

from . import augmentation
from .batches import Batches
from .cifar import CIFAR10_CLASSES, cifar10, cifar100
from .digits import digits
from .image_folder import ImageFolder
from .split import Split

__all__ = ["CIFAR10_CLASSES", "Batches", "ImageFolder", "Split", "augmentation", "cifar10", "cifar100", "digits"]
