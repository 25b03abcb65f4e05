"""The digits that ship."""

import numpy as np

from mininet.datasets import digits


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
