"""What `tests/generated/test_operations.py` cannot say about normalisation; what it refuses is in `tests/misuse`."""

import numpy as np
import pytest
from support import DTYPES, assert_within, normal

from mininet import Tensor
from mininet import functional as F

ONES = np.ones(3)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"weight": ONES.astype(np.float32)}, TypeError),
        ({"bias": ONES.astype(np.float32)}, TypeError),
        ({"x": np.ones((1, 3))}, ValueError),
    ],
)
def test_what_batch_norm_refuses_moves_no_statistics(changes, error):
    mean, variance = np.ones(3), np.ones(3)
    arguments = {"x": normal((4, 3)), "weight": ONES, "bias": ONES} | changes
    with pytest.raises(error):
        F.batch_norm(*arguments.values(), mean, variance, True)
    assert mean.tolist() == variance.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_norm_moves_running_statistics_in_training(dtype):
    x = normal((6, 2, 3), dtype) * dtype(2) + dtype(1)
    mean, variance = np.array([1, 2, 3], dtype), np.array([4, 5, 6], dtype)
    expected_mean = 0.8 * mean.astype(float) + 0.2 * x.astype(float).mean(axis=(0, 1))
    expected_variance = 0.8 * variance.astype(float) + 0.2 * x.astype(float).var(axis=(0, 1), ddof=1)
    F.batch_norm(x, np.ones(3, dtype), np.ones(3, dtype), mean, variance, True, momentum=0.2)
    # two products, a sum and, in float64, m additions
    bound = 4 * np.finfo(dtype).eps * 10
    assert_within(mean, expected_mean, bound)
    assert_within(variance, expected_variance, bound)
    assert mean.dtype == variance.dtype == dtype


@pytest.mark.parametrize("settings", [{"training": False}, {"training": True, "update": False}], ids=str)
def test_batch_norm_leaves_running_statistics_alone(settings):
    mean, variance = np.array([1.0, 2, 3]), np.array([4.0, 5, 6])
    F.batch_norm(normal((4, 3)), ONES, ONES, mean, variance, **settings)
    assert mean.tolist() == [1, 2, 3]
    assert variance.tolist() == [4, 5, 6]


def test_batch_norm_differentiates_with_the_statistics_of_its_call():
    # running statistics may move between forward and backward
    x = Tensor(normal((4, 3)), requires_grad=True)
    mean, variance = np.zeros(3), np.ones(3)
    y = F.batch_norm(x, ONES, ONES, mean, variance, False, eps=0.0)
    variance *= 100
    y.sum().backward()
    assert (x.grad == 1).all()


def test_batch_norm_of_a_constant_channel_is_finite():
    x = Tensor(np.full((4, 3), 5.0), requires_grad=True)
    y = F.batch_norm(x, ONES, ONES * 0.5, np.zeros(3), np.ones(3), True)
    y.backward(normal((4, 3)))
    assert (y.data == 0.5).all()
    assert np.isfinite(x.grad).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_two_values_of_a_channel_have_statistics(channels):
    x = np.array([[1.0] * channels, [3.0] * channels])  # mean 2, variance 1: they become -1 and 1
    one, zero = np.ones(channels), np.zeros(channels)
    out = F.batch_norm(x, one, zero, zero.copy(), one.copy(), training=True, eps=1e-12)
    np.testing.assert_allclose(out.data, [[-1.0] * channels, [1.0] * channels], rtol=1e-11)
