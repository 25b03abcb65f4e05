"""Batch normalisation computed along with its ReLU: the same bits as the two modules one after the other."""

import numpy as np
import pytest
from reversible_support import assert_same_bits

from mininet import Tensor, manual_seed, nn, no_grad
from mininet import functional as F
from mininet.autodiff import replaying
from mininet.seeding import position

CHANNELS = 3
IMAGES = (4, 6, 5, CHANNELS)
DTYPES = [np.float32, np.float64]


def random(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


class OwnNorm(nn.BatchNorm2d):
    """Somebody's own kind of batch norm, which knows nothing of a ReLU."""

    def forward(self, x):
        return super().forward(x) + 0.25


class LeakyReLU(nn.ReLU):
    """Somebody's own kind of ReLU."""

    def forward(self, x):
        return F.maximum(x, 0.1 * x)


class SameReLU(nn.ReLU):
    pass


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


def twice_the_same():
    layer = norm()
    return [layer, nn.ReLU(), layer, nn.ReLU()]


ARRANGEMENTS = {
    "in the middle": (lambda: [conv(), norm(), nn.ReLU(), conv()], "conv2d norm+relu conv2d"),
    "alone": (lambda: [norm(), nn.ReLU()], "norm+relu"),
    "a residual function": (
        lambda: [conv(), norm(), nn.ReLU(), conv(), norm()], "conv2d norm+relu conv2d norm",
    ),
    "relu first": (lambda: [nn.ReLU(), norm(), nn.ReLU()], "relu norm+relu"),
    "relu first, norm last": (lambda: [nn.ReLU(), norm()], "relu norm"),
    "relu last": (lambda: [conv(), norm(), nn.ReLU()], "conv2d norm+relu"),
    "relu doubled": (lambda: [norm(), nn.ReLU(), nn.ReLU()], "norm+relu relu"),
    "the same relu doubled": (lambda: [norm(), *[nn.ReLU()] * 2, conv()], "norm+relu relu conv2d"),
    "norm doubled": (lambda: [norm(), norm(), nn.ReLU()], "norm norm+relu"),
    "in turn": (lambda: [norm(), nn.ReLU(), norm(), nn.ReLU()], "norm+relu norm+relu"),
    "the same norm twice": (twice_the_same, "norm+relu norm+relu"),
    "norm alone": (lambda: [norm()], "norm"),
    "relu alone": (lambda: [nn.ReLU()], "relu"),
    "something in between": (lambda: [norm(), nn.Tanh(), nn.ReLU()], "norm tanh relu"),
    "an empty one in between": (lambda: [norm(), nn.Sequential(), nn.ReLU()], "norm relu"),
    "nested": (lambda: [nn.Sequential(conv(), norm()), nn.ReLU()], "conv2d norm relu"),
    "nested, pairs": (lambda: [nn.Sequential(norm(), nn.ReLU()), nn.Sequential(nn.ReLU())], "norm+relu relu"),
    "a function for a relu": (lambda: [norm(), F.relu], "norm relu"),
    "own norm": (lambda: [norm(OwnNorm), nn.ReLU()], "norm add relu"),
    "own relu": (lambda: [norm(), LeakyReLU()], "norm multiply maximum"),
    "own relu, the same": (lambda: [norm(), SameReLU()], "norm relu"),
    "own norm, own relu": (lambda: [norm(OwnNorm), LeakyReLU(), nn.ReLU()], "norm add multiply maximum relu"),
    "many channels": (lambda: [norm(channels=16), nn.ReLU(), norm(channels=16)], "norm+relu norm"),
}  # fmt: skip

every_arrangement = pytest.mark.parametrize("name", ARRANGEMENTS)


def one_by_one(modules, x):
    """The modules by themselves, each called as anybody would."""
    for module in modules:
        x = one_by_one(module, x) if isinstance(module, nn.Sequential) else module(x)
    return x


def built(name, dtype=np.float64):
    manual_seed(0)
    return nn.Sequential(*ARRANGEMENTS[name][0]()).to(dtype)


def images(net, dtype=np.float64, count=4):
    channels = next((len(array) for _, array in net.named_buffers()), CHANNELS)
    return random(count, *IMAGES[1:3], channels, dtype=dtype, seed=1)


def step(net, forward, x, x_needs_gradient=True):
    """What comes out of forward and backward: output, all gradients, and running statistics."""
    x = Tensor(x, requires_grad=x_needs_gradient)
    y = forward(x)
    if y.requires_grad:
        y.backward(random(*y.shape, dtype=y.dtype, seed=2))
    found = {"y": y.data, "x": x.grad} | {name: parameter.grad for name, parameter in net.named_parameters()}
    return found | dict(net.named_buffers())


def assert_same_as_one_by_one(build, x, prepare=lambda net: None, **settings):
    fused, plain = build(), build()
    prepare(fused)
    prepare(plain)
    ours = step(fused, fused, x, **settings)
    assert_same_bits(ours, step(plain, lambda x: one_by_one(list(plain), x), x, **settings))
    return ours


def operations(net, x):
    """The operations on the tape, "norm+relu" for the one that computes both."""

    def name(record):
        operation = record.operation.name
        return operation if operation != "batch_norm" else "norm+relu" if record.saved[-1] else "norm"

    return " ".join(map(name, net(Tensor(x, requires_grad=True)).tape()))


@every_arrangement
def test_what_is_merged(name):
    net = built(name)
    for mode in (net.train, net.eval):
        mode()
        assert operations(net, images(net)) == ARRANGEMENTS[name][1]


@every_arrangement
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_in_training(name, dtype):
    net = built(name, dtype)
    found = assert_same_as_one_by_one(lambda: built(name, dtype), images(net, dtype))
    before = dict(net.named_buffers())
    assert all(not np.array_equal(found[name], array) for name, array in before.items()), "they must have moved"


@every_arrangement
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_in_evaluation(name, dtype):
    net = built(name, dtype)
    found = assert_same_as_one_by_one(lambda: built(name, dtype).eval(), images(net, dtype))
    assert all(np.array_equal(found[name], array) for name, array in net.named_buffers())


@every_arrangement
def test_same_bits_in_replay(name):
    net = built(name, np.float32)
    first = step(net, net, images(net, np.float32))
    again = built(name, np.float32)
    statistics = {name: array.copy() for name, array in again.named_buffers()}
    with replaying(position()):
        found = step(again, again, images(net, np.float32))
    assert_same_bits(dict(again.named_buffers()), statistics)
    assert_same_bits({**found, **statistics}, {**first, **statistics})


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frozen", [("weight",), ("bias",), ("weight", "bias")], ids=" and ".join)
@pytest.mark.parametrize("x_needs_gradient", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_with_frozen_parameters(frozen, training, x_needs_gradient, dtype):
    def prepare(net):
        net.train(training)
        for name in frozen:
            getattr(net[0], name).requires_grad = False

    found = assert_same_as_one_by_one(
        lambda: built("alone", dtype), random(*IMAGES, dtype=dtype), prepare, x_needs_gradient=x_needs_gradient
    )
    for name in ("weight", "bias"):
        assert (found[f"0.{name}"] is None) == (name in frozen)
    assert (found["x"] is None) == (not x_needs_gradient)
    net = built("alone", dtype).train(training)
    free = step(net, net, random(*IMAGES, dtype=dtype), x_needs_gradient)
    assert_same_bits({name: free[name] for name in found if found[name] is not None},
                     {name: array for name, array in found.items() if array is not None})  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3, 16, 300])
def test_same_bits_for_many_rows(channels, dtype):
    """Enough for several groups of rows, and for several threads."""

    def build():
        return nn.Sequential(norm(channels=channels), nn.ReLU()).to(dtype)

    assert_same_as_one_by_one(build, random(-(-300_000 // (15 * channels)), 3, 5, channels, dtype=dtype))


def test_same_without_a_tape():
    fused, plain = (built("a residual function", np.float32) for _ in range(2))
    x = images(fused, np.float32)
    with no_grad():
        assert np.array_equal(fused(x).data, one_by_one(list(plain), x).data)
    assert_same_bits(dict(fused.named_buffers()), dict(plain.named_buffers()))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_same_values_that_are_not_finite(bad):
    """In evaluation, where they do not spread: a NaN stays one, and infinity is cut off on one side."""
    x = random(*IMAGES, dtype=np.float32)
    x[1, 2, 3] = bad
    fused, plain = (built("alone", np.float32).eval() for _ in range(2))
    with np.errstate(invalid="ignore"):
        ours, theirs = fused(x).data, one_by_one(list(plain), x).data
    assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.isnan(ours[1, 2, 3]).all() == np.isnan(bad)


@pytest.mark.parametrize("sign", [1, -1])
def test_slope_at_the_kink_is_zero(sign):
    """As that of `F.relu`; x is the running mean, so the output is 0, whatever the sign of that 0."""
    x, weight, bias = (Tensor(np.full(shape, value), requires_grad=True)
                       for shape, value in (((4, 2), sign * 0.0), (2, 1.0), (2, 0.0)))  # fmt: skip
    y = F.batch_norm(x, weight, bias, np.zeros(2), np.ones(2), training=False, relu=True)
    y.backward(np.ones((4, 2)))
    assert not y.data.any()
    for leaf in (x, weight, bias):
        assert not leaf.grad.any()


# Parts of a Sequential

SLICES = [slice(None), slice(0, 0), slice(1), slice(2), slice(1, None), slice(2, None), slice(1, 3), slice(1, 2),
          slice(None, None, -1), slice(None, None, 2)]  # fmt: skip


@pytest.mark.parametrize("part", SLICES, ids=str)
def test_slices(part):
    """A slice between the two takes one of them along, and only that."""
    whole, plain = built("a residual function"), built("a residual function")
    x = images(whole)
    ours = step(whole, whole[part], x)
    assert_same_bits(ours, step(plain, lambda x: one_by_one(list(plain)[part], x), x))
    assert len(whole[part]) == len(list(plain)[part])


def test_single_modules_stay_themselves():
    net = built("alone")
    x = random(*IMAGES)
    assert (net[0](x).data < 0).any()
    assert np.array_equal(net(x).data, np.maximum(net[0](x).data, 0))
    assert [name for name, _ in net.named_children()] == ["0", "1"]


def test_empty():
    x = Tensor(random(*IMAGES), requires_grad=True)
    assert nn.Sequential()(x) is x
    assert nn.Sequential(nn.Sequential(), nn.Sequential())(x) is x


def test_modules_may_be_changed_between_calls():
    """What is merged is seen anew in each call."""
    net = built("alone")
    x = random(*IMAGES)
    net(x)
    net[0].eval()
    assert operations(net, x) == "norm+relu"
    assert np.array_equal(net(x).data, np.maximum(net[0](x).data, 0))
    net.train()
    assert not np.array_equal(net(x).data, net.eval()(x).data)
