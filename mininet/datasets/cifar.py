"""CIFAR-10 and CIFAR-100: 60,000 colour photographs of 32x32 pixels, in 10 or 100 classes."""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from ..checks import flag, one_of
from ..checks import path as path_of
from .split import Split

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

RECORDS = 10_000  # in each file, and five times as many in CIFAR-100's train.bin
_SIDE = 32
_PIXELS = _SIDE * _SIDE
_AT_ONCE = 1000


class _File(NamedTuple):
    name: str
    times: int  # how many times RECORDS are in it


class _Release(NamedTuple):
    """One official binary release: records of one byte per kind of label, then the red, green and blue pixels."""

    title: str
    folder: str
    url: str
    sha256: str  # as tensorflow_datasets/url_checksums has it
    classes: dict  # number of classes by kind of label, in the order of the bytes
    train: tuple
    test: tuple


_CIFAR10 = _Release(
    "CIFAR-10",
    "cifar-10-batches-bin",
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    {"label": 10},
    tuple(_File(f"data_batch_{number}.bin", 1) for number in range(1, 6)),
    (_File("test_batch.bin", 1),),
)
_CIFAR100 = _Release(
    "CIFAR-100",
    "cifar-100-binary",
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    {"coarse": 20, "fine": 100},
    (_File("train.bin", 5),),
    (_File("test.bin", 1),),
)


def cifar10(folder=None, download=False):
    """CIFAR-10: 50,000 photographs to train on and 10,000 to test on, of the classes `CIFAR10_CLASSES`.

    A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009; the binary release of
    <https://www.cs.toronto.edu/~kriz/cifar.html>.

    Parameters
    ----------
    folder : path, optional
        Where the release is: ``cifar-10-batches-bin`` or the folder it is in.  Without it, the environment variable
        MININET_DATA says where; without that it is the user's cache folder, ``~/.cache/mininet``.
    download : bool
        Whether to download the release (162 MiB) to there if it is missing.

    Returns
    -------
    Split
        uint8 images (n, 32, 32, 3), int64 labels from 0 to 9.

    Raises
    ------
    FileNotFoundError
        If files are missing; says which, where they were looked for, and how to get them.
    ValueError
        If a file is not what it should be: its size, a label, or a downloaded archive's hash.
    """
    return _read(_CIFAR10, folder, download, "label")


def cifar100(folder=None, download=False, labels="fine"):
    """CIFAR-100: 50,000 photographs to train on and 10,000 to test on, in 100 classes.

    Parameters
    ----------
    folder, download
        As for `cifar10`; the release's folder is ``cifar-100-binary`` (161 MiB to download).
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
    """
    return _read(_CIFAR100, folder, download, one_of("labels", labels, ("fine", "coarse")))


def data_folder(folder=None):
    """Where datasets are: `folder`, or else the variable MININET_DATA, or else the user's cache folder."""
    if folder is None:
        # an empty variable counts as none; so does a relative XDG_CACHE_HOME, by the XDG specification
        folder = os.environ.get("MININET_DATA")
    if folder:
        return path_of("folder", folder).expanduser()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return (cache if cache.is_absolute() else pathlib.Path("~/.cache").expanduser()) / "mininet"


def _read(release, folder, download, labels):
    path = _locate(release, data_folder(folder), flag("download", download))
    train_images, train_labels = _read_files(release, path, release.train, labels)
    return Split(train_images, train_labels, *_read_files(release, path, release.test, labels))


def _locate(release, folder, download):
    """The folder in which all files of a release are."""
    inside = folder if folder.name == release.folder else folder / release.folder
    candidates = list(dict.fromkeys([inside, folder]))
    missing = {path: _missing(release, path) for path in candidates}
    whole = [path for path in candidates if not missing[path]]
    if whole:
        return whole[0]
    best = min(candidates, key=lambda path: len(missing[path]))
    what = f"{release.title} is not there: {', '.join(missing[best])} not found in " + " or ".join(map(str, candidates))
    if not download:
        raise FileNotFoundError(
            f"{what}; pass download=True to get it from {release.url}, or set MININET_DATA (or pass folder) to where "
            f"{release.folder} is"
        )
    if inside.is_dir() and any(inside.iterdir()):
        raise FileNotFoundError(f"{what}; {inside} is in the way of downloading it anew: remove or complete it")
    from .download import install  # imported here for `import mininet` to be quick

    install(release.url, release.sha256, inside.parent, release.folder)
    return _locate(release, inside, False)


def _missing(release, path):
    return [file.name for file in release.train + release.test if not (path / file.name).is_file()]


def _read_files(release, path, files, labels):
    """(images, labels) of several files, one after the other."""
    count = sum(file.times for file in files) * RECORDS
    images = np.empty((count, _SIDE, _SIDE, 3), np.uint8)
    chosen = np.empty(count, np.int64)
    start = 0
    for file in files:
        stop = start + file.times * RECORDS
        _read_file(release, path / file.name, images[start:stop], chosen[start:stop], labels)
        start = stop
    return images, chosen


def _read_file(release, path, images, labels, kind):
    """Read the records of one file into `images` and the labels of one kind into `labels`."""
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
