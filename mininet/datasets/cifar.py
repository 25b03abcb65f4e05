"""CIFAR-10 and CIFAR-100: 60,000 colour photographs of 32x32 pixels, in 10 or 100 classes."""

import os
import pathlib
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..base.checks import flag, one_of
from ..base.checks import path as path_of
from ..base.types import PathLike
from .split import Split

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

RECORDS = 10_000  # in each file; CIFAR-100's train.bin has five times as many
_SIDE = 32
_PIXELS = _SIDE * _SIDE
_AT_ONCE = 1000


class _Release(NamedTuple):
    """An official binary release: records of one byte per kind of label, then the red, green and blue pixels."""

    title: str
    folder: str
    url: str
    sha256: str  # as tensorflow_datasets/url_checksums has it
    classes: dict[str, int]  # number of classes by kind of label, in the order of the bytes
    train: dict[str, int]  # files, and how many times `RECORDS` each holds
    test: dict[str, int]


_CIFAR10 = _Release(
    "CIFAR-10",
    "cifar-10-batches-bin",
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    {"label": 10},
    {f"data_batch_{number}.bin": 1 for number in range(1, 6)},
    {"test_batch.bin": 1},
)
_CIFAR100 = _Release(
    "CIFAR-100",
    "cifar-100-binary",
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    {"coarse": 20, "fine": 100},
    {"train.bin": 5},
    {"test.bin": 1},
)


def cifar10(folder: PathLike | None = None, download: bool = False) -> Split:
    """Read CIFAR-10: 50,000 photographs to train on and 10,000 to test on, of the classes `CIFAR10_CLASSES`.

    A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009; the binary release of
    <https://www.cs.toronto.edu/~kriz/cifar.html>.

    Parameters
    ----------
    folder : path, optional
        The release ``cifar-10-batches-bin``, or the folder it is in.  The default is the environment variable
        MININET_DATA, or else the user's cache folder, ``~/.cache/mininet``.
    download : bool
        Whether to download the release (162 MiB) to there if it is missing.

    Returns
    -------
    Split
        uint8 images (n, 32, 32, 3), int64 labels from 0 to 9.

    Raises
    ------
    FileNotFoundError
        If files are missing: which, where they were looked for, and how to get them.
    ValueError
        If a file has a wrong size or label, or a downloaded archive has a wrong hash.

    Examples
    --------
    >>> split = datasets.cifar10(download=True)  # doctest: +SKIP
    >>> datasets.CIFAR10_CLASSES[3]
    'cat'
    """
    return _read(_CIFAR10, folder, download, "label")


def cifar100(
    folder: PathLike | None = None, download: bool = False, labels: Literal["fine", "coarse"] = "fine"
) -> Split:
    """Read CIFAR-100: 50,000 photographs to train on and 10,000 to test on, in 100 classes.

    Parameters
    ----------
    folder, download
        As for `cifar10`; the release is ``cifar-100-binary`` (161 MiB to download).
    labels : {"fine", "coarse"}
        The 100 classes, or the 20 groups of five of them.

    Returns
    -------
    Split
        uint8 images (n, 32, 32, 3), int64 labels from 0 to 99 or 19.

    Raises
    ------
    FileNotFoundError, ValueError
        As for `cifar10`; ValueError also for other `labels`.

    Examples
    --------
    >>> split = datasets.cifar100(labels="coarse")  # doctest: +SKIP
    """
    return _read(_CIFAR100, folder, download, one_of("labels", labels, ("fine", "coarse")))


def data_folder(folder: PathLike | None = None) -> pathlib.Path:
    """Find where datasets are: `folder`, or else the variable MININET_DATA, or else the user's cache folder."""
    if folder is None:
        # an empty variable counts as none; so does a relative XDG_CACHE_HOME, by the XDG specification
        folder = os.environ.get("MININET_DATA")
    if folder:
        return path_of("folder", folder)
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else path_of("cache", "~/.cache")) / "mininet"


def _read(release: _Release, folder: PathLike | None, download: bool, labels: str) -> Split:
    path = _locate(release, data_folder(folder), flag("download", download))
    train_images, train_labels = _read_files(release, path, release.train, labels)
    return Split(train_images, train_labels, *_read_files(release, path, release.test, labels))


def _locate(release: _Release, folder: pathlib.Path, download: bool) -> pathlib.Path:
    """Find the folder with all files of a release."""
    inside = folder if folder.name == release.folder else folder / release.folder
    candidates = list(dict.fromkeys([inside, folder]))
    names = [*release.train, *release.test]
    missing = {path: [name for name in names if not (path / name).is_file()] for path in candidates}
    whole = [path for path in candidates if not missing[path]]
    if whole:
        return whole[0]
    best = min(candidates, key=lambda path: len(missing[path]))
    lacking = "nothing of it" if missing[best] == names else f"{', '.join(missing[best])} not"
    what = f"{release.title} is not there: {lacking} found in {' or '.join(map(str, candidates))}"
    if not download:
        raise FileNotFoundError(
            f"{what}; get it from {release.url} with download=True (--download), or say with folder (--data, "
            f"MININET_DATA) where {release.folder} is"
        )
    if inside.is_dir() and any(inside.iterdir()):
        raise FileNotFoundError(f"{what}; {inside} is in the way of downloading it anew: remove or complete it")
    from .download import install  # imported here for `import mininet` to be quick

    install(release.url, release.sha256, inside.parent, release.folder)
    return _locate(release, inside, False)


def _read_files(
    release: _Release, path: pathlib.Path, files: dict[str, int], kind: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read images and labels of one kind from several files, one after the other."""
    count = sum(files.values()) * RECORDS
    images, labels = np.empty((count, _SIDE, _SIDE, 3), np.uint8), np.empty(count, np.int64)
    start = 0
    for name, times in files.items():
        stop = start + times * RECORDS
        _read_file(release, path / name, images[start:stop], labels[start:stop], kind)
        start = stop
    return images, labels


def _read_file(
    release: _Release, path: pathlib.Path, images: NDArray[np.uint8], labels: NDArray[np.int64], kind: str
) -> None:
    """Read the images of one file into `images`, and its labels of one kind into `labels`."""
    heads = len(release.classes)
    record = heads + 3 * _PIXELS
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != len(images) * record:
            raise ValueError(
                f"{path} must have {len(images)} records of {record} bytes, {len(images) * record} bytes in all, got "
                f"{size} bytes"
            )
        # a few records at a time, so that reading needs little more memory than what is returned
        for start in range(0, len(images), _AT_ONCE):
            part = slice(start, min(start + _AT_ONCE, len(images)))
            wanted = (part.stop - part.start) * record
            data = file.read(wanted)
            if len(data) != wanted:
                raise ValueError(f"{path} ended after {start * record + len(data)} bytes, expected {size}")
            records = np.frombuffer(data, np.uint8).reshape(-1, record)
            for place, (name, classes) in enumerate(release.classes.items()):
                column = records[:, place]
                if column.max() >= classes:
                    raise ValueError(
                        f"{path} has the {name} {column.max()} in record {start + int(column.argmax())}, must be below "
                        f"{classes}"
                    )
                if name == kind:
                    labels[part] = column
            images[part] = records[:, heads:].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
