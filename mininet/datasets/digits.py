"""The handwritten digits that ship with the package."""

import importlib.resources

import numpy as np

from .. import seeding
from .split import Split

TEST_IMAGES = 360


def digits():
    """1,797 handwritten digits of 8x8 pixels, values from 0 to 1: 1,437 to train on and 360 to test on.

    They ship with the package (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998; CC BY 4.0; see
    ``data/digits/README.md``).  The file is ordered by writer, so it is shuffled, always in the same way, and split.

    Returns
    -------
    Split
        float32 images (n, 8, 8, 1).
    """
    with (
        (importlib.resources.files("mininet") / "data/digits/digits.npz").open("rb") as file,
        np.load(file) as arrays,
    ):
        images = arrays["images"][..., None].astype(np.float32) / np.float32(16)
        labels = arrays["labels"].astype(np.int64)
    order = seeding.generator_for(0, 0).permutation(len(images))
    images, labels = images[order], labels[order]
    return Split(images[TEST_IMAGES:], labels[TEST_IMAGES:], images[:TEST_IMAGES], labels[:TEST_IMAGES])
