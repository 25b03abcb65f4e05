"""The handwritten digits that ship with the package."""

import importlib.resources
import pathlib

import numpy as np

from .. import seeding
from ..base.npz import read_npz
from ..base.types import AnyArray
from .split import Split

IMAGES, TEST_IMAGES = 1797, 360


def digits() -> Split:
    """Load 1,797 handwritten digits of 8x8 pixels: 1,437 to train on and 360 to test on.

    They ship with the package (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998; CC BY 4.0; see
    ``data/digits/README.md``).  The file is ordered by writer, so it is shuffled, in one fixed way, and split.

    Examples
    --------
    >>> split = datasets.digits()
    >>> split.train_images.shape, split.train_images.dtype
    ((1437, 8, 8, 1), dtype('float32'))
    """
    with importlib.resources.as_file(importlib.resources.files("mininet") / "data/digits/digits.npz") as path:
        images, labels = _arrays(path)
    images, labels = images[..., None].astype(np.float32) / np.float32(16), labels.astype(np.int64)
    order = seeding.generator_for(0, 0).permutation(len(images))
    images, labels = images[order], labels[order]
    return Split(images[TEST_IMAGES:], labels[TEST_IMAGES:], images[:TEST_IMAGES], labels[:TEST_IMAGES])


def _arrays(path: pathlib.Path) -> tuple[AnyArray, AnyArray]:
    arrays = read_npz(path)
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    byte = np.dtype(np.uint8)
    if found != {"images": ((IMAGES, 8, 8), byte), "labels": ((IMAGES,), byte)}:
        raise ValueError(f"{path} must have {IMAGES} uint8 images of 8x8 and as many uint8 labels, got {found}")
    if arrays["images"].max() > 16 or arrays["labels"].max() > 9:
        raise ValueError(f"{path} must have pixels up to 16 and labels up to 9")
    return arrays["images"], arrays["labels"]
