"""What kernels compute, straight from the definitions, in plain loops."""

import numpy as np

from mininet.kernels.shapes import output_size


def pool_reference(x, size, stride, padding, reduce, outside):
    """Apply `reduce` (np.max or np.mean) to every window of x, padded with `outside` (-inf or 0)."""
    padded = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)), constant_values=outside)
    height, width = (output_size(x.shape[1 + i], size[i], stride[i], padding[i]) for i in (0, 1))
    out = np.empty((len(x), height, width, x.shape[3]), dtype=x.dtype)
    for n, oy, ox, c in np.ndindex(out.shape):
        top, left = oy * stride[0], ox * stride[1]
        out[n, oy, ox, c] = reduce(padded[n, top : top + size[0], left : left + size[1], c])
    return out


def batch_norm_reference(x, weight, bias, eps):
    """Normalise x (m, c) as in training."""
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        mean = sum(x[:, c]) / len(x)
        variance = sum((x[:, c] - mean) ** 2) / len(x)
        out[:, c] = (x[:, c] - mean) / np.sqrt(variance + eps) * weight[c] + bias[c]
    return out


def batch_norm_gradients_reference(x, weight, gradient, eps):
    """(dL/dx, dL/dweight, dL/dbias) with the Jacobian of the definition, dxhat_i/dx_j, written out."""
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
