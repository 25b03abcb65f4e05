"""Long sums: as good as in float64 but for a few roundings; short ones, NumPy's own bits."""

import math

import numpy as np
import pytest
from support import normal

from mininet import Tensor
from mininet import functional as F
from mininet.kernels.sums import sum_over


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((1000, 3), (0,)), ((2, 129, 3), (0, 1)), ((200, 3, 0), (0, 1)), ((0, 300), (0, 1)), ((3, 300, 2), (1,)),
     ((2, 300, 3), (2, 0)), ((40, 3, 40), (0, 2)), ((20_001, 2), (0, 1)), ((128, 3), (0,)), ((8, 4, 4, 3), (1, 2))],
)  # fmt: skip
def test_any_axes_of_any_layout(shape, axes, keepdims):
    base = normal(shape, np.float32) + np.float32(1)
    for array in (
        base,
        np.asfortranarray(base),
        np.repeat(base, 2, axis=-1)[..., ::2],
        np.broadcast_to(base[:1], shape),
    ):
        found, truth = sum_over(array, axes, keepdims), array.sum(axis=axes, keepdims=keepdims, dtype=np.float64)
        size = np.abs(array).sum(axis=axes, keepdims=keepdims, dtype=np.float64)
        assert (found.shape, found.dtype) == (truth.shape, np.float32)
        assert (np.abs(found - truth) <= 16 * np.finfo(np.float32).eps * size).all()
        if math.prod(shape[axis] for axis in axes) <= 128:
            assert np.array_equal(found, array.sum(axis=axes, keepdims=keepdims))


def test_operations_add_a_million_numbers_to_a_few_roundings():
    rows = np.full((2**20, 2), 0.1, np.float32)
    images = rows.reshape(1, 1024, 1024, 2)
    bias, weight = (Tensor(np.zeros(shape, np.float32), requires_grad=True) for shape in ((2,), (1, 1, 2, 2)))
    seed = np.full((2, 2**19, 2), 0.1, np.float32)
    for function in (
        lambda: F.linear(seed, weight.data[0, 0], bias), lambda: F.add(seed, bias),
        lambda: F.conv2d(images.reshape(2, 512, 1024, 2), weight, bias),
    ):  # fmt: skip
        bias.grad = None
        out = function()
        out.backward(seed.reshape(out.shape))
        np.testing.assert_allclose(bias.grad, 0.1 * 2**20, rtol=1e-5)
    for found in (F.mean(rows, axis=0), F.sum(rows, axis=0) / 2**20, F.mean(rows[:, :1]), F.global_avg_pool2d(images),
                  F.avg_pool2d(images, 1024), F.sum(rows.T.reshape(2, 2**10, 2**10), axis=(1, 2)) / 2**20):  # fmt: skip
        np.testing.assert_allclose(found.data, 0.1, rtol=1e-5)
    x = Tensor(np.zeros((1, 191, 191, 1), np.float32), requires_grad=True)
    F.avg_pool2d(x, 96, stride=1).sum().backward()
    np.testing.assert_allclose(x.grad[0, 95, 95], 1, rtol=1e-5)  # the pixel that lies in all 96 * 96 windows
