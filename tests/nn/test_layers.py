"""Each layer calls its function with its settings and parameters; initial values, running statistics."""

import copy
import math

import numpy as np
import pytest
from reversible_support import assert_same_bits
from support import normal

from mininet import Tensor, manual_seed, nn
from mininet import functional as F
from mininet.autodiff import replaying
from mininet.seeding import position

IMAGES = (2, 5, 6, 3)


def batch_norm(layer, x):
    return F.batch_norm(
        x, layer.weight, layer.bias, layer.running_mean, layer.running_var, layer.training, layer.momentum, layer.eps
    )


LAYERS = {
    "Linear": (nn.Linear(3, 4), lambda layer, x: F.linear(x, layer.weight, layer.bias)),
    "Linear without bias": (nn.Linear(3, 4, bias=False), lambda layer, x: F.linear(x, layer.weight)),
    "Conv2d": (
        nn.Conv2d(3, 6, (3, 2), stride=(2, 1), padding=(1, 0)),
        lambda layer, x: F.conv2d(x, layer.weight, layer.bias, (2, 1), (1, 0)),
    ),
    "Conv2d without bias": (nn.Conv2d(3, 2, 3, bias=False), lambda layer, x: F.conv2d(x, layer.weight)),
    "Conv2d, dilated and in groups": (
        nn.Conv2d(3, 6, (2, 3), padding=(1, 2), dilation=(3, 2), groups=3),
        lambda layer, x: F.conv2d(x, layer.weight, layer.bias, padding=(1, 2), dilation=(3, 2), groups=3),
    ),
    "BatchNorm2d": (nn.BatchNorm2d(3, momentum=0.3, eps=0.01), batch_norm),
    "BatchNorm2d in evaluation": (nn.BatchNorm2d(3, eps=0.01).eval(), batch_norm),
    "GroupNorm": (
        nn.GroupNorm(3, 3, eps=0.01), lambda layer, x: F.group_norm(x, 3, layer.weight, layer.bias, eps=0.01)
    ),
    "Sigmoid": (nn.Sigmoid(), lambda layer, x: F.sigmoid(x)),
    "SiLU": (nn.SiLU(), lambda layer, x: F.silu(x)),
    "Identity": (nn.Identity(), lambda layer, x: 1 * x),
    "ReLU": (nn.ReLU(), lambda layer, x: F.relu(x)),
    "Tanh": (nn.Tanh(), lambda layer, x: F.tanh(x)),
    "MaxPool2d": (nn.MaxPool2d(2), lambda layer, x: F.max_pool2d(x, 2)),
    "MaxPool2d, overlapping": (nn.MaxPool2d(3, 2, 1), lambda layer, x: F.max_pool2d(x, 3, 2, 1)),
    "AvgPool2d": (nn.AvgPool2d(3, 1, 1), lambda layer, x: F.avg_pool2d(x, 3, 1, 1)),
    "GlobalAvgPool2d": (nn.GlobalAvgPool2d(), lambda layer, x: F.global_avg_pool2d(x)),
    "Flatten": (nn.Flatten(), lambda layer, x: F.flatten(x)),
    "Dropout in evaluation": (nn.Dropout(0.5).eval(), lambda layer, x: 1 * x),
    "Dropout of nothing": (nn.Dropout(0), lambda layer, x: 1 * x),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_gradients_and_statistics_are_those_of_the_function(name, dtype):
    layer, function = LAYERS[name]
    steps = []
    for call in (lambda layer, x: layer(x), function):
        again, x = copy.deepcopy(layer).to(dtype), Tensor(normal(IMAGES, dtype), requires_grad=True)
        out = call(again, x)
        out.backward(normal(out.shape, dtype, 1))
        gradients = {f"grad.{name}": parameter.grad for name, parameter in again.named_parameters()}
        steps.append({"out": out.data, "grad.x": x.grad, **gradients, **again.state_dict()})
    assert_same_bits(*steps)
    assert steps[0]["out"].dtype == dtype


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


def test_running_statistics_stay_in_evaluation_and_replay():
    layer, x = nn.BatchNorm2d(3), normal(IMAGES, np.float32)
    before = layer.state_dict()
    with replaying(position()):
        again = layer(x)
    layer.eval()
    layer(x)
    assert all(np.array_equal(array, before[name]) for name, array in layer.state_dict().items())
    layer.train()
    assert np.array_equal(layer(x).data, again.data), "a replay normalises with the batch's statistics all the same"
    assert layer.running_mean.any()
