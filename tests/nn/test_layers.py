"""Each layer against plain NumPy and finite differences; initial values, running statistics, dropout and errors."""

import math

import numpy as np
import pytest
from operation_table import convolution_truth
from references import batch_norm_reference

from mininet import check_gradient, manual_seed, nn
from mininet.autodiff import replaying
from mininet.kernels.convolution import convolve_reference
from mininet.seeding import position

EPS32 = float(np.finfo(np.float32).eps)


def random(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def windows(x, size, stride):
    """The windows of (n, h, w, c) images as an array (n, oy, ox, c, size, size)."""
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return view[:, ::stride, ::stride]


def parameter(layer, name):
    return dict(layer.named_parameters())[name].data


def padded(x, margin, fill=0.0):
    return np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), constant_values=fill)


def batch_norm_in_evaluation(layer, x):
    normal = (x - layer.running_mean) / np.sqrt(layer.running_var + layer.eps)
    return normal * layer.weight.data + layer.bias.data


def bn():
    layer = nn.BatchNorm2d(3)
    layer.weight.data[...], layer.bias.data[...] = [0.5, 1, 2], [1, 0, -1]
    layer.running_mean[...], layer.running_var[...] = [1, 2, 3], [0.5, 1, 2]
    return layer


IMAGES = (2, 5, 6, 3)
LAYERS = {
    "Linear": (lambda: nn.Linear(3, 4), IMAGES, lambda layer, x: x @ layer.weight.data + layer.bias.data),
    "Linear without bias": (lambda: nn.Linear(3, 4, bias=False), (5, 3), lambda layer, x: x @ layer.weight.data),
    "Conv2d": (
        lambda: nn.Conv2d(3, 2, (3, 2), stride=(2, 1), padding=(1, 0)), IMAGES,
        lambda layer, x: convolve_reference(x, layer.weight.data, (2, 1), (1, 0)) + layer.bias.data,
    ),
    "Conv2d without bias": (
        lambda: nn.Conv2d(3, 2, 3, padding=1, bias=False), IMAGES,
        lambda layer, x: convolve_reference(x, layer.weight.data, (1, 1), (1, 1)),
    ),
    "BatchNorm2d": (
        bn, IMAGES,
        lambda layer, x: batch_norm_reference(
            x.reshape(-1, 3), layer.weight.data, layer.bias.data, 1e-5
        ).reshape(x.shape),
    ),
    "BatchNorm2d in evaluation": (lambda: bn().eval(), IMAGES, batch_norm_in_evaluation),
    "Conv2d, dilated and in groups": (
        lambda: nn.Conv2d(3, 6, (2, 3), padding=(1, 2), dilation=(3, 2), groups=3), IMAGES,
        lambda layer, x: convolution_truth(
            x, layer.weight.data, layer.bias.data, stride=(1, 1), padding=(1, 2), dilation=(3, 2), groups=3
        ),
    ),
    "GroupNorm": (
        lambda: nn.GroupNorm(3, 3), IMAGES,
        lambda layer, x: (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5),
    ),
    "Sigmoid": (nn.Sigmoid, IMAGES, lambda layer, x: 1 / (1 + np.exp(-x))),
    "SiLU": (nn.SiLU, IMAGES, lambda layer, x: x / (1 + np.exp(-x))),
    "Identity": (nn.Identity, IMAGES, lambda layer, x: x),
    "ReLU": (nn.ReLU, IMAGES, lambda layer, x: np.where(x > 0, x, 0)),
    "Tanh": (nn.Tanh, IMAGES, lambda layer, x: np.tanh(x)),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), IMAGES, lambda layer, x: windows(x, 2, 2).max(axis=(-2, -1))),
    "MaxPool2d, overlapping": (
        lambda: nn.MaxPool2d(3, 2, 1), IMAGES,
        lambda layer, x: windows(padded(x, 1, -np.inf), 3, 2).max(axis=(-2, -1)),
    ),
    "AvgPool2d": (
        lambda: nn.AvgPool2d(3, 1, 1), IMAGES, lambda layer, x: windows(padded(x, 1), 3, 1).mean(axis=(-2, -1)),
    ),
    "GlobalAvgPool2d": (nn.GlobalAvgPool2d, IMAGES, lambda layer, x: x.mean(axis=(1, 2))),
    "Flatten": (nn.Flatten, IMAGES, lambda layer, x: x.reshape(2, -1)),
    "Dropout in evaluation": (lambda: nn.Dropout(0.5).eval(), IMAGES, lambda layer, x: x),
    "Dropout of nothing": (lambda: nn.Dropout(0), IMAGES, lambda layer, x: x),
}  # fmt: skip

every_layer = pytest.mark.parametrize("name", LAYERS)


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(name, dtype):
    build, shape, expected = LAYERS[name]
    layer, x = build().to(dtype), random(*shape, dtype=dtype)
    before = x.copy()
    out = layer(x)
    assert out.dtype == dtype
    # sums of at most 30 products (or over 30 pixels) of values below 10, each rounded
    bound = 30 * 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(out.data, expected(layer, x), rtol=bound, atol=bound)
    assert np.array_equal(x, before)


@every_layer
def test_gradients_by_x(name):
    build, shape, _ = LAYERS[name]
    check_gradient(build().to(np.float64), random(*shape))


@every_layer
def test_gradients_by_parameters(name):
    """The weights take the place of the parameters, one layer for each evaluation."""
    build, shape, _ = LAYERS[name]
    layer, x = build().to(np.float64), random(*shape)
    names = [name for name, _ in layer.named_parameters()]

    def function(*weights):
        for name, weight in zip(names, weights, strict=True):
            setattr(layer, name, weight)
        return layer(x)

    if names:
        check_gradient(function, *(parameter(layer, name).copy() for name in names))


# Initial values


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 500), (1, 1000)])
def test_linear_starts_uniform(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    bound = 1 / math.sqrt(inputs)
    for values in (layer.weight.data, layer.bias.data):
        assert values.dtype == np.float32
        assert np.abs(values).max() <= np.float32(bound)
    weights = layer.weight.data.astype(np.float64).ravel()
    deviation = bound / math.sqrt(3 * weights.size)  # of the mean of as many uniform numbers
    assert abs(weights.mean()) < 5 * deviation
    # the largest of m uniform numbers falls short of the bound by 10/m of it with probability e^-10
    assert np.abs(weights).max() > bound * (1 - 10 / weights.size)


def test_convolution_starts_normal():
    layer = nn.Conv2d(8, 32, (3, 5))
    weights = layer.weight.data.astype(np.float64).ravel()
    variance = 2 / (3 * 5 * 32)
    assert layer.weight.shape == (3, 5, 8, 32)
    assert layer.weight.dtype == np.float32
    assert abs(weights.mean()) < 5 * math.sqrt(variance / weights.size)
    # the variance of a sample of m normal numbers deviates by variance * sqrt(2 / m)
    assert abs(weights.var() - variance) < 5 * variance * math.sqrt(2 / weights.size)
    assert not layer.bias.data.any()
    assert (layer.in_channels, layer.out_channels, layer.kernel_size) == (8, 32, (3, 5))
    manual_seed(1)
    plain, grouped = nn.Conv2d(8, 32, 3).weight.data, nn.Conv2d(8, 32, 3, groups=4).weight.data
    assert grouped.shape == (3, 3, 2, 32)
    assert 1.7 < grouped.std() / plain.std() < 2.3  # an output channel's gradient comes from a quarter of the weights


# Batch normalisation


@pytest.mark.parametrize("momentum", [0.1, 1.0])
def test_running_statistics_move_by_the_share_momentum_to_the_unbiased_variance(momentum):
    layer = nn.BatchNorm2d(3, momentum=momentum)
    mean, variance = np.zeros(3), np.ones(3)
    for seed in range(3):
        x = 2 * random(*IMAGES, dtype=np.float32, seed=seed) + 1
        layer(x)
        mean = (1 - momentum) * mean + momentum * x.astype(np.float64).mean(axis=(0, 1, 2))
        variance = (1 - momentum) * variance + momentum * x.astype(np.float64).var(axis=(0, 1, 2), ddof=1)
    # kept in float32: an epsilon for each product, sum and rounding of 3 updates
    np.testing.assert_allclose(layer.running_mean, mean, rtol=20 * EPS32, atol=20 * EPS32)
    np.testing.assert_allclose(layer.running_var, variance, rtol=20 * EPS32, atol=0)
    assert layer.running_mean.dtype == layer.running_var.dtype == np.float32


def test_running_statistics_stay_in_evaluation_and_replay():
    layer, x = nn.BatchNorm2d(3), random(*IMAGES, dtype=np.float32)
    before = layer.state_dict()
    with replaying(position()):
        again = layer(x)
    layer.eval()
    layer(x)
    assert all(np.array_equal(array, before[name]) for name, array in layer.state_dict().items())
    layer.train()
    assert np.array_equal(layer(x).data, again.data), "a replay normalises with the batch's statistics all the same"
    assert layer.running_mean.any()


# Errors


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.BatchNorm2d(3), (1, 3), "x must have at least 2 values in every channel"),
        (nn.MaxPool2d(3), (1, 2, 2, 3), "size: a window of height 3"),
    ],
)
def test_wrong_shapes(layer, shape, message):
    before = layer.state_dict()
    with pytest.raises(ValueError, match=message):
        layer(np.zeros(shape, np.float32))
    assert all(np.array_equal(array, before[name]) for name, array in layer.state_dict().items())


@pytest.mark.parametrize("layer", [nn.Linear(3, 2), nn.BatchNorm2d(3)])
def test_mixed_dtypes(layer):
    before = layer.state_dict()
    with pytest.raises(TypeError, match=r"float64 and float32: .*convert x with .astype\(np.float32\)"):
        layer(random(*IMAGES))
    assert all(np.array_equal(array, before[name]) for name, array in layer.state_dict().items())
