"""Damaged CIFAR files."""

import os

import numpy as np
import pytest
from hostile_support import disguised, face, limits, listing, mutants

from mininet.datasets import cifar, cifar10, cifar100

RECORDS = 2
RELEASES = {
    "cifar-10-batches-bin": (cifar10, (10,), [f"data_batch_{n}.bin" for n in range(1, 6)], ["test_batch.bin"]),
    "cifar-100-binary": (cifar100, (20, 100), ["train.bin"], ["test.bin"]),
}


@pytest.fixture(params=RELEASES)
def release(request, tmp_path, monkeypatch):
    """(reader, classes, path of the first file and of the folder) of a small release."""
    monkeypatch.setattr(cifar, "RECORDS", RECORDS)
    read, classes, train, test = RELEASES[request.param]
    folder = tmp_path / request.param
    folder.mkdir()
    for name in train + test:
        random = np.random.default_rng(len(name))
        count = 5 * RECORDS if name == "train.bin" else RECORDS
        (folder / name).write_bytes(
            b"".join(bytes(random.integers(each) for each in classes) + random.bytes(3072) for _ in range(count))
        )
    return lambda: read(tmp_path), classes, folder / train[0], folder


def test_damaged_files(release):
    read, classes, path, _ = release
    whole, heads = path.read_bytes(), len(classes)
    size = heads + 3072

    def is_allowed(content):
        """What the description of the format allows: so many records, whose labels are below the numbers of classes."""
        starts = range(0, len(content), size)
        return len(content) == len(whole) and all(content[s + i] < classes[i] for s in starts for i in range(heads))

    def right(found, content):
        count = len(content) // size
        labels = [content[number * size + heads - 1] for number in range(count)]
        # pixel (y, x) of colour c is byte 1024 c + 32 y + x after the labels
        places = np.arange(32)[:, None, None] * 32 + np.arange(32)[:, None] + np.arange(3) * 1024
        images = np.stack([np.frombuffer(content, np.uint8)[n * size + heads :][places] for n in range(count)])
        return (
            is_allowed(content)
            and found.train_labels[:count].tolist() == labels
            and np.array_equal(found.train_images[:count], images)
        )

    refused = [0]

    def counted(cases):
        for what, content in cases:
            refused[0] += not is_allowed(content)
            yield what, content

    cases = [*mutants(whole, 8), *disguised(path.parent.parent / "was_run")]
    read_well, tried = face(path, counted(cases), read, right, (ValueError,))
    assert read_well == tried - refused[0] > 100  # refused are those that the format does not allow, and no others
    assert not (path.parent.parent / "was_run").exists()


def test_places_that_are_no_files(release, no_file):
    read, _, path, folder = release
    path.unlink()
    if os.path.lexists(no_file):
        no_file.rename(path)
    before = listing(folder)
    with limits(), pytest.raises((OSError, ValueError), match=path.name):
        read()
    assert listing(folder) == before


@pytest.mark.parametrize("what", ["a file", "an endless device", "a link to itself"])
def test_a_folder_that_is_none(release, what, tmp_path):
    read, _, path, folder = release
    folder.rename(tmp_path / "aside")
    if what == "a file":
        folder.write_bytes(b"")
    else:
        folder.symlink_to("/dev/zero" if what == "an endless device" else folder)
    with limits(), pytest.raises(OSError, match=path.name):
        read()
