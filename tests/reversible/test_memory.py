"""What is held after forward, during backward and after it, by our own count and by the allocator's."""

import gc
import math

import numpy as np
import pytest
from reversible_support import (
    BUFFER_BYTES,
    STATE_BYTES,
    WAYS,
    batch,
    dense_block,
    every_arithmetic,
    every_mode,
    momentum_net,
)

from mininet import Tensor, nn, track_memory

SHAPE = (64, 16)


def wide_block():
    return dense_block(SHAPE[1])


def tracked_step(net, x, gradient=None):
    """One training step; returns what was counted after forward, and the tracker."""
    gradient = np.ones_like(x) if gradient is None else gradient
    net.zero_grad()
    with track_memory() as memory:
        y = net(Tensor(x, requires_grad=True))
        after_forward = dict(memory.current_by_kind)
        y.backward(gradient)
        del y
    return after_forward, memory


def held(depth, backprop, arithmetic="exact", gamma=0.9):
    net = momentum_net(depth, wide_block, tied=True, gamma=gamma, arithmetic=arithmetic, backprop=backprop)
    return tracked_step(net, batch(*SHAPE))


def parameter_bytes(net):
    """Parameters are counted from their first use on, and stay."""
    return sum(parameter.data.nbytes for parameter in net.parameters())


@pytest.mark.parametrize(
    ("arithmetic", "gamma"),
    [("exact", 0.5), ("exact", 0.9), ("exact", 1 - 1 / 50_000), ("float", 0.95), ("float", 1 - 1 / 50_000)],
)
def test_reversible_does_not_grow_with_depth(gamma, arithmetic):
    (_, shallow), (_, deep) = (held(depth, "reversible", arithmetic, gamma) for depth in (20, 200))
    side = deep.by_kind["side information"] - shallow.by_kind["side information"]
    size = math.prod(SHAPE)
    assert side <= (1.02 * 200 * math.log2(1 / gamma) * size / 8 if arithmetic == "exact" else 0)
    assert deep.peak_bytes - shallow.peak_bytes <= side + 0.01 * shallow.peak_bytes
    assert deep.by_kind["activations"] <= 1.01 * shallow.by_kind["activations"]


@every_arithmetic
def test_reversible_holds_no_activations_between_forward_and_backward(arithmetic):
    after_forward, _ = held(50, "reversible", arithmetic)
    size = math.prod(SHAPE)
    assert after_forward["activations"] == 0
    assert after_forward["checkpoints"] == 0
    assert after_forward["state"] + after_forward["side information"] == size * STATE_BYTES[arithmetic]
    assert after_forward["side information"] == (size * BUFFER_BYTES if arithmetic == "exact" else 0)


@every_arithmetic
def test_stored_grows_in_proportion_to_depth(arithmetic):
    (shallow_after, shallow), (deep_after, deep) = (held(depth, "stored", arithmetic) for depth in (20, 200))
    assert deep.by_kind["activations"] == pytest.approx(10 * shallow.by_kind["activations"], rel=0.05)
    assert deep_after["activations"] == pytest.approx(10 * shallow_after["activations"], rel=0.05)
    assert deep.by_kind["side information"] <= BUFFER_BYTES * math.prod(SHAPE), (
        "no bits are spilled that nobody will ask for"
    )


@every_arithmetic
def test_checkpointed_grows_like_the_square_root(arithmetic):
    """Four times the depth: twice the checkpoints between the passes, and twice the activations of one stretch."""
    (small_after, small), (large_after, large) = (held(depth, "checkpointed", arithmetic) for depth in (100, 400))
    assert large_after["checkpoints"] == 2 * small_after["checkpoints"]
    assert large.by_kind["activations"] == pytest.approx(2 * small.by_kind["activations"], rel=0.05)
    size = math.prod(SHAPE)
    assert small_after["checkpoints"] == 10 * size * STATE_BYTES[arithmetic]
    assert small_after["activations"] == 0
    assert large.by_kind["side information"] <= BUFFER_BYTES * size


def test_the_ways_differ_as_they_should():
    peaks = {way: held(50, way)[1].peak_bytes for way in WAYS}
    assert peaks["reversible"] < peaks["checkpointed"] < peaks["stored"]


@every_mode
def test_nothing_is_alive_after_backward_but_gradients(arithmetic, backprop):
    net = momentum_net(20, wide_block, start=wide_block, arithmetic=arithmetic, backprop=backprop)
    x = batch(*SHAPE)
    leaf = Tensor(x, requires_grad=True)
    with track_memory() as memory:
        y = net(leaf)
        y.backward(np.ones_like(x))
        del y
    held_now = {kind: count for kind, count in memory.current_by_kind.items() if count}
    assert held_now == {
        "transient": x.nbytes,  # the user's own
        "parameters": parameter_bytes(net),
        "gradients": leaf.grad.nbytes + sum(parameter.grad.nbytes for parameter in net.parameters()),
    }


@every_mode
def test_a_dropped_output_frees_everything_at_once(arithmetic, backprop):
    """No cycle of references: without the garbage collector, the tape goes with its output."""
    net = momentum_net(20, wide_block, start=wide_block, arithmetic=arithmetic, backprop=backprop)
    gc.disable()
    try:
        with track_memory() as memory:
            y = net(Tensor(batch(*SHAPE), requires_grad=True))
            assert memory.current_bytes > parameter_bytes(net)
            del y
            assert memory.current_bytes == parameter_bytes(net)
    finally:
        gc.enable()


@every_arithmetic
def test_a_trajectory_spills_nothing(arithmetic):
    net, x = momentum_net(50, gamma=0.5, arithmetic=arithmetic), batch(5, 4)
    with track_memory() as memory:
        net.trajectory(x)
    assert memory.by_kind["side information"] == (BUFFER_BYTES * x.size if arithmetic == "exact" else 0)


@every_arithmetic
def test_the_input_is_not_kept_by_reversible_backprop(arithmetic):
    net = nn.Sequential(momentum_net(4, wide_block, arithmetic=arithmetic))
    with track_memory() as memory:
        y = net(batch(*SHAPE) * 2)  # nobody else holds this array
        size = math.prod(SHAPE)
        kept = memory.current_bytes - parameter_bytes(net) - y.data.nbytes
    assert kept == size * STATE_BYTES[arithmetic]
