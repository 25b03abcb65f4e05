"""Statistics, normalising, shifting and mirroring, against their definitions."""

import numpy as np
import pytest

from mininet.datasets import augmentation
from mininet.datasets.augmentation import normalized, shifted, statistics


def images(count=7, height=5, width=6, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize(("chunk", "channels"), [(1, 3), (200, 3), (2**22, 1)])
def test_statistics_are_mean_and_deviation(chunk, channels, monkeypatch):
    monkeypatch.setattr(augmentation, "_CHUNK_BYTES", chunk)
    data = images(channels=channels)
    mean, deviation = statistics(data)
    assert mean.dtype == deviation.dtype == np.float32
    assert mean.shape == deviation.shape == (channels,)
    exact = data.astype(np.float64) / 255
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 1, 2)), rtol=1e-7)
    np.testing.assert_allclose(deviation, exact.std(axis=(0, 1, 2)), rtol=1e-7)


def test_statistics_lose_nothing_where_values_hardly_differ():
    data = np.full((3, 32, 32, 3), 255, np.uint8)
    data[1, 4, 5, 1] = 254
    mean, deviation = statistics(data)
    share = 1 / (3 * 32 * 32)
    np.testing.assert_allclose(mean, [1, 1 - share / 255, 1], rtol=1e-7)
    np.testing.assert_allclose(deviation, [0, np.sqrt(share * (1 - share)) / 255, 0], rtol=1e-6)


def test_normalized_is_its_definition():
    data, mean, deviation = images(), np.float32([0.49, 0.48, 0.45]), np.float32([0.2, 0.25, 0.3])
    before = data.copy()
    out = normalized(data, mean, deviation)
    assert out.dtype == np.float32
    expected = (data / 255 - mean.astype(np.float64)) / deviation.astype(np.float64)
    # three roundings, of the scaled value, the shift and the sum, with factors rounded once before
    bound = 2 * np.finfo(np.float32).eps * (data / 255 + mean) / deviation
    assert (np.abs(out - expected) <= bound).all()
    assert np.array_equal(data, before)
    assert np.array_equal(normalized(data[:, :, ::-1], mean, deviation), out[:, :, ::-1])  # not contiguous


@pytest.mark.parametrize(("padding", "shape"), [(0, (6, 5, 3)), (1, (5, 6, 1)), (4, (6, 5, 3))])
def test_every_shifted_image_is_one_of_those_it_can_be(padding, shape):
    height, width, channels = shape
    data = images(60, height, width, channels)
    before = data.copy()
    out, again = (shifted(data, np.random.default_rng(0), padding) for _ in range(2))
    assert (out.dtype, out.shape) == (np.uint8, data.shape)
    assert np.array_equal(out, again)
    assert np.array_equal(data, before)
    offsets, mirrored = set(), 0
    for image, result in zip(data, out, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
        found = [
            (down, right, flip)
            for down, right in np.ndindex(2 * padding + 1, 2 * padding + 1)
            for flip in (False, True)
            if np.array_equal(padded[down : down + height, right : right + width][:, :: -1 if flip else 1], result)
        ]
        assert len(found) == 1
        offsets.add(found[0][:2])
        mirrored += found[0][2]
    assert 15 <= mirrored <= 45  # 30 expected, 3.9 deviations
    assert len({down for down, _ in offsets}) == len({right for _, right in offsets}) == 2 * padding + 1
    assert len(offsets) > 2 * padding  # both ways independently, and every image for itself


def test_without_padding_and_flips_nothing_changes():
    assert np.array_equal(shifted(images(), np.random.default_rng(0), 0, flips=False), images())
    assert shifted(images()[:0], np.random.default_rng(0)).shape == (0, 5, 6, 3)
