"""Calls of every compiled kernel, for arrays of all kinds of shapes; the results are looked at elsewhere."""

import fractions
import itertools

import numpy as np

from mininet.kernels import convolution, direct, elementwise, exact, matrix, momentum, normalization, patches, pooling
from mininet.kernels.shapes import output_size
from mininet.kernels.simd import lanes

WINDOWS = ((1, 1), (3, 3), (2, 3), (5, 1))
STRIDES = ((1, 1), (2, 2), (1, 3))
PADDINGS = ((0, 0), (1, 1), (3, 0))
SIZES = (1, 3, 63, 64, 65, 1000)  # of flat arrays: less than, as much as and more than a block


def call_every_kernel(place=lambda array: array, images=(2, 7, 8)):
    """Call everything, each array being put to its `place` first.

    images : how many, their height and width; the narrower, the more kernels there are for tiles of few pixels
    """
    random = np.random.default_rng(0)

    def normal(*shape, dtype=np.float32):
        return place(random.standard_normal(shape).astype(dtype))

    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        vector = lanes(dtype)
        for window, stride, padding in itertools.product(WINDOWS, STRIDES, PADDINGS):
            for channels in ((1, 3), (vector, vector), (3, 3 * vector))[: 3 if dtype == np.float32 else 1]:
                _convolutions(normal, dtype, images, window, stride, padding, channels)
        for size in ((1, 4, 64), (3, 16, 65), (1, 33, 67)):  # tiles that fit, and tiles that stick out
            _convolutions(normal, dtype, size, (3, 3), (1, 1), (1, 1), (vector, 2 * vector))
        for window, stride, padding in itertools.product(WINDOWS, STRIDES, ((0, 0), (1, 0))):
            if 2 * padding[0] <= window[0]:
                _poolings(normal, dtype, window, stride, padding)
        for rows, columns in ((1, 1), (7, 3), (64, 256), (1000, 16), (3, 300)):
            _normalizations(normal, dtype, rows, columns)
        for size in SIZES:
            _flat(normal, dtype, size, place)
        matrix.matrix_product(normal(33, 5, dtype=dtype), normal(5, 7, dtype=dtype))
        matrix.transposed_product(normal(33, 5, dtype=dtype), normal(33, 7, dtype=dtype))


def _convolutions(normal, dtype, size, window, stride, padding, channels):
    out = [output_size(size[1 + i], window[i], stride[i], padding[i]) for i in (0, 1)]
    x, w = normal(*size, channels[0], dtype=dtype), normal(*window, *channels, dtype=dtype)
    gradient = normal(size[0], *out, channels[1], dtype=dtype)
    convolution.convolve(x, w, stride, padding)
    convolution.convolve_input_gradient(gradient, w, x.shape, stride, padding)
    convolution.convolve_weight_gradient(x, gradient, w.shape, stride, padding)
    for method in (patches, direct) if direct.fits(channels[1], dtype) else (patches,):
        method.convolve(x, w, stride, padding, gradient.shape)
        method.weight_gradient(x, gradient, w.shape, stride, padding)
        if method is patches or direct.fits(channels[0], dtype):
            method.input_gradient(gradient, w, x.shape, stride, padding)


def _poolings(normal, dtype, window, stride, padding):
    x = normal(2, 7, 9, 3, dtype=dtype)
    out, winner = pooling.max_pool(x, window, stride, padding)
    pooling.max_pool_gradient(out, winner, x.shape)
    pooling.average_pool_gradient(pooling.average_pool(x, window, stride, padding), x.shape, window, stride, padding)


def _normalizations(normal, dtype, rows, columns):
    x, gradient = normal(rows, columns, dtype=dtype), normal(rows, columns, dtype=dtype)
    mean, variance = (array.astype(dtype) for array in normalization.batch_statistics(x))
    others = mean, 1 / np.sqrt(variance + dtype.type(1)), normal(columns, dtype=dtype), normal(columns, dtype=dtype)
    for relu in (False, True):
        normalization.normalize(x, *others, relu)
        by_parameters = normalization.normalize_parameter_gradients(x, gradient, *others, relu)
        for parameters in (None, by_parameters):
            normalization.normalize_input_gradient(x, gradient, *others, relu, parameters)


def _flat(normal, dtype, size, place):
    x, v, f = (normal(size, dtype=dtype) for _ in range(3))
    momentum.step(x, v, f, 0.9)
    momentum.undo_position(x, v)
    momentum.undo_velocity(v, f, 0.9)
    momentum.add(momentum.adjoint_step(x, v, 0.9), f)
    large = normal(100 * size, dtype=dtype)
    elementwise.in_shares(elementwise.gradient_where_positive, large, large)
    gamma = fractions.Fraction(9, 10)
    units, velocity = place(np.zeros(size, np.int64)), place(np.zeros(size, np.int64))
    buffer = place(np.zeros(size, np.uint32))
    exact.to_integers(x, units)
    for _ in range(2):
        exact.step(units, velocity, buffer, f, gamma)
    exact.undo_position(units, velocity, dtype)
    exact.undo_velocity_and_position(units, velocity, buffer, f, gamma)
    exact.undo_velocity(velocity, buffer, f, gamma)
    exact.add(units, f)
    exact.to_floats(units, dtype)
    exact.unspill(buffer, exact.spill(buffer))
