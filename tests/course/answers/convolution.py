"""Exercises of notebook 03: wrong answers with what is said of them, and right ones."""

import numpy as np

from mininet.kernels.convolution import convolve_input_gradient, convolve_reference


def depthwise(x, w, padding, turned=False):
    w = w[::-1, ::-1] if turned else w
    return convolve_reference(x, w[..., None] * np.eye(w.shape[2]), (1, 1), (padding, padding))


def by_kernel(gradient, w, x_shape, stride, padding):
    return convolve_input_gradient(gradient, w, x_shape, (stride, stride), (padding, padding))


def without_turning(gradient, w, x_shape, stride, padding):
    return by_kernel(gradient, w[::-1, ::-1], x_shape, stride, padding)


def as_if_stride_1(gradient, w, x_shape, stride, padding):
    size = [length + len(w) - 1 - 2 * padding for length in gradient.shape[1:3]]
    return by_kernel(gradient, w, (len(gradient), *size, x_shape[3]), 1, padding)


WRONG = {
    1: [
        (
            lambda size, kernel, stride: (kernel // 2, kernel // 2),
            "kernel 2, stride 1: with 1 zeros before and 1 after",
        ),
        (lambda size, kernel, stride: (kernel // 2, (kernel - 1) // 2), "an additional one after"),
        (lambda size, kernel, stride: ((kernel - 1) // 2, kernel // 2), "size 8, kernel 3, stride 2: 4 outputs need 1"),
        (lambda size, kernel, stride: (0, (-(-size // stride) - 1) * stride + kernel - size), "should come before"),
        (lambda size, kernel, stride: (0, 0), "there are 6 outputs, and should be 8"),
    ],
    2: [
        (lambda x, w, padding: depthwise(x, w, padding, turned=True), "the window is turned round"),
        (lambda x, w, padding: depthwise(x, w, 0), "has shape"),
        (lambda x, w, padding: depthwise(x, w.mean(axis=2, keepdims=True) + 0 * w, padding), "should be"),
    ],
    3: [(without_turning, "stride 1, padding 1 at"), (as_if_stride_1, "how many outputs would there be with stride 1")],
}

RIGHT = [(2, depthwise), (3, by_kernel)]
