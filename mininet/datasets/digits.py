"""Real data, and batches of it."""

import importlib.resources
import operator
from typing import NamedTuple

import numpy as np

from . import seeding

TEST_IMAGES = 360


class Split(NamedTuple):
    """Images for training and for testing.

    Images are float32 arrays (n, height, width, channels), labels int64 arrays (n,).
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def digits():
    """1,797 handwritten digits of 8x8 pixels, values from 0 to 1: 1,437 to train on and 360 to test on.

    They ship with the package (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998; CC BY 4.0; see
    ``data/digits/README.md``).  The file is ordered by writer, so it is shuffled, always in the same way, and split.

    Returns
    -------
    Split
    """
    with (
        (importlib.resources.files(__package__) / "data/digits/digits.npz").open("rb") as file,
        np.load(file) as arrays,
    ):
        images = arrays["images"][..., None].astype(np.float32) / np.float32(16)
        labels = arrays["labels"].astype(np.int64)
    order = seeding.generator_for(0, 0).permutation(len(images))
    images, labels = images[order], labels[order]
    return Split(images[TEST_IMAGES:], labels[TEST_IMAGES:], images[:TEST_IMAGES], labels[:TEST_IMAGES])


class Batches:
    """Batches of images and labels, in a new order every epoch.

    The order is a function of the seed and the number of the epoch alone, so any epoch can be had again.

    Parameters
    ----------
    images, labels : ndarray
        Of the same length, at least 1.
    batch_size : int
    seed : int
    shuffle : bool
        Without it, every epoch is in the order of the data.
    drop_last : bool
        Leave out the last batch of an epoch if it is smaller than the others.

    Attributes
    ----------
    epoch : int
        The epoch that the next iteration runs through; iterating moves it on.
    """

    def __init__(self, images, labels, batch_size, seed=0, shuffle=True, drop_last=False):
        self.images, self.labels = np.asarray(images), np.asarray(labels)
        self.batch_size, self.seed = operator.index(batch_size), operator.index(seed)
        self.shuffle, self.drop_last = bool(shuffle), bool(drop_last)
        self.epoch = 0
        if len(self.images) != len(self.labels) or len(self.images) == 0:
            raise ValueError(
                f"images and labels must have the same length, at least 1, got {len(self.images)} and "
                f"{len(self.labels)}"
            )
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if self.drop_last and self.batch_size > len(self.images):
            raise ValueError(
                f"batch_size must be at most the number of images {len(self.images)} with drop_last, got {batch_size}"
            )

    def __len__(self):
        """Batches in an epoch."""
        whole, rest = divmod(len(self.images), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self):
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self.of_epoch(epoch)

    def of_epoch(self, epoch):
        """Iterate over the (images, labels) of epoch number `epoch`."""
        order = np.arange(len(self.images))
        if self.shuffle:
            order = seeding.generator_for(self.seed, epoch).permutation(order)
        for number in range(len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield self.images[chosen], self.labels[chosen]
