"""Batch normalisation against its definition."""

import numpy as np
import pytest
from support import DTYPES, assert_unchanged, assert_within, normal

from mininet.kernels import normalization
from mininet.kernels.normalization import (
    batch_norm_gradients_reference,
    batch_norm_reference,
    batch_statistics,
    normalize,
    normalize_input_gradient,
    normalize_parameter_gradients,
)

EPS = 1e-5
SHAPES = [(2, 1), (5, 3), (12, 2), (3, 8)]


def make(shape, dtype):
    x = (normal(shape, seed=1) * np.linspace(0.5, 2, shape[1]) + np.linspace(-1, 3, shape[1])).astype(dtype)
    weight, bias = normal(shape[1:], dtype, 2), normal(shape[1:], dtype, 3)
    return x, weight, bias, normal(shape, dtype, 4)


def factors(x):
    """(mean, 1 / deviation) in the dtype of x, as the operation hands them to the kernels."""
    mean, variance = batch_statistics(x)
    return mean.astype(x.dtype), (1 / np.sqrt(variance + EPS)).astype(x.dtype)


@pytest.fixture(params=[None, 1, 4], ids=["one piece", "pieces of 1 row", "pieces of 4 rows"])
def rows(request, monkeypatch):
    """How many rows make one piece of work: sums over pieces must not lose or repeat a row."""
    if request.param:
        monkeypatch.setattr(normalization, "_rows_per_piece", lambda x: request.param)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SHAPES, (1, 3)])
def test_tiny_batch_statistics(shape, dtype):
    x, *_ = make(shape, dtype)
    exact = x.astype(np.float64)
    mean, variance = batch_statistics(x)
    assert mean.dtype == variance.dtype == np.float64
    # float64 sums of m numbers: m eps/2 of the sum of their sizes; for squares, some roundings more
    bound = (len(x) + 4) * np.finfo(np.float64).eps * np.abs(exact).max(axis=0, initial=1) ** 2
    assert_within(mean, exact.mean(axis=0), bound)
    assert_within(variance, exact.var(axis=0), 4 * bound)


def test_statistics_of_more_rows_than_one_piece():
    piece = normalization._rows_per_piece(np.empty((1, 16)))
    x = normal((3 * piece + 7, 16), np.float32) + np.float32(1000)
    mean, variance = batch_statistics(x)
    exact = x.astype(np.float64)
    # float32 sums, or E x^2 - (E x)^2, would be off by 1e-4 and more; float64 ones by m eps |x|
    assert_within(mean, exact.mean(axis=0), len(x) * np.finfo(np.float64).eps * 1000)
    assert_within(variance, exact.var(axis=0), len(x) * np.finfo(np.float64).eps * 2000)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_tiny_normalize(shape, dtype):
    x, weight, bias, _ = make(shape, dtype)
    mean, inverse = factors(x)
    out = normalize(x, mean, inverse, weight, bias)
    assert out.dtype == dtype
    expected = batch_norm_reference(*(array.astype(np.float64) for array in (x, weight, bias)), EPS)
    # roundings: of the mean (relative to it), of the difference, of 1 / deviation, of two products, of the sum: under
    # 4 eps of the sizes of what is added
    bound = 4 * np.finfo(dtype).eps * (np.abs(inverse * weight) * (np.abs(x) + np.abs(mean)) + np.abs(bias))
    assert_within(out, expected, bound)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_tiny_gradients_in_training(shape, dtype):
    x, weight, _, gradient = make(shape, dtype)
    mean, inverse = factors(x)
    parameter_gradients = normalize_parameter_gradients(x, gradient, mean, inverse)
    dx = normalize_input_gradient(x, gradient, mean, inverse, weight, parameter_gradients)
    expected = batch_norm_gradients_reference(*(a.astype(np.float64) for a in (x, weight, gradient)), EPS)
    eps, m = np.finfo(dtype).eps, len(x)
    inverse, size = inverse.astype(np.float64), np.abs(x) + np.abs(mean)
    # sums are in float64; what is summed carries the roundings of mean, x - mean and 1 / deviation: 2 eps of `size`
    by_weight = (2 * eps + m * 2.3e-16) * (np.abs(gradient) * size).sum(axis=0) * inverse
    by_bias = m * np.finfo(np.float64).eps * np.abs(gradient).sum(axis=0)
    assert_within(parameter_gradients[0], expected[1], by_weight)
    assert_within(parameter_gradients[1], expected[2], by_bias)
    # dx adds three terms, each with at most 8 roundings, and inherits the error of dL/dweight
    along = np.abs(parameter_gradients[0]) * inverse / m
    terms = np.abs(gradient) + np.abs(gradient).mean(axis=0) + size * along
    bound = np.abs(inverse * weight) * (8 * eps * terms + size * by_weight * inverse / m)
    assert dx.dtype == dtype
    assert_within(dx, expected[0], bound)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("dtype", DTYPES)
def test_tiny_input_gradient_in_evaluation(dtype):
    # mean and variance are constants, so the Jacobian is diagonal; two products are rounded
    x, weight, _, gradient = make((5, 3), dtype)
    mean, inverse = factors(x)
    dx = normalize_input_gradient(x, gradient, mean, inverse, weight)
    assert dx.dtype == dtype
    exact = gradient.astype(np.float64) * inverse.astype(np.float64) * weight
    assert_within(dx, exact, np.finfo(dtype).eps * np.abs(exact) * 1.01)


def test_tiny_training_gradient_has_no_component_along_constants_and_x():
    # adding a constant to a channel, or scaling it, does not change the output (for eps = 0)
    x, weight, _, gradient = make((12, 2), np.float64)
    mean, variance = batch_statistics(x)
    inverse = 1 / np.sqrt(variance)
    parameter_gradients = normalize_parameter_gradients(x, gradient, mean, inverse)
    dx = normalize_input_gradient(x, gradient, mean, inverse, weight, parameter_gradients)
    scale = 100 * np.finfo(np.float64).eps * np.abs(dx).sum(axis=0) * np.abs(x).max()
    assert_within(dx.sum(axis=0), np.zeros(2), scale)
    assert_within((dx * x).sum(axis=0), np.zeros(2), scale)


def test_tiny_inputs_stay_as_they_are():
    x, weight, bias, gradient = make((5, 3), np.float32)
    mean, inverse = factors(x)
    arrays = x, weight, bias, gradient, mean, inverse
    copies = [array.copy() for array in arrays]
    normalize(x, mean, inverse, weight, bias)
    parameter_gradients = normalize_parameter_gradients(x, gradient, mean, inverse)
    kept = [array.copy() for array in parameter_gradients]
    normalize_input_gradient(x, gradient, mean, inverse, weight, parameter_gradients)
    assert_unchanged(arrays, copies)
    assert_unchanged(parameter_gradients, kept)


def test_no_rows_in_evaluation():
    x, weight, bias, gradient = make((0, 3), np.float32)
    ones = np.ones(3, np.float32)
    assert normalize(x, ones, ones, weight, bias).shape == (0, 3)
    assert normalize_input_gradient(x, gradient, ones, ones, weight).shape == (0, 3)
    for total in normalize_parameter_gradients(x, gradient, ones, ones):
        assert np.array_equal(total, np.zeros(3))
