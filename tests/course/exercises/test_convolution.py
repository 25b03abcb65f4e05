"""Exercises of notebook 03: the mistakes that learners make are refused, with a message that names the matter."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import convolution as exercises
from mininet.kernels.convolution import convolve_input_gradient, convolve_reference


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda size, kernel, stride: (kernel // 2, kernel // 2),
            "kernel 2, stride 1: with 1 zeros before and 1 after",
        ),
        (lambda size, kernel, stride: (kernel // 2, (kernel - 1) // 2), "an additional one after"),
        (lambda size, kernel, stride: ((kernel - 1) // 2, kernel // 2), "size 8, kernel 3, stride 2: 4 outputs need 1"),
        (lambda size, kernel, stride: (0, (-(-size // stride) - 1) * stride + kernel - size), "should come before"),
        (lambda size, kernel, stride: (0, 0), "there are 6 outputs, and should be 8"),
        (lambda size, kernel, stride: None, "return .before, after."),
    ],
)
def test_same_padding(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_1(answer)


def test_padding_cannot_be_negative():
    def without_the_largest_of_zero(size, kernel, stride):
        total = (-(-size // stride) - 1) * stride + kernel - size
        return total // 2, total - total // 2

    with pytest.raises(NotYet, match="kernel 1, stride 2: -1 and 0 zeros"):
        exercises.exercise_1(without_the_largest_of_zero)


def intensity(pixels, kernel, c, k, flop=2, itemsize=4, with_weights=True, sides=2):
    weights = kernel**sides * c * k
    return flop * pixels * weights / (itemsize * (pixels * (c + k) + with_weights * weights))


def as_answer(**mistake):
    def answer(pixels, kernel, c, k, peak, bandwidth):
        value = intensity(pixels, kernel, c, k, **mistake)
        return value, min(peak, bandwidth * value)

    return answer


def test_intensity():
    exercises.exercise_2(as_answer())


def intensity_only(pixels, kernel, c, k, peak, bandwidth):
    return intensity(pixels, kernel, c, k)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (as_answer(flop=1), "a multiplication and an addition are two operations"),
        (as_answer(itemsize=1), "a float32 has 4 bytes"),
        (as_answer(itemsize=8), "two operations"),
        (as_answer(flop=1, itemsize=1), "4 bytes, and a multiplication"),
        (as_answer(with_weights=False), "the weights have to be read, too"),
        (as_answer(sides=1), "kernel x kernel pixels"),
        (intensity_only, "two numbers"),
        (lambda pixels, kernel, c, k, peak, bandwidth: (intensity(pixels, kernel, c, k), peak), "1 image|rate"),
        (lambda *arguments: None, "returns nothing"),
    ],
)
def test_intensity_with_mistakes(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_2(answer)


def winograd_matrices(points, outputs, taps):
    """(A^T, G, B^T), by solving for the coefficients instead of Lagrange's formula."""
    count = outputs + taps - 1

    def evaluation(length):
        return np.vstack([np.vander(np.array(points, float), length, increasing=True), np.eye(length)[-1]])

    return evaluation(outputs).T, evaluation(taps), np.linalg.inv(evaluation(count)).T


def test_product_of_polynomials():
    exercises.exercise_3(
        lambda a, g, matrices: matrices[2].T @ ((matrices[1] @ g) * (matrices[0].T @ a)), winograd_matrices
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda a, g, matrices: np.convolve(a, g), "does not depend on G"),
        (lambda a, g, matrices: (matrices[1] @ g) * (matrices[0].T @ a), "coefficients"),  # values, not interpolated
        (lambda a, g, matrices: matrices[2] @ ((matrices[1] @ g) * (matrices[0].T @ a)), "coefficients"),
        (lambda a, g, matrices: None, "nothing was returned"),
    ],
)
def test_product_of_polynomials_with_mistakes(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_3(answer, winograd_matrices)


def depthwise(x, w, padding, turned=False):
    w = w[::-1, ::-1] if turned else w
    return convolve_reference(x, w[..., None] * np.eye(w.shape[2]), (1, 1), (padding, padding))


def test_depthwise():
    exercises.exercise_4(depthwise)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x, w, padding: depthwise(x, w, padding, turned=True), "the window is turned round"),
        (lambda x, w, padding: depthwise(x, w, 0), "has shape"),
        (lambda x, w, padding: depthwise(x, w, padding).sum(axis=-1), "has shape"),
        (lambda x, w, padding: depthwise(x, w.mean(axis=2, keepdims=True) + 0 * w, padding), "should be"),
        (lambda x, w, padding: None, "nothing was returned"),
    ],
)
def test_depthwise_with_mistakes(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_4(answer)


def by_kernel(gradient, w, x_shape, stride, padding):
    return convolve_input_gradient(gradient, w, x_shape, (stride, stride), (padding, padding))


def without_turning(gradient, w, x_shape, stride, padding):
    return by_kernel(gradient, w[::-1, ::-1], x_shape, stride, padding)


def as_if_stride_1(gradient, w, x_shape, stride, padding):
    size = [length + len(w) - 1 - 2 * padding for length in gradient.shape[1:3]]
    return by_kernel(gradient, w, (len(gradient), *size, x_shape[3]), 1, padding)


def spread_without_the_last_rows(gradient, w, x_shape, stride, padding):
    size = [(length - 1) * stride + 1 for length in gradient.shape[1:3]]
    spread = np.zeros((len(gradient), *size, gradient.shape[3]))
    spread[:, ::stride, ::stride] = gradient
    return as_if_stride_1(spread, w, x_shape, 1, padding)


def repeated_instead_of_spread(gradient, w, x_shape, stride, padding):
    height, width = (x_shape[axis] + 2 * padding - len(w) + 1 for axis in (1, 2))
    repeated = gradient.repeat(stride, axis=1).repeat(stride, axis=2)[:, :height, :width]
    return by_kernel(repeated, w, x_shape, 1, padding)


def test_strided_gradient():
    exercises.exercise_5(by_kernel)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (without_turning, "stride 1, padding 1 at"),
        (as_if_stride_1, "how many outputs would there be with stride 1"),
        (spread_without_the_last_rows, "8x7 pixels.*how many outputs"),
        (repeated_instead_of_spread, "stride 2, padding 0 at"),
        (lambda *arguments: None, "returns nothing"),
    ],
)
def test_strided_gradient_with_mistakes(answer, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_5(answer)
