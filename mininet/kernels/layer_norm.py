"""Layer normalisation (Ba, Kiros and Hinton, 2016) of the rows of x (m, c).

    mean_i = sum_c x_ic / c      variance_i = sum_c (x_ic - mean_i)^2 / c      xhat = (x - mean) / sqrt(variance + eps)
    out = xhat * weight + bias

Backward, with g = dL/dout and h = g * weight, where mean() is over the row:

    dL/dbias = sum_i g_i      dL/dweight = sum_i g_i xhat_i
    dL/dx_i = (h_i - mean(h_i) - xhat_i mean(h_i xhat_i)) / sqrt(variance_i + eps)

The mean of a row and 1 / sqrt(variance + eps) are kept for it.  Sums over a row are `LANES` partial sums, which fill
vectors: the compiler must not reorder one long sum.
"""

import numpy as np

from ..base.types import FloatArray
from . import buffers
from .jit import kernel
from .threads import for_each_share

LANES = 16
ROWS_PER_GROUP = 128
"""Rows whose contributions to dL/dweight and dL/dbias are added up first."""

ELEMENTS_WORTH_SHARING = 2**15


def layer_norm(x: FloatArray, weight: FloatArray, bias: FloatArray, eps: float) -> tuple[FloatArray, FloatArray]:
    """Compute the output, and (2, m) with the mean and the inverse deviation of every row."""
    out, statistics = buffers.empty(x.shape, x.dtype), buffers.empty((2, len(x)), x.dtype)
    for_each_share(_normalize, len(x), _rows_worth_sharing(x), x, weight, bias, eps, out, statistics)
    return out, statistics


def layer_norm_gradients(
    x: FloatArray, weight: FloatArray, statistics: FloatArray, gradient: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute dL/dx, dL/dweight and dL/dbias from `gradient` = dL/dout."""
    by_x = buffers.empty(x.shape, x.dtype)
    groups = -(-len(x) // ROWS_PER_GROUP)
    sums = buffers.zeros((groups, 2, x.shape[1]), x.dtype, "workspace")
    least = -(-_rows_worth_sharing(x) // ROWS_PER_GROUP)
    for_each_share(_gradients, groups, least, x, weight, statistics, gradient, by_x, sums)
    by_weight, by_bias = sums.sum(axis=0)
    return by_x, by_weight, by_bias


def _rows_worth_sharing(x: FloatArray) -> int:
    rows: int = max(1, ELEMENTS_WORTH_SHARING // max(1, x.shape[1]))
    return rows


@kernel
def _total(lanes):
    """The sum of `LANES` partial sums, which become zero again."""
    total = lanes[0]
    for lane in range(1, LANES):
        total += lanes[lane]
    for lane in range(LANES):
        lanes[lane] = 0
    return total


@kernel
def _normalize(x, weight, bias, eps, out, statistics, first, last):
    channels = x.shape[1]
    whole = channels // LANES * LANES
    lanes = np.zeros(LANES, x.dtype)
    for i in range(first, last):
        row, result = x[i], out[i]
        for start in range(0, whole, LANES):
            part = row[start : start + LANES]
            for lane in range(LANES):
                lanes[lane] += part[lane]
        for c in range(whole, channels):
            lanes[c - whole] += row[c]
        mean = _total(lanes) / x.dtype.type(channels)
        for start in range(0, whole, LANES):
            part = row[start : start + LANES]
            for lane in range(LANES):
                deviation = part[lane] - mean
                lanes[lane] += deviation * deviation
        for c in range(whole, channels):
            deviation = row[c] - mean
            lanes[c - whole] += deviation * deviation
        inverse = x.dtype.type(1 / np.sqrt(np.float64(_total(lanes)) / channels + eps))
        for c in range(channels):
            result[c] = (row[c] - mean) * inverse * weight[c] + bias[c]
        statistics[0, i], statistics[1, i] = mean, inverse


@kernel
def _gradients(x, weight, statistics, gradient, by_x, sums, first, last):
    channels = x.shape[1]
    whole = channels // LANES * LANES
    lanes, along = np.zeros(LANES, x.dtype), np.zeros(LANES, x.dtype)
    normalized, weighted = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for group in range(first, last):
        by_weight, by_bias = sums[group, 0], sums[group, 1]
        for i in range(group * ROWS_PER_GROUP, min((group + 1) * ROWS_PER_GROUP, x.shape[0])):
            row, g, result = x[i], gradient[i], by_x[i]
            mean, inverse = statistics[0, i], statistics[1, i]
            for c in range(channels):
                normalized[c] = (row[c] - mean) * inverse
                weighted[c] = g[c] * weight[c]
                by_weight[c] += g[c] * normalized[c]
                by_bias[c] += g[c]
            for start in range(0, whole, LANES):
                h, z = weighted[start : start + LANES], normalized[start : start + LANES]
                for lane in range(LANES):
                    lanes[lane] += h[lane]
                    along[lane] += h[lane] * z[lane]
            for c in range(whole, channels):
                lanes[c - whole] += weighted[c]
                along[c - whole] += weighted[c] * normalized[c]
            shift, slope = _total(lanes) / x.dtype.type(channels), _total(along) / x.dtype.type(channels)
            for c in range(channels):
                result[c] = (weighted[c] - shift - normalized[c] * slope) * inverse
