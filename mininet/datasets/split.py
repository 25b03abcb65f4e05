"""Images to train on and images to test on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..base.types import AnyArray


class Split(NamedTuple):
    """Images for training and for testing.

    Images are arrays (n, height, width, channels), float32 from 0 to 1 or uint8 from 0 to 255.  Labels are int64 (n,).

    Examples
    --------
    >>> train_images, train_labels, test_images, test_labels = datasets.digits()
    >>> len(train_images), len(test_images)
    (1437, 360)
    """

    train_images: AnyArray
    train_labels: NDArray[np.int64]
    test_images: AnyArray
    test_labels: NDArray[np.int64]
