"""Bytes to normalised floats, and images shifted and mirrored at random."""

import numpy as np

from ..checks import array, flag, instance, integer, shown

_CHUNK_BYTES = 2**22


def statistics(images):
    """Mean and standard deviation of each channel, of values scaled from bytes to 0..1.

    The sums are integers and therefore exact; they are taken chunk by chunk, without large temporary arrays.

    Parameters
    ----------
    images : ndarray (n, height, width, channels), uint8
        Or a sequence that gives such arrays, like `ImageFolder`.

    Returns
    -------
    mean, deviation : ndarray (channels,), float32

    Raises
    ------
    TypeError, ValueError
        If the images are not bytes, have not four axes, or there are none.
    """
    if isinstance(images, (list, tuple, str)) or not (hasattr(images, "__len__") and hasattr(images, "__getitem__")):
        raise TypeError(f"images must be an array of uint8, or a sequence that gives such arrays, got {shown(images)}")
    if isinstance(images, np.ndarray):
        _check_bytes(images)
    if len(images) == 0:
        raise ValueError("images must be at least one, got none")
    size, start, total, squares, count = 1, 0, 0, 0, 0
    while start < len(images):
        stop = min(start + size, len(images))
        chunk = images[start:stop] if isinstance(images, np.ndarray) else images[np.arange(start, stop)]
        _check_bytes(chunk)
        channels = chunk.shape[3]
        flat = chunk.reshape(len(chunk), -1)
        total = total + _by_channel(flat.sum(axis=0, dtype=np.int64), channels)
        # 255 ** 2 still fits into 16 bits
        squares = squares + _by_channel(np.square(flat, dtype=np.uint16).sum(axis=0, dtype=np.int64), channels)
        count += flat.size // channels
        start, size = stop, max(1, _CHUNK_BYTES // flat[0].size)
    mean = total / count
    # n * sum of squares - square of the sum, in Python's unlimited integers: nothing cancels
    spread = [count * int(s) - int(t) ** 2 for s, t in zip(squares, total, strict=True)]
    deviation = np.sqrt([value / count**2 for value in spread])
    return (mean / 255).astype(np.float32), (deviation / 255).astype(np.float32)


def _by_channel(sums, channels):
    return sums.reshape(-1, channels).sum(axis=0)


def normalized(images, mean, deviation):
    """Bytes as floats: (images / 255 - mean) / deviation.

    Parameters
    ----------
    images : ndarray (n, height, width, channels), uint8
    mean, deviation : array_like (channels,)
        As `statistics` gives them; deviations must be above 0.

    Returns
    -------
    ndarray (n, height, width, channels), float32
        A new array.
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


def shifted(images, random, padding=4, flips=True):
    """Images shifted at random, and mirrored left to right with probability 1/2.

    Every image is cut out of itself with a frame of `padding` zeros around it, at an offset of its own.

    Parameters
    ----------
    images : ndarray (n, height, width, channels), uint8
    random : numpy.random.Generator
        First the offsets of all images are drawn, then who is mirrored.
    padding : int
        At least 0.
    flips : bool
        Whether to mirror at all.

    Returns
    -------
    ndarray (n, height, width, channels), uint8
        A new array.
    """
    _check_bytes(images)
    instance("random", random, np.random.Generator)
    padding = integer("padding", padding, 0)
    count, height, width, channels = images.shape
    padded = np.zeros((count, height + 2 * padding, width + 2 * padding, channels), np.uint8)
    padded[:, padding : padding + height, padding : padding + width] = images
    down, right = random.integers(0, 2 * padding + 1, size=(2, count))
    # one window per image, of rows in which the channels lie side by side, so that whole rows are copied at once
    rows = padded.reshape(count, height + 2 * padding, (width + 2 * padding) * channels)
    windows = np.lib.stride_tricks.sliding_window_view(rows, (height, width * channels), axis=(1, 2))
    out = windows[np.arange(count), down, right * channels].reshape(images.shape)
    if flag("flips", flips):
        mirrored = random.random(count) < 0.5
        out[mirrored] = out[mirrored, :, ::-1]
    return out


def _check_bytes(images):
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise TypeError(f"images must be an array of uint8, got {getattr(images, 'dtype', type(images).__name__)}")
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(f"images must have the shape (n, height, width, channels), got {images.shape}")
