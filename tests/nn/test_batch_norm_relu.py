"""Batch normalisation computed along with its ReLU: the same bits as the two modules one after the other."""

import numpy as np
import pytest
from reversible_support import assert_same_bits
from support import DTYPES, normal

from mininet import Tensor, manual_seed, nn
from mininet import functional as F
from mininet.autodiff import replaying
from mininet.seeding import position

CHANNELS = 3
IMAGES = (4, 6, 5, CHANNELS)


class OwnNorm(nn.BatchNorm2d):
    """Somebody's own kind of batch norm, which knows nothing of a ReLU."""

    def forward(self, x):
        return super().forward(x) + 0.25


class LeakyReLU(nn.ReLU):
    """Somebody's own kind of ReLU."""

    def forward(self, x):
        return F.maximum(x, 0.1 * x)


def conv():
    return nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)


def norm(kind=nn.BatchNorm2d, channels=CHANNELS):
    """With weights of both signs (and one of 0), and running statistics that were moved."""
    layer = kind(channels)
    layer.weight.data[...] = np.resize([1.5, -0.7, 0, 1], channels)
    layer.bias.data[...] = np.resize([0.1, 0.3, 0.4, -0.2], channels)
    layer.running_mean[...] = np.resize([0.2, -0.1, 0, 0.1], channels)
    layer.running_var[...] = np.resize([0.5, 2, 1, 1.5], channels)
    return layer


ARRANGEMENTS = {
    "alone": (lambda: [norm(), nn.ReLU()], "norm+relu"),
    "a residual function": (lambda: [conv(), norm(), nn.ReLU(), conv(), norm()], "conv2d norm+relu conv2d norm"),
    "pre-activation": (lambda: [norm(), nn.ReLU(), conv(), norm(), nn.ReLU()], "norm+relu conv2d norm+relu"),
    "relu first, norm last": (lambda: [nn.ReLU(), norm()], "relu norm"),
    "both doubled": (lambda: [norm(), norm(), nn.ReLU(), nn.ReLU()], "norm norm+relu relu"),
    "the same norm twice": (lambda: [each := norm(), nn.ReLU(), each, nn.ReLU()], "norm+relu norm+relu"),
    "an empty one in between": (lambda: [norm(), nn.Sequential(), nn.ReLU()], "norm relu"),
    "nested": (lambda: [nn.Sequential(conv(), norm()), nn.ReLU()], "conv2d norm relu"),
    "a function for a relu": (lambda: [norm(), F.relu], "norm relu"),
    "own norm": (lambda: [norm(OwnNorm), nn.ReLU()], "norm add relu"),
    "own relu": (lambda: [norm(), LeakyReLU()], "norm multiply maximum"),
}
every_arrangement = pytest.mark.parametrize("name", ARRANGEMENTS)


def one_by_one(modules, x):
    """The modules by themselves, each called as anybody would."""
    for module in modules:
        x = one_by_one(module, x) if isinstance(module, nn.Sequential) else module(x)
    return x


def built(name, dtype=np.float64):
    manual_seed(0)
    return nn.Sequential(*ARRANGEMENTS[name][0]()).to(dtype)


def step(net, forward, x, x_needs_gradient=True):
    """What comes out of forward and backward: output, all gradients, and running statistics."""
    x = Tensor(x, requires_grad=x_needs_gradient)
    y = forward(x)
    y.backward(normal(y.shape, dtype=y.dtype, seed=2))
    found = {"y": y.data, "x": x.grad} | {name: parameter.grad for name, parameter in net.named_parameters()}
    return found | dict(net.named_buffers())


def assert_same_as_one_by_one(build, x, prepare=lambda net: None, **settings):
    fused, plain = build(), build()
    prepare(fused)
    prepare(plain)
    ours = step(fused, fused, x, **settings)
    assert_same_bits(ours, step(plain, lambda x: one_by_one(list(plain), x), x, **settings))
    return ours


@every_arrangement
def test_what_is_merged(name):
    def name_of(record):
        operation = record.operation.name
        return operation if operation != "batch_norm" else "norm+relu" if record.saved[-1] else "norm"

    for net in (built(name).train(), built(name).eval()):
        tape = net(Tensor(normal(IMAGES, seed=1), requires_grad=True)).tape()
        assert " ".join(map(name_of, tape)) == ARRANGEMENTS[name][1]


@every_arrangement
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
def test_same_bits(training, name, dtype):
    found = assert_same_as_one_by_one(lambda: built(name, dtype).train(training), normal(IMAGES, dtype=dtype, seed=1))
    before = dict(built(name, dtype).named_buffers())
    assert all(np.array_equal(found[name], array) != training for name, array in before.items())


@every_arrangement
def test_same_bits_in_replay(name):
    nets, x = [built(name, np.float32) for _ in range(2)], normal(IMAGES, dtype=np.float32, seed=1)
    statistics = {name: array.copy() for name, array in nets[1].named_buffers()}
    first = step(nets[0], nets[0], x)
    with replaying(position()):
        again = step(nets[1], nets[1], x)
    assert_same_bits(again, first | statistics)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frozen", ["weight", "bias"])
@pytest.mark.parametrize("x_needs_gradient", [True, False])
def test_same_bits_with_frozen_parameters(frozen, training, x_needs_gradient):
    def prepare(net):
        getattr(net[0], frozen).requires_grad = False

    found = assert_same_as_one_by_one(
        lambda: built("alone").train(training), normal(IMAGES), prepare, x_needs_gradient=x_needs_gradient
    )
    assert [name for name, array in found.items() if array is None] == ["x"] * (not x_needs_gradient) + [f"0.{frozen}"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 16])
def test_same_bits_for_many_rows(channels, dtype):
    """Enough for several groups of rows, and for several threads."""
    x = normal((-(-300_000 // (15 * channels)), 3, 5, channels), dtype)
    assert_same_as_one_by_one(lambda: nn.Sequential(norm(channels=channels), nn.ReLU()).to(dtype), x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_same_values_that_are_not_finite(bad):
    """In evaluation, where they do not spread: a NaN stays one, and infinity is cut off on one side."""
    x = normal(IMAGES, dtype=np.float32)
    x[1, 2, 3] = bad
    net = built("alone", np.float32).eval()
    with np.errstate(invalid="ignore"):
        ours, theirs = net(x).data, one_by_one(list(net), x).data
    assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.isnan(ours[1, 2, 3]).all() == np.isnan(bad)


@pytest.mark.parametrize("part", [slice(2), slice(2, None), slice(1, 3), slice(None, None, -1)], ids=str)
def test_slices(part):
    """A slice between the two takes one of them along, and only that."""
    whole, plain = built("a residual function"), built("a residual function")
    x = normal(IMAGES, seed=1)
    ours = step(whole, whole[part], x)
    assert_same_bits(ours, step(plain, lambda x: one_by_one(list(plain)[part], x), x))
    assert len(whole[part]) == len(list(plain)[part])
