"""Batch normalisation (Ioffe and Szegedy, ICML 2015) of arrays whose last axis holds the channels.

Per channel, over the m values of the batch:

    mean = sum x / m      variance = sum (x - mean)^2 / m      xhat = (x - mean) / sqrt(variance + eps)
    out = xhat * weight + bias

Backward, with g = dL/dout and, for training, the dependence of mean and variance on x:

    dL/dbias = sum g      dL/dweight = sum g xhat
    dL/dx = weight / sqrt(variance + eps) * (g - dL/dbias / m - xhat * dL/dweight / m)

In evaluation mode mean and variance are constants, and the last two terms fall away.  Sums are taken in float64, piece
by piece and then over the pieces, so they are the same for any number of threads.
"""

import numpy as np

from .. import memory
from .jit import kernel
from .threads import for_each_piece

ELEMENTS_PER_PIECE = 2**17


def _rows_per_piece(x):
    return max(1, ELEMENTS_PER_PIECE // max(1, x.shape[1]))


def batch_statistics(x):
    """Mean and (biased) variance of every channel.

    Parameters
    ----------
    x : ndarray (m, c), C-contiguous, m at least 1

    Returns
    -------
    mean, variance : ndarray (c,) of float64
    """
    mean = _summed(_sum_rows, x.shape[1:], x) / len(x)
    variance = _summed(_sum_squared_deviations, x.shape[1:], x, mean) / len(x)
    return mean, variance


def normalize(x, mean, inverse_deviation, weight, bias):
    """(x - mean) * inverse_deviation * weight + bias for x of shape (m, c), everything else of shape (c,)."""
    out = np.empty_like(x)
    scale = inverse_deviation * weight

    for_each_piece(lambda first, last: _normalize(x, mean, scale, bias, out, first, last), len(x), _rows_per_piece(x))
    return out


def normalize_parameter_gradients(x, gradient, mean, inverse_deviation):
    """(dL/dweight, dL/dbias) of shape (c,), float64, from x and `gradient` = dL/dout of shape (m, c)."""
    by_weight, by_bias = _summed(_sum_gradients, (2, x.shape[1]), x, gradient, mean)
    return by_weight * inverse_deviation, by_bias


def normalize_input_gradient(x, gradient, mean, inverse_deviation, weight, parameter_gradients=None):
    """dL/dx of shape (m, c).

    parameter_gradients : (dL/dweight, dL/dbias) from `normalize_parameter_gradients` in training mode; None in
        evaluation mode, where mean and variance do not depend on x.
    """
    dx = np.empty_like(x)
    dtype = x.dtype
    scale = inverse_deviation * weight
    if parameter_gradients is None:
        along_x = shift = np.zeros_like(scale)
    else:
        by_weight, by_bias = parameter_gradients
        along_x = (by_weight * inverse_deviation / len(x)).astype(dtype)
        shift = (by_bias / len(x)).astype(dtype)

    def work(first, last):
        _input_gradient(x, gradient, mean, scale, along_x, shift, dx, first, last)

    for_each_piece(work, len(x), _rows_per_piece(x))
    return dx


def _summed(sum_rows, shape, x, *others):
    """Let the kernel sum each piece of rows into an array of its own, of `shape`; then add these in order."""
    piece = _rows_per_piece(x)
    partial = np.zeros((-(-len(x) // piece), *shape))
    memory.note(partial, "workspace")
    for_each_piece(lambda first, last: sum_rows(x, *others, partial[first // piece], first, last), len(x), piece)
    return partial.sum(axis=0)


@kernel
def _sum_rows(x, out, first, last):
    for i in range(first, last):
        for c in range(x.shape[1]):
            out[c] += x[i, c]


@kernel
def _sum_squared_deviations(x, mean, out, first, last):
    for i in range(first, last):
        for c in range(x.shape[1]):
            deviation = x[i, c] - mean[c]
            out[c] += deviation * deviation


@kernel
def _sum_gradients(x, gradient, mean, out, first, last):
    for i in range(first, last):
        for c in range(x.shape[1]):
            out[0, c] += gradient[i, c] * np.float64(x[i, c] - mean[c])
            out[1, c] += gradient[i, c]


@kernel
def _normalize(x, mean, scale, bias, out, first, last):
    for i in range(first, last):
        for c in range(x.shape[1]):
            out[i, c] = (x[i, c] - mean[c]) * scale[c] + bias[c]


@kernel
def _input_gradient(x, gradient, mean, scale, along_x, shift, dx, first, last):
    for i in range(first, last):
        for c in range(x.shape[1]):
            dx[i, c] = scale[c] * (gradient[i, c] - shift[c] - (x[i, c] - mean[c]) * along_x[c])


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
