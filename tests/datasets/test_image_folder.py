"""Folders of images made with Pillow."""

import numpy as np
import pytest
from PIL import Image

from mininet.datasets import Batches, ImageFolder, augmentation


def save(path, pixels, **keywords):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **keywords)


def pixels(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3))


@pytest.fixture
def folder(tmp_path):
    """Two classes; colour tells the images apart."""
    for name, values in (("b", [10, 20]), ("a", [30, 40, 50])):
        for value in values:
            save(tmp_path / name / f"{value}.png", np.full((9, 12, 3), value))
    (tmp_path / "notes.txt").write_text("not a class")
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    (tmp_path / "a" / ".hidden.png").write_text("not an image either")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_classes_labels_and_images(folder):
    data = ImageFolder(folder, 4)
    assert data.classes == ["a", "b"]
    assert data.labels.tolist() == [0, 0, 0, 1, 1]
    assert data.labels.dtype == np.int64
    assert len(data) == 5
    assert data.path(3) == folder / "b" / "10.png"
    found = data[np.array([4, 0, 4])]
    assert (found.shape, found.dtype) == ((3, 4, 4, 3), np.uint8)
    assert found[:, 0, 0, 0].tolist() == [20, 30, 20]
    assert data[:2].shape == (2, 4, 4, 3)
    assert data[-1].shape == (4, 4, 3)
    assert data[np.array([], int)].shape == (0, 4, 4, 3)
    with pytest.raises(IndexError):
        data[np.array([5])]


def test_batches_and_statistics_of_a_folder(folder):
    data = ImageFolder(folder, 4)
    values = np.array([30, 40, 50, 10, 20])
    found = [
        (image[0, 0, 0], label)
        for images, labels in Batches(data, data.labels, 2, prefetch=1)
        for image, label in zip(images, labels, strict=True)
    ]
    assert sorted(found) == [(10, 1), (20, 1), (30, 0), (40, 0), (50, 0)]
    mean, deviation = augmentation.statistics(data)
    np.testing.assert_allclose(mean, [30 / 255] * 3, rtol=1e-6)
    np.testing.assert_allclose(deviation, [values.std() / 255] * 3, rtol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(4, 8), (8, 4), (4, 9)])
def test_the_middle_is_cut_out(tmp_path, height, width):
    data = pixels(height, width)
    save(tmp_path / "a" / "image.png", data)
    top, left = (height - 4) // 2, (width - 4) // 2
    found = ImageFolder(tmp_path, 4)[0]
    if (width - 4) % 2 == 0:
        assert np.array_equal(found, data[top : top + 4, left : left + 4])
    else:  # the middle lies between pixels
        cut = data[:, left : left + 5].astype(int)
        assert np.abs(found - (cut[:, :-1] + cut[:, 1:]) / 2).max() <= 1


def test_the_shorter_side_is_resized(tmp_path):
    # 8 rows to 4, 12 columns to 6, of which the middle 2 x 2 are kept
    data = np.repeat(np.repeat(pixels(4, 6), 2, axis=0), 2, axis=1)
    save(tmp_path / "a" / "image.png", data)
    found = ImageFolder(tmp_path, 2, shorter=4)[0]
    resized = np.asarray(Image.fromarray(data.astype(np.uint8)).resize((6, 4), Image.Resampling.BILINEAR))
    assert np.abs(found.astype(int) - resized[1:3, 2:4]).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_every_kind_of_image_becomes_rgb(tmp_path, mode):
    path = tmp_path / "a" / ("image.jpg" if mode == "CMYK" else "IMAGE.PNG")
    path.parent.mkdir()
    Image.new("RGB", (6, 6), (255, 255, 255)).convert(mode).save(path)
    assert np.array_equal(ImageFolder(tmp_path, 3)[:], np.full((1, 3, 3, 3), 255))


def test_a_long_and_narrow_image_needs_little_memory(tmp_path):
    save(tmp_path / "a" / "image.png", np.full((1, 100_000, 3), 7))
    assert (ImageFolder(tmp_path, 100)[0] == 7).all()  # resized as a whole it would have 3 GB


# 108 pixels: more than the limit, of which Pillow only warns, and more than twice as many
@pytest.mark.parametrize("limit", [100, 50])
def test_more_pixels_than_the_limit_are_an_error(folder, limit, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ValueError, match=r"30\.png.*limit"):
        ImageFolder(folder, 4)[0]


def test_misuse_says_what_is_wrong(folder):
    with pytest.raises(ValueError, match="one folder per class"):
        ImageFolder(folder / "a", 4)
    (folder / "c").mkdir()
    with pytest.raises(ValueError, match=r"got none in .*c"):
        ImageFolder(folder, 4)
