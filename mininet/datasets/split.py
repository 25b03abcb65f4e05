"""Images to train on and images to test on."""

from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Images for training and for testing.

    Images are arrays (n, height, width, channels), float32 from 0 to 1 or uint8 from 0 to 255; labels are int64
    arrays (n,).
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
