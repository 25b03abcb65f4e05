"""Batches of images and labels."""

import numpy as np

from .. import seeding
from ..checks import array, flag, integer, shown
from .prefetching import prefetched

MAX_EPOCHS, MAX_BATCHES = 2**31, 2**32


class Batches:
    """Batches of images and labels, in a new order every epoch.

    The order is a function of the seed and the number of the epoch alone, so any epoch can be had again.

    Parameters
    ----------
    images : ndarray, list or sequence
        Any sequence will do that has a length and, indexed by an integer array, gives an array: `ImageFolder`.
    labels : ndarray
        Of the same length, at least 1.
    batch_size : int
    seed : int
        At least 0 and below 2**64.
    shuffle : bool
        Without it, every epoch is in the order of the data.
    drop_last : bool
        Leave out the last batch of an epoch if it is smaller than the others.
    transform : callable, optional
        ``transform(images, random)`` gives the images of a batch that are used instead of `images`.  `random` is a
        `numpy.random.Generator`, a function of the seed, the epoch and the number of the batch alone, and another one
        than makes the order, see `random_for`.  `images` is a copy that may be overwritten.
    prefetch : int
        How many batches a background thread prepares ahead; 0 for none.  The batches are the same, bit for bit.

    Attributes
    ----------
    epoch : int
        The epoch that the next iteration runs through; iterating moves it on.
    """

    def __init__(self, images, labels, batch_size, seed=0, shuffle=True, drop_last=False, transform=None,
                 prefetch=0):  # fmt: skip
        self.images = array("images", images) if isinstance(images, (list, tuple)) else images
        self.labels = array("labels", labels)
        if np.ndim(self.labels) == 0 or not hasattr(self.images, "__len__") or getattr(self.images, "ndim", 1) == 0:
            raise ValueError(
                f"images and labels must be sequences of the same length, got {shown(images)} and {shown(labels)}"
            )
        self.batch_size, self.seed = integer("batch_size", batch_size, 1), integer("seed", seed, 0, seeding.NUMBERS)
        self.shuffle, self.drop_last = flag("shuffle", shuffle), flag("drop_last", drop_last)
        self.transform, self.prefetch = transform, integer("prefetch", prefetch, 0)
        self.epoch = 0
        if len(self.images) != len(self.labels) or len(self.images) == 0:
            raise ValueError(
                f"images and labels must have the same length, at least 1, got {len(self.images)} and "
                f"{len(self.labels)}"
            )
        if self.drop_last and self.batch_size > len(self.images):
            raise ValueError(
                f"batch_size must be at most the number of images {len(self.images)} with drop_last, got {batch_size}"
            )
        if transform is not None and not callable(transform):
            raise TypeError(f"transform must be callable or None, got {type(transform).__name__}")

    def __len__(self):
        """Batches in an epoch."""
        whole, rest = divmod(len(self.images), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self):
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self.of_epoch(epoch)

    def of_epoch(self, epoch, first=0):
        """Iterate over the (images, labels) of epoch number `epoch`, from batch number `first` on.

        What comes is the same as in the whole epoch, and the batches before `first` are not computed.

        Parameters
        ----------
        epoch : int
            At least 0 and below 2**31.
        first : int
            At least 0 and at most the number of batches; then there are none.
        """
        epoch, first = integer("epoch", epoch, 0, MAX_EPOCHS), integer("first", first)
        if not 0 <= first <= len(self):
            raise ValueError(f"first must be at least 0 and at most the number of batches {len(self)}, got {first}")
        batches = self._batches(epoch, first)
        return prefetched(batches, min(self.prefetch, len(self))) if self.prefetch else batches

    def random_for(self, epoch, number):
        """The generator that `transform` gets for batch `number` of `epoch`.

        The order of an epoch has the key (seed, epoch), where epoch is below 2**31.  Here the second half of the key
        is 2**63 + 2**32 * epoch + number with a number below 2**32, so no two of all these keys coincide.
        """
        epoch, number = integer("epoch", epoch, 0, MAX_EPOCHS), integer("number", number, 0, MAX_BATCHES)
        return seeding.generator_for(self.seed, 2**63 + 2**32 * epoch + number)

    def _batches(self, epoch, first):
        order = np.arange(len(self.images))
        if self.shuffle:
            order = seeding.generator_for(self.seed, epoch).permutation(order)
        for number in range(first, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            images = self.images[chosen]
            if self.transform is not None:
                images = self.transform(images, self.random_for(epoch, number))
            yield images, self.labels[chosen]
