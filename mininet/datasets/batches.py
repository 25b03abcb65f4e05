"""Batches of images and labels."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import seeding
from ..base.checks import array, flag, integer, shown
from ..base.types import AnyArray
from .prefetching import prefetched

MAX_EPOCHS, MAX_BATCHES = 2**31, 2**32


Batch: TypeAlias = tuple[AnyArray, AnyArray]
"""Images and their labels."""


class Images(Protocol):
    """A sequence that can be indexed by an array of integers, such as an array or an `ImageFolder`."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: NDArray[np.intp], /) -> AnyArray: ...


class Batches:
    """Batches of images and labels, in a new order every epoch.

    The order is a function of the seed and the epoch number alone, so you can get any epoch again.

    Parameters
    ----------
    images : ndarray, list or sequence
        Anything with a length that gives an array when indexed by an integer array, such as `ImageFolder`.
    labels : ndarray
        As many as images, at least 1.
    batch_size : int
        Images in a batch, at least 1.
    seed : int
        At least 0 and below 2**64.
    shuffle : bool
        If False, every epoch is in the order of the data.
    drop_last : bool
        Whether to leave out the last batch of an epoch if it is smaller than the others.
    transform : callable, optional
        ``transform(images, random)`` replaces the images of a batch; it may overwrite `images`, a copy.  `random` is
        the generator that `random_for` gives.
    prefetch : int
        How many batches a background thread prepares ahead, or 0 for none; the batches have the same bits.

    Attributes
    ----------
    epoch : int
        The epoch that the next iteration runs through; iterating increases it.

    Examples
    --------
    >>> batches = datasets.Batches(np.arange(5.0), np.arange(5), batch_size=2)
    >>> [len(labels) for images, labels in batches]
    [2, 2, 1]
    """

    def __init__(
        self, images: Images | Sequence[AnyArray] | Sequence[Sequence[float]], labels: ArrayLike, batch_size: int,
        seed: int = 0, shuffle: bool = True, drop_last: bool = False,
        transform: Callable[[AnyArray, np.random.Generator], AnyArray] | None = None, prefetch: int = 0,
    ) -> None:  # fmt: skip
        self.images: Any = array("images", images) if isinstance(images, (list, tuple)) else images
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

    def __len__(self) -> int:
        """Count the batches in an epoch."""
        whole, rest = divmod(len(self.images), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self.of_epoch(epoch)

    def of_epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Iterate over the (images, labels) of an epoch.

        Parameters
        ----------
        epoch
            Its number, from 0 and below 2**31, which decides the order.
        first
            The batch to begin with: those before it are not computed, and the others are as in the whole epoch.

        Raises
        ------
        ValueError
            If `first` is above the number of batches; if it equals that, there are none.
        """
        epoch, first = integer("epoch", epoch, 0, MAX_EPOCHS), integer("first", first)
        if not 0 <= first <= len(self):
            raise ValueError(f"first must be at least 0 and at most the number of batches {len(self)}, got {first}")
        batches = self._batches(epoch, first)
        return prefetched(batches, min(self.prefetch, len(self))) if self.prefetch else batches

    def random_for(self, epoch: int, number: int) -> np.random.Generator:
        """Make the generator that `transform` gets for a batch.

        The order of an epoch has the key (seed, epoch), with epoch below 2**31.  Here the second half of the key is
        2**63 + 2**32 * epoch + number, with number below 2**32, so all these keys are different.

        Parameters
        ----------
        epoch
            From 0 and below 2**31.
        number
            Which batch of the epoch, from 0 and below 2**32.
        """
        epoch, number = integer("epoch", epoch, 0, MAX_EPOCHS), integer("number", number, 0, MAX_BATCHES)
        return seeding.generator_for(self.seed, 2**63 + 2**32 * epoch + number)

    def _batches(self, epoch: int, first: int) -> Iterator[Batch]:
        order = np.arange(len(self.images))
        if self.shuffle:
            order = seeding.generator_for(self.seed, epoch).permutation(order)
        for number in range(first, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            images: AnyArray = self.images[chosen]
            if self.transform is not None:
                images = self.transform(images, self.random_for(epoch, number))
            yield images, self.labels[chosen]
