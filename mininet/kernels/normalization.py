"""Batch normalisation (Ioffe and Szegedy, ICML 2015) of arrays whose last axis holds the channels.

Per channel, over the m values of the batch:

    mean = sum x / m      variance = sum (x - mean)^2 / m      xhat = (x - mean) / sqrt(variance + eps)
    out = xhat * weight + bias

Backward, with g = dL/dout and, for training, the dependence of mean and variance on x:

    dL/dbias = sum g      dL/dweight = sum g xhat
    dL/dx = weight / sqrt(variance + eps) * (g - dL/dbias / m - xhat * dL/dweight / m)

In evaluation mode mean and variance are constants, and the last two terms fall away.

There is little to compute for each number, so time is spent waiting for memory, and each function reads its input once.
A ReLU that follows costs nothing if it is done in the same pass: `relu` says so, out is then max(out, 0), and g counts
as 0 where out is not positive, which is found by computing out again.

Sums are taken in float64, over groups of rows and then over the groups, so they are the same for any number of threads.
"""

import numpy as np

from .. import memory
from . import buffers
from .jit import kernel
from .threads import for_each_share

ELEMENTS_PER_GROUP = 2**15
"""Numbers in a group: small enough for the level-2 cache, from which it is read a second time."""

ELEMENTS_WORTH_SHARING = 2**17
GROUPS_WORTH_SHARING = ELEMENTS_WORTH_SHARING // ELEMENTS_PER_GROUP

WIDE = 256
"""Long rows are faster: up to so many numbers, several rows are taken as one, whose channels repeat."""


def batch_statistics(x):
    """Mean and (biased) variance of every channel.

    The batch is taken in groups; each one's mean, and its squared deviations from that, are combined without the
    cancellation of sum x^2 - (sum x)^2 (Chan, Golub and LeVeque, 1979).

    Parameters
    ----------
    x : ndarray (m, c), C-contiguous, m at least 1

    Returns
    -------
    mean, variance : ndarray (c,) of float64
    """
    channels = x.shape[1]
    rows = _widened(x)
    groups, size = _groups(rows)

    def work(first, last):
        _means_and_deviations(rows, *groups, size, first, last)

    for_each_share(work, groups.shape[1], GROUPS_WORTH_SHARING)
    means, deviations = groups.reshape(2, -1, channels)
    counts = np.minimum(size, len(rows) - np.arange(0, len(rows), size))  # rows of the groups
    counts = np.repeat(counts, rows.shape[1] // channels)[:, None]
    mean = (counts * means).sum(axis=0) / len(x)
    variance = (deviations + counts * (means - mean) ** 2).sum(axis=0) / len(x)
    return mean, variance


def normalize(x, mean, inverse_deviation, weight, bias, relu=False):
    """(x - mean) * inverse_deviation * weight + bias for x of shape (m, c), everything else of shape (c,)."""
    out = buffers.empty(x.shape, x.dtype)
    rows = _widened(x)
    others = _repeated(rows, mean, inverse_deviation * weight, bias)
    results = out.reshape(rows.shape)

    def work(first, last):
        _normalize(rows[first:last], *others, relu, results[first:last])

    for_each_share(work, len(rows), ELEMENTS_WORTH_SHARING // rows.shape[1])
    return out


def normalize_parameter_gradients(x, gradient, mean, inverse_deviation, weight, bias, relu=False):
    """(dL/dweight, dL/dbias) of shape (c,), float64, from x and `gradient` = dL/dout of shape (m, c)."""
    rows = _widened(x)
    gradients = gradient.reshape(rows.shape)
    others = _repeated(rows, mean, inverse_deviation * weight, bias)
    groups, size = _groups(rows)

    def work(first, last):
        _sum_gradients(rows, gradients, *others, relu, *groups, size, first, last)

    for_each_share(work, groups.shape[1], GROUPS_WORTH_SHARING)
    by_weight, by_bias = groups.sum(axis=1).reshape(2, -1, x.shape[1]).sum(axis=1)
    return by_weight * inverse_deviation, by_bias


def normalize_input_gradient(x, gradient, mean, inverse_deviation, weight, bias, relu=False, parameter_gradients=None):
    """dL/dx of shape (m, c).

    parameter_gradients : (dL/dweight, dL/dbias) from `normalize_parameter_gradients` in training mode; None in
        evaluation mode, where mean and variance do not depend on x.
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

    def work(first, last):
        _input_gradient(rows[first:last], gradients[first:last], *others, relu, results[first:last])

    for_each_share(work, len(rows), ELEMENTS_WORTH_SHARING // rows.shape[1])
    return dx


def _widened(x):
    """x (m, c) with as many rows side by side as fit into `WIDE` and divide m evenly."""
    together = 1
    while 2 * together * x.shape[1] <= WIDE and len(x) % (2 * together) == 0:
        together *= 2
    return x.reshape(len(x) // together, together * x.shape[1])


def _repeated(rows, *channel_vectors):
    """Vectors of one number for each channel as vectors of one for each column of `rows`."""
    return [np.tile(vector, rows.shape[1] // len(vector)) for vector in channel_vectors]


def _groups(rows):
    """Room for two numbers for each column and group of rows, zeros, and how many rows make a group."""
    size = max(1, ELEMENTS_PER_GROUP // rows.shape[1])
    groups = np.zeros((2, -(-len(rows) // size), rows.shape[1]))
    memory.note(groups, "workspace")
    return groups, size


@kernel
def _means_and_deviations(x, means, deviations, size, first, last):
    """For groups of `size` rows, the mean of every column and its squared deviations from that; given as zeros."""
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
    """For groups of `size` rows, the sums of g (x - mean) and of g over every column; given as zeros."""
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


def batch_norm_reference(x, weight, bias, eps):
    """Training-mode batch normalisation of x (m, c), straight from the definition."""
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        mean = sum(x[:, c]) / len(x)
        variance = sum((x[:, c] - mean) ** 2) / len(x)
        out[:, c] = (x[:, c] - mean) / np.sqrt(variance + eps) * weight[c] + bias[c]
    return out


def batch_norm_gradients_reference(x, weight, gradient, eps):
    """(dL/dx, dL/dweight, dL/dbias): the Jacobian of the definition, dxhat_i/dx_j, written out and summed."""
    m = len(x)
    dx, dweight, dbias = np.zeros_like(x), np.zeros_like(weight), np.zeros_like(weight)
    for c in range(x.shape[1]):
        mean = sum(x[:, c]) / m
        deviation = np.sqrt(sum((x[:, c] - mean) ** 2) / m + eps)
        normalized = (x[:, c] - mean) / deviation
        for i in range(m):
            dweight[c] += gradient[i, c] * normalized[i]
            dbias[c] += gradient[i, c]
            for j in range(m):
                jacobian = ((i == j) - 1 / m - normalized[i] * normalized[j] / m) / deviation
                dx[j, c] += gradient[i, c] * weight[c] * jacobian
    return dx, dweight, dbias
