"""The readers, on small files in the official format."""

import hashlib
import io
import pathlib
import tarfile

import numpy as np
import pytest

from mininet import datasets
from mininet.datasets import cifar, cifar10, cifar100
from mininet.datasets.cifar import data_folder

RECORDS = 12
CLASSES = {"cifar-10-batches-bin": (10,), "cifar-100-binary": (20, 100)}
SIZES = {
    "cifar-10-batches-bin": {f"data_batch_{n}.bin": RECORDS for n in range(1, 6)} | {"test_batch.bin": RECORDS},
    "cifar-100-binary": {"train.bin": 5 * RECORDS, "test.bin": RECORDS},
}
READERS = {"cifar-10-batches-bin": cifar10, "cifar-100-binary": cifar100}


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    monkeypatch.setattr(cifar, "RECORDS", RECORDS)
    monkeypatch.setattr(cifar, "_AT_ONCE", 5)
    monkeypatch.delenv("MININET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(folder, name):
    """A release; returns its records (labels, images) by file, made pixel by pixel as its description says."""
    random = np.random.default_rng(len(name))
    (folder / name).mkdir(parents=True)
    records = {}
    for file, count in SIZES[name].items():
        labels = [[random.integers(classes) for classes in CLASSES[name]] for _ in range(count)]
        images = random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        data = bytearray()
        for label, image in zip(labels, images, strict=True):
            data += bytes(label)
            for channel in range(3):  # red, green, blue; each row by row
                for row in range(32):
                    data += bytes(image[row, :, channel])
        (folder / name / file).write_bytes(data)
        records[file] = np.array(labels), images
    return records


def test_cifar10_is_read(tmp_path):
    records = write(tmp_path, "cifar-10-batches-bin")
    data = cifar10(tmp_path)
    assert isinstance(data, datasets.Split)
    train = [records[f"data_batch_{number}.bin"] for number in range(1, 6)]
    assert np.array_equal(data.train_images, np.concatenate([images for _, images in train]))
    assert np.array_equal(data.train_labels, np.concatenate([labels[:, 0] for labels, _ in train]))
    assert np.array_equal(data.test_images, records["test_batch.bin"][1])
    assert np.array_equal(data.test_labels, records["test_batch.bin"][0][:, 0])
    assert data.train_images.dtype == data.test_images.dtype == np.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64


@pytest.mark.parametrize(("labels", "place"), [("coarse", 0), ("fine", 1)])
def test_cifar100_is_read(tmp_path, labels, place):
    records = write(tmp_path, "cifar-100-binary")
    data = cifar100(tmp_path, labels=labels)
    for ours, part in ((data[:2], "train.bin"), (data[2:], "test.bin")):
        assert np.array_equal(ours[0], records[part][1])
        assert np.array_equal(ours[1], records[part][0][:, place])
    assert np.array_equal(cifar100(tmp_path).test_labels, records["test.bin"][0][:, 1])


def test_official_sizes_and_classes(monkeypatch):
    monkeypatch.undo()
    assert cifar.RECORDS == 10_000
    assert [sum(release.train.values()) for release in (cifar._CIFAR10, cifar._CIFAR100)] == [5, 5]
    assert len(datasets.CIFAR10_CLASSES) == 10
    assert (datasets.CIFAR10_CLASSES[0], datasets.CIFAR10_CLASSES[-1]) == ("airplane", "truck")


def test_where_data_are_looked_for(tmp_path, monkeypatch):
    write(tmp_path, "cifar-10-batches-bin")
    for folder in (tmp_path, str(tmp_path), tmp_path / "cifar-10-batches-bin"):
        assert len(cifar10(folder).test_labels) == RECORDS
    with pytest.raises(FileNotFoundError):
        cifar10()
    monkeypatch.setenv("MININET_DATA", str(tmp_path))
    assert len(cifar10().test_labels) == RECORDS
    with pytest.raises(FileNotFoundError):
        cifar10(tmp_path / "elsewhere")  # the argument comes first
    (tmp_path / "cifar-10-batches-bin").rename(tmp_path / "renamed")
    assert len(cifar10(tmp_path / "renamed").test_labels) == RECORDS


def test_data_folder(monkeypatch, tmp_path):
    assert data_folder() == tmp_path / "cache" / "mininet"
    home = pathlib.Path("~").expanduser()
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert data_folder() == home / ".cache" / "mininet"
    monkeypatch.setenv("MININET_DATA", "~/data")
    assert data_folder() == home / "data"
    assert data_folder("here") == pathlib.Path("here")


@pytest.mark.parametrize("name", READERS)
def test_missing_files_and_wrong_sizes_are_named(tmp_path, name):
    with pytest.raises(FileNotFoundError) as caught:
        READERS[name](tmp_path)
    for word in ("nothing of it", str(tmp_path / name), "download=True", "--download", "MININET_DATA"):
        assert word in str(caught.value)
    write(tmp_path, name)
    path = tmp_path / name / list(SIZES[name])[-1]
    data = path.read_bytes()
    for content in (data[:-1], data + b"0"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=path.name):
            READERS[name](tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=path.name) as caught:
        READERS[name](tmp_path)
    assert next(iter(SIZES[name])) not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("cifar-10-batches-bin", 0, 10), ("cifar-100-binary", 0, 20), ("cifar-100-binary", 1, 100)],
)
def test_wrong_labels_are_named(tmp_path, name, place, value):
    write(tmp_path, name)
    path = tmp_path / name / next(iter(SIZES[name]))
    data = bytearray(path.read_bytes())
    record = len(CLASSES[name]) + 3072
    data[7 * record + place] = value
    path.write_bytes(data)
    for keywords in [{}] if name == "cifar-10-batches-bin" else [{"labels": "fine"}, {"labels": "coarse"}]:
        with pytest.raises(ValueError, match=rf"{path.name}.*record 7"):
            READERS[name](tmp_path, **keywords)


@pytest.fixture
def offered(tmp_path, server, monkeypatch):
    """The server has CIFAR-10, and its address and hash are those of the release."""
    write(tmp_path / "source", "cifar-10-batches-bin")
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        tar.add(tmp_path / "source" / "cifar-10-batches-bin", "cifar-10-batches-bin")
    server.files["/cifar-10-binary.tar.gz"] = file.getvalue()
    release = cifar._CIFAR10._replace(
        url=server.url("/cifar-10-binary.tar.gz"), sha256=hashlib.sha256(file.getvalue()).hexdigest()
    )
    monkeypatch.setattr(cifar, "_CIFAR10", release)
    return server


def test_download_into_a_folder_or_the_cache(tmp_path, offered):
    pytest.importorskip("pooch")
    expected = cifar10(tmp_path / "source")
    found = cifar10(tmp_path / "new", download=True)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["cifar-10-batches-bin"]
    for _ in range(2):
        cifar10(download=True)
    assert (tmp_path / "cache" / "mininet" / "cifar-10-batches-bin").exists()
    cifar10()  # where it was downloaded to it is found
    assert offered.requests == 2


def test_an_incomplete_folder_is_not_overwritten(tmp_path, offered):
    folder = tmp_path / "source" / "cifar-10-batches-bin"
    (folder / "test_batch.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"test_batch\.bin.*in the way"):
        cifar10(tmp_path / "source", download=True)
    assert len(list(folder.iterdir())) == 5
    assert offered.requests == 0
