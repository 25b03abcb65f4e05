"""The handwritten digits that ship with the package."""

import importlib.resources

import numpy as np

from .. import seeding
from ..base.npz import read_npz
from .split import Split

TEST_IMAGES = 360


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
        arrays = read_npz(path)
    images, labels = arrays["images"][..., None].astype(np.float32) / np.float32(16), arrays["labels"].astype(np.int64)
    order = seeding.generator_for(0, 0).permutation(len(images))
    images, labels = images[order], labels[order]
    return Split(images[TEST_IMAGES:], labels[TEST_IMAGES:], images[:TEST_IMAGES], labels[:TEST_IMAGES])
