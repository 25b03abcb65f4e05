"""Batch normalisation against its definition."""

import numpy as np
import pytest
from references import batch_norm_gradients_reference, batch_norm_reference
from support import DTYPES, assert_within, normal

from mininet.kernels import normalization
from mininet.kernels.normalization import (
    batch_statistics,
    normalize,
    normalize_input_gradient,
    normalize_parameter_gradients,
)

EPS = 1e-5
SHAPES = [(2, 1), (5, 3), (12, 2), (20, 3)]


def make(shape, dtype):
    x = (normal(shape, seed=1) * np.linspace(0.5, 2, shape[1]) + np.linspace(-1, 3, shape[1])).astype(dtype)
    weight, bias = normal(shape[1:], dtype, 2), normal(shape[1:], dtype, 3)
    return x, weight, bias, normal(shape, dtype, 4)


def factors(x):
    """(mean, 1 / deviation) in the dtype of x, as the operation hands them to the kernels."""
    mean, variance = batch_statistics(x)
    return mean.astype(x.dtype), (1 / np.sqrt(variance + EPS)).astype(x.dtype)


CUTS = {
    "one group": (2**15, 256),
    "groups of 1 wide row": (1, 256),
    "groups of some rows, 2 or 4 side by side": (24, 12),
}


@pytest.fixture(params=CUTS.values(), ids=CUTS)
def groups(request, monkeypatch):
    """Sums over groups, and over rows side by side, must not lose or repeat a row."""
    monkeypatch.setattr(normalization, "ELEMENTS_PER_GROUP", request.param[0])
    monkeypatch.setattr(normalization, "WIDE", request.param[1])


@pytest.mark.parametrize(
    ("shape", "wide", "expected"),
    [((16, 3), 256, (1, 48)), ((16, 3), 11, (8, 6)), ((12, 2), 256, (3, 8)), ((8, 300), 256, (8, 300))],
)
def test_tiny_rows_side_by_side(monkeypatch, shape, wide, expected):
    monkeypatch.setattr(normalization, "WIDE", wide)
    x = normal(shape)
    found = normalization._widened(x)
    assert found.shape == expected
    assert np.shares_memory(found, x)
    assert np.array_equal(found.ravel(), x.ravel())


@pytest.mark.usefixtures("groups")
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


@pytest.mark.usefixtures("groups")
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


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_tiny_gradients_in_training(shape, dtype):
    x, weight, bias, gradient = make(shape, dtype)
    mean, inverse = factors(x)
    arguments = x, gradient, mean, inverse, weight, bias
    parameter_gradients = normalize_parameter_gradients(*arguments)
    dx = normalize_input_gradient(*arguments, parameter_gradients=parameter_gradients)
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


def test_tiny_input_gradient_in_evaluation():
    # mean and variance are constants, so the Jacobian is diagonal; two products are rounded
    x, weight, bias, gradient = make((5, 3), np.float64)
    mean, inverse = factors(x)
    expected = gradient * inverse * weight
    dx = normalize_input_gradient(x, gradient, mean, inverse, weight, bias)
    assert_within(dx, expected, np.finfo(np.float64).eps * np.abs(expected) * 1.01)


def test_statistics_of_several_groups():
    group = normalization.ELEMENTS_PER_GROUP // 16
    x = normal((4 * group + 7, 16), np.float32) + np.float32(1000)
    mean, variance = batch_statistics(x)
    exact = x.astype(np.float64)
    # float32 sums, or E x^2 - (E x)^2, would be off by 1e-4 and more; float64 ones by m eps |x|
    assert_within(mean, exact.mean(axis=0), len(x) * np.finfo(np.float64).eps * 1000)
    assert_within(variance, exact.var(axis=0), len(x) * np.finfo(np.float64).eps * 2000)


# With the ReLU that follows


def with_zeros(shape, dtype):
    """Integers, so that the normalised value is exactly 0 in many places; mean, 1 / deviation, weight and bias too."""
    x, gradient = (np.round(2 * normal(shape, dtype, seed)) for seed in (1, 2))
    channels = np.arange(shape[1])
    vectors = channels % 3 - 1, 2.0 ** -(channels % 2), (-1.0) ** channels, channels % 2 - 0.5 * (channels % 3)
    return x, gradient, *(vector.astype(dtype) for vector in vectors)


def ordinary(shape, dtype):
    x, weight, bias, gradient = make(shape, dtype)
    return x, gradient, *factors(x), weight, bias


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("given", "shape"), [(with_zeros, (12, 2)), (with_zeros, (5, 3)), (ordinary, (24, 8))])
def test_tiny_relu_in_the_same_pass_changes_no_bit(given, shape, dtype):
    x, gradient, *others = given(shape, dtype)
    plain = normalize(x, *others)
    if given is with_zeros:
        assert (plain == 0).sum() > 1
    assert (plain > 0).any()
    assert (plain < 0).any()
    out = normalize(x, *others, True)
    assert out.dtype == dtype
    assert np.array_equal(out, np.maximum(plain, 0))
    passed = np.where(plain > 0, gradient, dtype(0))  # nothing passes where the ReLU's input is exactly 0
    expected = normalize_parameter_gradients(x, passed, *others)
    found = normalize_parameter_gradients(x, gradient, *others, True)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float64
        assert np.array_equal(one, other)
    for sums in (None, expected):
        dx = normalize_input_gradient(x, gradient, *others, True, sums)
        assert dx.dtype == dtype
        assert np.array_equal(dx, normalize_input_gradient(x, passed, *others, False, sums))


@pytest.mark.parametrize("relu", [False, True])
def test_no_rows_in_evaluation(relu):
    x, weight, bias, gradient = make((0, 3), np.float32)
    others = np.ones(3, np.float32), np.ones(3, np.float32), weight, bias, relu
    assert normalize(x, *others).shape == (0, 3)
    assert normalize_input_gradient(x, gradient, *others).shape == (0, 3)
    for total in normalize_parameter_gradients(x, gradient, *others):
        assert np.array_equal(total, np.zeros(3))
