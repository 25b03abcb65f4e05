"""The digits that ship, and batches."""

import numpy as np
import pytest

from mininet.datasets import Batches, digits


def test_digits_are_whole_and_balanced():
    data = digits()
    assert data.train_images.shape == (1437, 8, 8, 1)
    assert data.test_images.shape == (360, 8, 8, 1)
    assert data.train_images.dtype == np.float32
    assert data.train_labels.dtype == np.int64
    images = np.concatenate([data.train_images, data.test_images])
    assert images.min() == 0
    assert images.max() == 1
    assert (images * 16 == np.rint(images * 16)).all()
    # how often each digit occurs in the published test set of 1,797
    counts = np.bincount(np.concatenate([data.train_labels, data.test_labels]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(data.test_labels).min() >= 20


def test_digits_split_without_overlap_and_always_alike():
    data, again = digits(), digits()
    assert all(np.array_equal(a, b) for a, b in zip(data, again, strict=True))
    train = {image.tobytes() for image in data.train_images}
    assert not any(image.tobytes() in train for image in data.test_images)


def test_images_have_their_own_labels():
    data = digits()
    train, test = (images.reshape(len(images), -1) for images in (data.train_images, data.test_images))
    distances = (train**2).sum(axis=1) - 2 * test @ train.T  # squared, but for a constant of each test image
    nearest = data.train_labels[distances.argmin(axis=1)]
    assert np.mean(nearest == data.test_labels) > 0.95  # a known property of this set; by chance it would be 0.1


def _pairs(count=10):
    return np.arange(count), np.arange(count) * 10


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_an_epoch_has_each_image_once_with_its_label(drop_last, sizes):
    batches = Batches(*_pairs(), 4, drop_last=drop_last)
    assert len(batches) == len(sizes)
    found = list(batches)
    assert [len(images) for images, _ in found] == sizes
    images = np.concatenate([images for images, _ in found])
    labels = np.concatenate([labels for _, labels in found])
    assert (labels == 10 * images).all()
    assert len(set(images.tolist())) == sum(sizes)


def _order(batches, epoch):
    return np.concatenate([images for images, _ in batches.of_epoch(epoch)]).tolist()


def test_order_is_a_function_of_seed_and_epoch():
    batches = Batches(*_pairs(50), 7, seed=3)
    first, second = (np.concatenate([images for images, _ in batches]).tolist() for _ in range(2))
    assert batches.epoch == 2
    assert first != second
    again = Batches(*_pairs(50), 7, seed=3)
    assert [_order(again, 1), _order(again, 0)] == [second, first]
    assert _order(Batches(*_pairs(50), 7, seed=4), 0) != first
    assert _order(Batches(*_pairs(50), 7, shuffle=False), 5) == list(range(50))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 11, "drop_last": True}, "batch_size"),
        ({"images": np.arange(9), "batch_size": 2}, "images"),
        ({"images": np.arange(0), "labels": np.arange(0), "batch_size": 2}, "images"),
    ],
)
def test_misuse_names_the_argument(arguments, message):
    images, labels = _pairs()
    with pytest.raises(ValueError, match=message):
        Batches(**({"images": images, "labels": labels} | arguments))
