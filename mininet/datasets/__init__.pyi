import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..typing import PathLike
from . import augmentation as augmentation

__all__ = ["CIFAR10_CLASSES", "Batches", "ImageFolder", "Split", "augmentation", "cifar10", "cifar100", "digits"]

CIFAR10_CLASSES: tuple[str, ...]

_Batch: TypeAlias = tuple[NDArray[Any], NDArray[Any]]

class _Images(Protocol):  # whatever can be indexed by an array of numbers
    def __len__(self) -> int: ...
    def __getitem__(self, index: NDArray[np.intp], /) -> NDArray[Any]: ...

class Split(NamedTuple):
    train_images: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_images: NDArray[Any]
    test_labels: NDArray[np.int64]

class Batches:
    images: _Images | NDArray[Any]
    labels: NDArray[Any]
    batch_size: int
    seed: int
    shuffle: bool
    drop_last: bool
    transform: Callable[[NDArray[Any], np.random.Generator], NDArray[Any]] | None
    prefetch: int
    epoch: int
    def __init__(
        self,
        images: _Images | NDArray[Any] | Sequence[NDArray[Any]] | Sequence[Sequence[float]],
        labels: ArrayLike,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        transform: Callable[[NDArray[Any], np.random.Generator], NDArray[Any]] | None = None,
        prefetch: int = 0,
    ) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_Batch]: ...
    def of_epoch(self, epoch: int, first: int = 0) -> Iterator[_Batch]: ...
    def random_for(self, epoch: int, number: int) -> np.random.Generator: ...

class ImageFolder:
    folder: pathlib.Path
    size: int
    shorter: int
    labels: NDArray[np.int64]
    classes: list[str]
    def __init__(self, folder: PathLike, size: int, shorter: int | None = None) -> None: ...
    def __len__(self) -> int: ...
    def path(self, number: int) -> pathlib.Path: ...
    def __getitem__(
        self, index: int | slice[Any, Any, Any] | NDArray[np.integer[Any]] | Sequence[int], /
    ) -> NDArray[np.uint8]: ...

def cifar10(folder: PathLike | None = None, download: bool = False) -> Split: ...
def cifar100(
    folder: PathLike | None = None, download: bool = False, labels: Literal["fine", "coarse"] = "fine"
) -> Split: ...
def digits() -> Split: ...
