"""One training step, the same bits however it is computed: ReLUs merged or not, any number of threads, no buffers."""

import numpy as np
import pytest
from reversible_support import assert_same_bits, batch, conv_block, every_mode, momentum_net, train_step

from mininet import Tensor, get_num_threads, nn, set_num_threads
from mininet.kernels import buffers, convolution, threads

SHAPE = (2, 5, 4, 3)


# Batch normalisation with its ReLU


class OneByOne(nn.Sequential):
    """A Sequential that merges nothing."""

    def forward(self, x):
        for module in self._modules:
            x = module(x)
        return x


class OwnReLU(nn.ReLU):
    """The same, but it could be anything."""


def pre_activation_block():
    """Batch norm and ReLU first, as in He et al. (ECCV 2016), with two ReLUs after the second one."""
    return nn.Sequential(
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.ReLU(),
        nn.Conv2d(3, 3, 1),
        nn.Dropout(0.1),
    )


def last_relu_block():
    return nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU())


def own_relu_block():
    return nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), OwnReLU(), nn.Conv2d(3, 3, 3, padding=1))


BLOCKS = [conv_block, pre_activation_block, last_relu_block, own_relu_block]
every_block = pytest.mark.parametrize("block", BLOCKS)


def with_uneven_norms(net):
    """Weights of both signs and shifts, so that ReLUs cut off something else in every channel."""
    for number, module in enumerate(net.modules()):
        if isinstance(module, nn.BatchNorm2d):
            random = np.random.default_rng(number)
            for array in (module.weight.data, module.bias.data, module.running_mean):
                array[...] = random.standard_normal(array.shape)
    return net


def steps(net, x):
    """Two training steps, so that running statistics of the first would show, and one in evaluation."""
    found = {f"first {name}": array for name, array in train_step(net, x).items()}
    found |= {f"second {name}": array for name, array in train_step(net, x[::-1].copy(), seed=6).items()}
    return found | {f"evaluation {name}": array for name, array in train_step(net.eval(), x).items()}


def one_by_one(block):
    return lambda: OneByOne(*block())


@every_mode
@every_block
def test_merged_or_not(block, arithmetic, backprop):
    settings = {"arithmetic": arithmetic, "backprop": backprop, "gamma": 0.8}
    merged, separate = (
        with_uneven_norms(momentum_net(3, build, start=build, **settings)) for build in (block, one_by_one(block))
    )
    assert_same_bits(steps(merged, batch(*SHAPE)), steps(separate, batch(*SHAPE)))


@every_block
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_three_ways_with_merged_blocks(block, dtype):
    """Deep enough that bits are spilled: 60 times log2(2) is more than 32."""
    reversible, checkpointed, stored = (
        steps(
            with_uneven_norms(
                momentum_net(60, block, tied=True, start=block, gamma=0.5, dtype=dtype, backprop=backprop)
            ),
            batch(*SHAPE, dtype=dtype),
        )
        for backprop in ("reversible", "checkpointed", "stored")
    )
    assert_same_bits(reversible, stored)
    assert_same_bits(checkpointed, stored)
    gradients = [array for name, array in stored.items() if " grad." in name]
    assert all(np.isfinite(array).all() for array in gradients)
    assert all(array.any() for name, array in stored.items() if name.endswith("grad.x"))


@every_mode
@pytest.mark.parametrize("frozen", ["weight", "bias"])
def test_merged_or_not_with_a_frozen_norm(frozen, arithmetic, backprop):
    nets = [
        with_uneven_norms(momentum_net(3, build, arithmetic=arithmetic, backprop=backprop))
        for build in (conv_block, one_by_one(conv_block))
    ]
    for net in nets:
        getattr(net.functions[1][1], frozen).requires_grad = False
    ours, theirs = (steps(net, batch(*SHAPE)) for net in nets)
    assert ours[f"first grad.functions.1.1.{frozen}"] is None
    assert_same_bits(ours, theirs)


def test_merged_blocks_come_back_exactly():
    net = with_uneven_norms(momentum_net(40, conv_block, tied=True, gamma=0.5))
    x = batch(*SHAPE)
    assert net.check_inversion(x).is_exact
    state = net.run(x)
    net.invert(state)
    assert np.array_equal(state.position, np.rint(x.astype(np.float64) * 2**40))
    assert not state.buffer.any()


# Threads and buffers


def wide_block(channels):
    def build():
        return conv_block(channels)

    return build


def strided_block(channels):
    """A bottleneck: pointwise convolutions around one that the direct method does, for stride or narrow images."""

    def build():
        return nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, (5, 3), padding=(2, 1), bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
        )

    return build


CASES = {
    "winograd, direct weight gradient": (wide_block(16), (46, 32, 32, 16), ["winograd", "winograd"]),
    "winograd": (wide_block(32), (25, 25, 25, 32), ["winograd", "winograd"]),
    "winograd in float64": (wide_block(16), (26, 32, 32, 16), ["winograd", "winograd"]),
    "general": (wide_block(6), (70, 33, 31, 6), ["patches", "patches"]),
    "direct, pointwise": (strided_block(16), (51, 32, 30, 16), ["pointwise", "direct", "pointwise"]),
}
"""Sizes for which every kind of kernel has at least 3 shares: elementwise ones from 3 * 2^17 elements on."""


@pytest.fixture
def settings_restored():
    count, limit = get_num_threads(), buffers.get_limit()
    yield
    set_num_threads(count)
    buffers.set_limit(limit)


def shares_handed_over(monkeypatch):
    """A list that grows by the number of shares that other threads get, at every call."""
    counts, hand_over = [], threads._hand_over

    def noting(shares):
        counts.append(len(shares))
        return hand_over(shares)

    monkeypatch.setattr(threads, "_hand_over", noting)
    return counts


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
@pytest.mark.parametrize("name", CASES)
def test_threads_and_buffers_change_no_bit(name, arithmetic, settings_restored, monkeypatch):
    block, shape, methods = CASES[name]
    dtype = np.dtype(np.float64 if "float64" in name else np.float32)
    net = momentum_net(2, block, tied=True, arithmetic=arithmetic, dtype=dtype)
    weights = [module.weight.shape for module in net.modules() if isinstance(module, nn.Conv2d)]
    paddings = [module.padding for module in net.modules() if isinstance(module, nn.Conv2d)]
    found = [
        convolution.method(weight, (1, 1), padding, shape, dtype)
        for weight, padding in zip(weights, paddings, strict=True)
    ]
    assert found == methods
    x = batch(*shape, dtype=dtype)
    start = net.state_dict()
    handed_over = shares_handed_over(monkeypatch)

    def step(count, limit):
        set_num_threads(count)
        buffers.set_limit(limit)
        handed_over.clear()
        net.load_state_dict(start)
        return train_step(net, x)

    expected = step(1, buffers.DEFAULT_LIMIT)
    assert handed_over == []
    assert all(np.isfinite(array).all() and array.any() for array in expected.values())
    for count, limit in ((2, buffers.DEFAULT_LIMIT), (3, buffers.DEFAULT_LIMIT), (1, 0), (3, 0)):
        assert_same_bits(step(count, limit), expected)
        assert max(handed_over, default=0) == count - 1
        assert (buffers.idle_bytes() > 0) == (limit > 0)


@pytest.mark.parametrize("name", CASES)
def test_what_lies_in_a_used_buffer_does_not_matter(name, monkeypatch):
    """Every array that `buffers` gives out is full of NaN, or of large integers, before it is written to."""
    block, (_, height, width, channels), _ = CASES[name]
    net, x = momentum_net(3, block), batch(2, height, width, channels)
    start, empty = net.state_dict(), buffers.empty
    expected = train_step(net, x)
    filled = []

    def used(*arguments, **keywords):
        array = empty(*arguments, **keywords)
        array.view(np.uint8).fill(255)
        filled.append(array.dtype)
        return array

    monkeypatch.setattr(buffers, "empty", used)
    net.load_state_dict(start)
    assert_same_bits(train_step(net, x), expected)
    assert filled
    assert np.isnan(used((3,), np.float32)).all()


def test_the_batch_is_not_kept_by_a_step_that_reuses_memory():
    """Outputs and gradients that the caller holds are not given out again by the next steps."""
    net, x = momentum_net(3, wide_block(16)), batch(4, 20, 20, 16)
    leaf = Tensor(x, requires_grad=True)
    y = net(leaf)
    y.backward(np.ones_like(x))
    held = [y.data, leaf.grad, *(parameter.grad for parameter in net.parameters())]
    copies = [array.copy() for array in held]
    net.zero_grad()
    for seed in range(3):
        train_step(net, batch(4, 20, 20, 16, seed=seed), seed=seed)
    assert all(np.array_equal(array, copy) for array, copy in zip(held, copies, strict=True))
