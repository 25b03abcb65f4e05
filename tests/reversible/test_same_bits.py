"""One training step, the same bits with any number of threads and whatever buffers hold."""

import numpy as np
import pytest
from reversible_support import INVERTIBLE, assert_same_bits, batch, conv_block, momentum_net, network, train_step

from mininet import Tensor, nn
from mininet.kernels import buffers, convolution, threads


def wide_block(channels):
    return lambda: conv_block(channels)


def bottleneck(channels):
    """Pointwise convolutions around one that the direct method does, for narrow images."""
    return lambda: nn.Sequential(
        nn.Conv2d(channels, channels, 1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, (5, 3), padding=(2, 1), bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 1),
    )


CASES = {
    "winograd, direct weight gradient": (wide_block(16), (46, 32, 32, 16), ["winograd", "winograd"]),
    "winograd": (wide_block(32), (25, 25, 25, 32), ["winograd", "winograd"]),
    "winograd in float64": (wide_block(16), (26, 32, 32, 16), ["winograd", "winograd"]),
    "general": (wide_block(6), (70, 33, 31, 6), ["patches", "patches"]),
    "direct, pointwise": (bottleneck(16), (51, 32, 30, 16), ["pointwise", "direct", "pointwise"]),
}
"""Sizes for which every kind of kernel has at least 3 shares: elementwise ones from 3 * 2^17 elements on."""


@pytest.fixture
def limit_restored():
    limit = buffers.get_limit()
    yield
    buffers.set_limit(limit)


@pytest.mark.usefixtures("limit_restored")
@pytest.mark.parametrize(("name", "arithmetic"), [*((name, "exact") for name in CASES), ("winograd", "float")])
def test_threads_and_buffers_change_no_bit(name, arithmetic, set_threads, monkeypatch):
    block, shape, methods = CASES[name]
    dtype = np.dtype(np.float64 if "float64" in name else np.float32)
    net = momentum_net(2, block, tied=True, arithmetic=arithmetic, dtype=dtype)
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert methods == [
        convolution.method(each.weight.shape, (1, 1), each.padding, shape, dtype) for each in convolutions
    ]
    x = batch(*shape, dtype=dtype)
    start = net.state_dict()
    handed_over, hand_over = [], threads._hand_over
    monkeypatch.setattr(threads, "_hand_over", lambda shares: handed_over.append(len(shares)) or hand_over(shares))

    def step(count, limit):
        set_threads(count)
        buffers.set_limit(limit)
        handed_over.clear()
        net.load_state_dict(start)
        return train_step(net, x)

    expected = step(1, 2**28)
    assert handed_over == []
    assert all(np.isfinite(array).all() and array.any() for array in expected.values())
    for count, limit in ((2, 2**28), (3, 0)):
        assert_same_bits(step(count, limit), expected)
        assert max(handed_over, default=0) == count - 1
        assert (buffers.idle_bytes() > 0) == (limit > 0)


@pytest.mark.parametrize("case", [*CASES, *INVERTIBLE], ids=str)
def test_what_lies_in_a_used_buffer_does_not_matter(case, monkeypatch):
    """Every array that `buffers` gives out is full of NaN, or of large integers, before it is written to."""
    if case in CASES:
        block, (_, height, width, channels), _ = CASES[case]
        net, x = momentum_net(3, block), batch(2, height, width, channels)
    else:
        net, x = network(case[0], 3, conv_block, features=32, arithmetic=case[1]), batch(2, 5, 5, 32)
    start, empty = net.state_dict(), buffers.empty
    expected = train_step(net, x)
    filled = []

    def used(*arguments, **keywords):
        array = empty(*arguments, **keywords)
        array.view(np.uint8).fill(255)
        filled.append(array)
        return array

    monkeypatch.setattr(buffers, "empty", used)
    net.load_state_dict(start)
    assert_same_bits(train_step(net, x), expected)
    assert filled


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
