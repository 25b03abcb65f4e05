"""How a convolution is computed: groups, dilation, the method that was asked for."""

import numpy as np
import pytest
from support import normal

from mininet import Tensor
from mininet import functional as F
from mininet.kernels.simd import lanes

L = lanes(np.float32)


def step(x, weight, seed, **settings):
    """The output and both gradients."""
    x, weight = Tensor(x, requires_grad=True), Tensor(weight, requires_grad=True)
    y = F.conv2d(x, weight, padding=1, **settings)
    y.backward(seed)
    return y.data, x.grad, weight.grad


@pytest.mark.parametrize("settings", [{}, {"stride": 2}, {"dilation": 2, "padding": 1}], ids=str)
def test_each_group_is_a_convolution_of_its_own(settings):
    """By the same method, so to the same bits: Winograd's, direct and by patches."""
    padding = settings.pop("padding", 1)
    x, weight = normal((2, 8, 9, 2 * L), np.float32), normal((3, 3, L, 2 * L), np.float32, 1)
    seed = normal(F.conv2d(x, weight, padding=padding, groups=2, **settings).shape, np.float32, 2)
    whole = step(x, weight, seed, groups=2, **settings)
    parts = zip(*(np.split(array, 2, axis=3) for array in (x, weight, seed)), strict=True)
    for array, *halves in zip(whole, *(step(*part, **settings) for part in parts), strict=True):
        assert np.array_equal(array, np.concatenate(halves, axis=3))


@pytest.mark.parametrize(("method", "seen"), [("auto", 25), ("winograd", 25), ("direct", 9)])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_how_far_one_bad_pixel_reaches(method, seen, bad):
    x, weight = normal((1, 12, 12, L), np.float32), normal((3, 3, L, L), np.float32, 1)
    x[0, 4, 4, 0] = bad
    y = F.conv2d(x, weight, padding=1, method=method).data
    assert (~np.isfinite(y[..., 0])).sum() == seen


def test_the_direct_method_keeps_digits_beside_a_huge_pixel():
    x, weight = np.full((1, 12, 12, L), 0.1, np.float32), np.full((3, 3, L, L), 1, np.float32)
    expected = F.conv2d(x.astype(float), weight.astype(float), padding=1).data[0, 2:, 2:]
    x[0, 0, 0, 0] = 1e6
    errors = {}
    for method in ("direct", "winograd"):
        y = F.conv2d(x, weight, padding=1, method=method).data[0, 2:, 2:]
        errors[method] = np.abs(y - expected).max() / expected.max()
    assert errors["direct"] < 9 * L * np.finfo(np.float32).eps < 1e-3 < errors["winograd"]


def test_winograds_method_where_it_would_not_be_chosen():
    """On an image so small that most of a tile is wasted; the gradient with respect to x is by the same method."""
    x, weight = normal((1, 2, 2, L), np.float32), normal((3, 3, L, L), np.float32, 1)
    ours, theirs = (step(x, weight, x, method=method) for method in ("winograd", "auto"))
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert not np.array_equal(one, other)
        np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max())
