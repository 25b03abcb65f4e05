"""Bytes to normalised floats, and images shifted and mirrored at random."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base.checks import array, flag, instance, integer, shown

_CHUNK_BYTES = 2**22


def statistics(images: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute the mean and standard deviation of each channel, of values scaled from bytes to 0..1.

    `images` is a uint8 array (n, height, width, channels), or a sequence such as `ImageFolder` that gives such arrays.
    The sums are exact, as they are integers, and they are taken in chunks, without large temporary arrays.

    Returns
    -------
    mean, deviation : ndarray (channels,), float32

    Raises
    ------
    TypeError, ValueError
        If the images are not bytes, do not have four axes, or there are none.

    Examples
    --------
    >>> mean, deviation = statistics(np.array([[[[0]], [[255]]]], np.uint8))
    >>> mean, deviation
    (array([0.5], dtype=float32), array([0.5], dtype=float32))
    """
    if isinstance(images, (list, tuple, str)) or not (hasattr(images, "__len__") and hasattr(images, "__getitem__")):
        raise TypeError(f"images must be an array of uint8, or a sequence that gives such arrays, got {shown(images)}")
    if isinstance(images, np.ndarray):
        _check_bytes(images)
    if len(images) == 0:
        raise ValueError("images must be at least one, got none")
    size, start, count = 1, 0, 0
    total: Any = 0
    squares: Any = 0
    while start < len(images):
        stop = min(start + size, len(images))
        chunk = images[start:stop] if isinstance(images, np.ndarray) else images[np.arange(start, stop)]
        _check_bytes(chunk)
        channels = chunk.shape[3]
        flat = chunk.reshape(len(chunk), -1)
        total = total + flat.sum(axis=0, dtype=np.int64).reshape(-1, channels).sum(axis=0)
        sums = np.square(flat, dtype=np.uint16).sum(axis=0, dtype=np.int64)  # 255 ** 2 still fits into 16 bits
        squares = squares + sums.reshape(-1, channels).sum(axis=0)
        count += flat.size // channels
        start, size = stop, max(1, _CHUNK_BYTES // flat[0].size)
    mean = total / count
    # n * sum of squares - square of the sum, in Python's unlimited integers: nothing cancels
    spread = [count * int(s) - int(t) ** 2 for s, t in zip(squares, total, strict=True)]
    deviation = np.sqrt([value / count**2 for value in spread])
    return (mean / 255).astype(np.float32), (deviation / 255).astype(np.float32)


def normalized(images: NDArray[np.uint8], mean: ArrayLike, deviation: ArrayLike) -> NDArray[np.float32]:
    """Convert bytes to float32 numbers: (images / 255 - mean) / deviation.

    `mean` and `deviation` have one value per channel, as `statistics` gives them; deviations must be above 0.

    Raises
    ------
    TypeError, ValueError
        If `images` is not a uint8 array (n, height, width, channels), or the other arguments do not fit.

    Examples
    --------
    >>> normalized(np.full((1, 1, 1, 1), 255, np.uint8), [0.5], [0.5]).item()
    1.0
    """
    _check_bytes(images)
    mean, deviation = array("mean", mean), array("deviation", deviation)
    width, channels = images.shape[2:]
    for name, values in (("mean", mean), ("deviation", deviation)):
        if values.shape != (channels,):
            raise ValueError(f"{name} must have the shape ({channels},), one value a channel, got {values.shape}")
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise ValueError(f"{name} must hold finite numbers, got {values.tolist()}")
    mean, deviation = mean.astype(np.float64), deviation.astype(np.float64)
    if not (deviation > 0).all():
        raise ValueError(f"deviation must be above 0 in every channel, got {deviation.tolist()}")
    # factors for a whole row of pixels: NumPy is slow at broadcasting over an axis as short as the channels
    scale = np.tile((1 / (255 * deviation)).astype(np.float32), width)
    shift = np.tile((-mean / deviation).astype(np.float32), width)
    out = np.empty(images.shape, np.float32)
    rows = out.reshape(-1, width * channels)
    np.multiply(images.reshape(rows.shape), scale, out=rows)
    rows += shift
    return out


def shifted(
    images: NDArray[np.uint8], random: np.random.Generator, padding: int = 4, flips: bool = True
) -> NDArray[np.uint8]:
    """Shift images at random, and mirror them left to right with probability 1/2 if `flips`.

    Every image is cut out of itself, with `padding` zeros around it, at its own offset.  `random` first draws the
    offsets of all images, then which ones are mirrored.

    Raises
    ------
    TypeError, ValueError
        If `images` is not a uint8 array (n, height, width, channels), or `padding` is negative.

    Examples
    --------
    >>> shifted(np.zeros((8, 32, 32, 3), np.uint8), np.random.default_rng(0)).shape
    (8, 32, 32, 3)
    """
    _check_bytes(images)
    instance("random", random, np.random.Generator)
    padding = integer("padding", padding, 0)
    count, height, width, channels = images.shape
    padded = np.zeros((count, height + 2 * padding, width + 2 * padding, channels), np.uint8)
    padded[:, padding : padding + height, padding : padding + width] = images
    down, right = random.integers(0, 2 * padding + 1, size=(2, count))
    # a window per image, of rows in which channels are side by side, so that whole rows are copied at once
    rows = padded.reshape(count, height + 2 * padding, (width + 2 * padding) * channels)
    windows = np.lib.stride_tricks.sliding_window_view(rows, (height, width * channels), axis=(1, 2))
    out: NDArray[np.uint8] = windows[np.arange(count), down, right * channels].reshape(images.shape)
    if flag("flips", flips):
        mirrored = random.random(count) < 0.5
        out[mirrored] = out[mirrored, :, ::-1]
    return out


def _check_bytes(images: Any) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise TypeError(f"images must be an array of uint8, got {getattr(images, 'dtype', type(images).__name__)}")
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(f"images must have the shape (n, height, width, channels), got {images.shape}")
