"""Statistics, normalising, shifting and mirroring, against their definitions."""

import tracemalloc

import numpy as np
import pytest

from mininet.datasets import augmentation
from mininet.datasets.augmentation import normalized, shifted, statistics


def images(count=7, height=5, width=6, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("chunk", [1, 200, 2**22])
@pytest.mark.parametrize("channels", [1, 3])
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


def test_statistics_of_a_sequence_and_of_a_view():
    class Sequence:
        def __len__(self):
            return 7

        def __getitem__(self, index):
            return images()[index]

    for data in (Sequence(), images()[::-1], np.repeat(images(), 2, axis=2)[:, :, ::2]):
        assert np.array_equal(statistics(data), statistics(images()))


def test_statistics_need_little_memory():
    data = np.zeros((3000, 32, 32, 3), np.uint8)
    data[0] = 1
    tracemalloc.start()
    try:
        statistics(data)
        assert tracemalloc.get_traced_memory()[1] < 3 * augmentation._CHUNK_BYTES
    finally:
        tracemalloc.stop()


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
    assert normalized(data[:0], mean, deviation).shape == (0, 5, 6, 3)


def test_normalized_images_have_mean_0_and_deviation_1():
    out = normalized(images(200), *statistics(images(200))).astype(np.float64)
    np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(out.std(axis=(0, 1, 2)), 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 5, 3), (5, 6, 1)])
@pytest.mark.parametrize("padding", [0, 1, 4])
def test_every_shifted_image_is_one_of_those_it_can_be(padding, shape):
    height, width, channels = shape
    data = images(60, height, width, channels)
    before = data.copy()
    out = shifted(data, np.random.default_rng(0), padding)
    assert out.dtype == np.uint8
    assert out.shape == data.shape
    assert out.flags.c_contiguous
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


def test_shifted_is_a_function_of_the_generator():
    data = images(20)
    first, again, other = (shifted(data, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_padding_and_flips_nothing_changes():
    assert np.array_equal(shifted(images(), np.random.default_rng(0), 0, flips=False), images())
    assert shifted(images()[:0], np.random.default_rng(0)).shape == (0, 5, 6, 3)


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (statistics, (images()[:0],), ValueError, "images"),
        (statistics, (images().astype(np.float32),), TypeError, "images.*float32"),
        (statistics, (images()[0],), ValueError, "images"),
        (normalized, (images() / 1, [0] * 3, [1] * 3), TypeError, "images"),
        (normalized, (images(), [0] * 2, [1] * 3), ValueError, "mean"),
        (normalized, (images(), [0] * 3, 1), ValueError, "deviation"),
        (normalized, (images(), [0] * 3, [1, 0, 1]), ValueError, "deviation"),
        (shifted, (images(), np.random.default_rng(0), -1), ValueError, "padding"),
        (shifted, (images()[0], np.random.default_rng(0)), ValueError, "images"),
    ],
)
def test_misuse_names_the_argument(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)
