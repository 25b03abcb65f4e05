"""Batch normalisation (Ioffe and Szegedy, ICML 2015) of arrays whose last axis holds the channels.

Per channel, over the m values of the batch:

    mean = sum x / m      variance = sum (x - mean)^2 / m      xhat = (x - mean) / sqrt(variance + eps)
    out = xhat * weight + bias

Backward, with g = dL/dout and, for training, the dependence of mean and variance on x:

    dL/dbias = sum g      dL/dweight = sum g xhat
    dL/dx = weight / sqrt(variance + eps) * (g - dL/dbias / m - xhat * dL/dweight / m)

In evaluation mode mean and variance are constants, and the last two terms vanish.

There is little to compute per number, so time goes into waiting for memory, and each function reads its input once.  A
ReLU that follows is free in the same pass.  With `relu`, out becomes max(out, 0), and g counts as 0 where out is not
positive, which is found by recomputing out.

Sums are taken in float64, within groups of rows and then over the groups, so that they do not depend on the number of
threads.
"""

import numpy as np

from ..base import instruments
from ..base.types import FloatArray
from . import buffers
from .jit import kernel
from .threads import for_each_share

ELEMENTS_PER_GROUP = 2**15
"""Numbers in a group: it is read twice, the second time from the level-2 cache."""

ELEMENTS_WORTH_SHARING = 2**17
GROUPS_WORTH_SHARING = ELEMENTS_WORTH_SHARING // ELEMENTS_PER_GROUP

WIDE = 256
"""Long rows are faster: several rows become one of up to this many numbers, in which the channels repeat."""


def batch_statistics(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute the mean and the (biased) variance of every channel of a C-contiguous x (m, c), in float64.

    Each group of rows gives a mean and its squared deviations from it.  They are combined without the cancellation of
    sum x^2 - (sum x)^2 (Chan, Golub and LeVeque, 1979).
    """
    channels = x.shape[1]
    rows = _widened(x)
    groups, size = _groups(rows)
    for_each_share(_means_and_deviations, groups.shape[1], GROUPS_WORTH_SHARING, rows, *groups, size)
    means, deviations = groups.reshape(2, -1, channels)
    counts = np.minimum(size, len(rows) - np.arange(0, len(rows), size))  # rows of the groups
    counts = np.repeat(counts, rows.shape[1] // channels)[:, None]
    mean = (counts * means).sum(axis=0) / len(x)
    variance = (deviations + counts * (means - mean) ** 2).sum(axis=0) / len(x)
    return mean, variance


def normalize(
    x: FloatArray, mean: FloatArray, inverse_deviation: FloatArray, weight: FloatArray, bias: FloatArray,
    relu: bool = False,
) -> FloatArray:  # fmt: skip
    """Compute (x - mean) * inverse_deviation * weight + bias for x of shape (m, c) and the rest of shape (c,)."""
    out = buffers.empty(x.shape, x.dtype)
    rows = _widened(x)
    others = _repeated(rows, mean, inverse_deviation * weight, bias)
    results = out.reshape(rows.shape)

    def work(first: int, last: int) -> None:
        _normalize(rows[first:last], *others, relu, results[first:last])

    for_each_share(work, len(rows), ELEMENTS_WORTH_SHARING // rows.shape[1])
    return out


def normalize_parameter_gradients(
    x: FloatArray, gradient: FloatArray, mean: FloatArray, inverse_deviation: FloatArray, weight: FloatArray,
    bias: FloatArray, relu: bool = False,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Compute (dL/dweight, dL/dbias) in float64 from `gradient` = dL/dout of shape (m, c)."""
    rows = _widened(x)
    gradients = gradient.reshape(rows.shape)
    others = _repeated(rows, mean, inverse_deviation * weight, bias)
    groups, size = _groups(rows)
    arguments = rows, gradients, *others, relu, *groups, size
    for_each_share(_sum_gradients, groups.shape[1], GROUPS_WORTH_SHARING, *arguments)
    by_weight, by_bias = groups.sum(axis=1).reshape(2, -1, x.shape[1]).sum(axis=1)
    return by_weight * inverse_deviation, by_bias


def normalize_input_gradient(
    x: FloatArray, gradient: FloatArray, mean: FloatArray, inverse_deviation: FloatArray, weight: FloatArray,
    bias: FloatArray, relu: bool = False, parameter_gradients: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray:  # fmt: skip
    """Compute dL/dx from `gradient` = dL/dout of shape (m, c).

    `parameter_gradients` are those of `normalize_parameter_gradients` in training mode.  They are None in evaluation
    mode, where mean and variance do not depend on x.
    """
    dx = buffers.empty(x.shape, x.dtype)
    scale = inverse_deviation * weight
    along_x = shift = np.zeros_like(scale)
    if parameter_gradients is not None:
        by_weight, by_bias = parameter_gradients
        along_x = (by_weight * inverse_deviation / len(x)).astype(x.dtype)
        shift = (by_bias / len(x)).astype(x.dtype)
    rows = _widened(x)
    gradients, results = gradient.reshape(rows.shape), dx.reshape(rows.shape)
    others = _repeated(rows, mean, scale, bias, along_x, shift)

    def work(first: int, last: int) -> None:
        _input_gradient(rows[first:last], gradients[first:last], *others, relu, results[first:last])

    for_each_share(work, len(rows), ELEMENTS_WORTH_SHARING // rows.shape[1])
    return dx


def _widened(x: FloatArray) -> FloatArray:
    """Put as many rows of x (m, c) side by side as fit into `WIDE` and divide m."""
    together = 1
    while 2 * together * x.shape[1] <= WIDE and len(x) % (2 * together) == 0:
        together *= 2
    return x.reshape(len(x) // together, together * x.shape[1])


def _repeated(rows: FloatArray, *channel_vectors: FloatArray) -> list[FloatArray]:
    """Repeat vectors with a number per channel, to have one per column of `rows`."""
    return [np.tile(vector, rows.shape[1] // len(vector)) for vector in channel_vectors]


def _groups(rows: FloatArray) -> tuple[FloatArray, int]:
    """Make two zeros for each column of each group of rows, and say how many rows make a group."""
    size = max(1, ELEMENTS_PER_GROUP // rows.shape[1])
    groups = np.zeros((2, -(-len(rows) // size), rows.shape[1]))
    instruments.note(groups, "workspace")
    return groups, size


@kernel
def _means_and_deviations(x, means, deviations, size, first, last):
    """Add the mean of every column, and the squared deviations from it, of groups of `size` rows to zeros."""
    for number in range(first, last):
        group, mean, squares = x[number * size : (number + 1) * size], means[number], deviations[number]
        for i in range(group.shape[0]):
            for c in range(group.shape[1]):
                mean[c] += group[i, c]
        for c in range(group.shape[1]):
            mean[c] /= group.shape[0]
        for i in range(group.shape[0]):
            for c in range(group.shape[1]):
                deviation = group[i, c] - mean[c]
                squares[c] += deviation * deviation


@kernel
def _normalize(x, mean, scale, bias, relu, out):
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = (x[i, c] - mean[c]) * scale[c] + bias[c]
            out[i, c] = np.float32(0) if relu and value < 0 else value


@kernel
def _sum_gradients(x, gradient, mean, scale, bias, relu, by_weight, by_bias, size, first, last):
    """Add the sums over every column of g (x - mean) and of g, in groups of `size` rows, to zeros."""
    for number in range(first, last):
        along_x, plain = by_weight[number], by_bias[number]
        for i in range(number * size, min((number + 1) * size, x.shape[0])):
            for c in range(x.shape[1]):
                deviation = x[i, c] - mean[c]
                passes = not relu or deviation * scale[c] + bias[c] > 0
                g = np.float64(gradient[i, c]) if passes else 0.0
                along_x[c] += g * np.float64(deviation)
                plain[c] += g


@kernel
def _input_gradient(x, gradient, mean, scale, bias, along_x, shift, relu, dx):
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            deviation = x[i, c] - mean[c]
            passes = not relu or deviation * scale[c] + bias[c] > 0
            g = gradient[i, c] if passes else np.float32(0)
            dx[i, c] = scale[c] * (g - shift[c] - deviation * along_x[c])
