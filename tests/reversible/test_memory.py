"""What is held after forward, during backward and after it, by our own count and by the allocator's."""

import functools
import gc
import math
import tracemalloc
import weakref

import numpy as np
import pytest
from reversible_support import (
    BUFFER_BYTES,
    INVERTIBLE,
    NETWORK_STATE_BYTES,
    batch,
    conv_block,
    every_arithmetic,
    every_network,
    momentum_net,
    network,
    train_step,
)

from mininet import MomentumNet, Tensor, nn, no_grad, track_memory
from mininet.kernels import buffers

SHAPE = (64, 16)
SIZE = math.prod(SHAPE)


def parameter_bytes(net):
    """Parameters are counted from their first use on, and stay."""
    return sum(parameter.data.nbytes for parameter in net.parameters())


def step(net, x, gradient):
    y = net(Tensor(x, requires_grad=True))
    y.backward(gradient)


@functools.cache
def held(kind, depth, arithmetic, backprop):
    """One training step; returns what was counted after forward, and the tracker."""
    net = network(kind, depth, features=SHAPE[1], tied=True, arithmetic=arithmetic, backprop=backprop)
    with track_memory() as memory:
        y = net(Tensor(batch(*SHAPE), requires_grad=True))
        after_forward = dict(memory.current_by_kind)
        y.backward(np.ones(SHAPE, np.float32))
        del y
    return after_forward, memory


@every_network
def test_the_law_of_each_way(kind, arithmetic, backprop):
    """Four times the depth: nothing more; twice the checkpoints, and the activations of one stretch; four times all."""
    (small_after, small), (large_after, large) = (held(kind, depth, arithmetic, backprop) for depth in (16, 64))
    state = SIZE * NETWORK_STATE_BYTES[kind, arithmetic]
    has_words = (kind, arithmetic) == ("MomentumNet", "exact")
    if backprop == "reversible":
        assert large.peak_bytes <= 1.01 * small.peak_bytes
        assert large.by_kind["activations"] == small.by_kind["activations"] > 0
        assert small_after["state"] + small_after["side information"] == state
        assert small_after["side information"] == (SIZE * BUFFER_BYTES if has_words else 0)
        assert small_after["activations"] == small_after["checkpoints"] == 0
    elif backprop == "checkpointed":
        assert small_after["checkpoints"] == 4 * state
        assert large_after["checkpoints"] == 8 * state
        assert large.by_kind["activations"] == pytest.approx(2 * small.by_kind["activations"], rel=0.05)
        assert small_after["activations"] == 0
        assert small.by_kind["state"] <= 2 * state, "the last one, and the one that is run again"
    else:
        assert large.by_kind["activations"] == pytest.approx(4 * small.by_kind["activations"], rel=0.05)
        assert large_after["activations"] == pytest.approx(4 * small_after["activations"], rel=0.05)


@pytest.mark.parametrize(("kind", "arithmetic"), INVERTIBLE)
def test_the_ways_differ_as_they_should(kind, arithmetic):
    peaks = [held(kind, 64, arithmetic, way)[1].peak_bytes for way in ("reversible", "checkpointed", "stored")]
    assert peaks[0] < peaks[1] < peaks[2]


@every_network
def test_what_is_held_between_and_after_the_passes(kind, arithmetic, backprop):
    """Neither x nor the output, but states or checkpoints; then the gradients; and no cycle of references."""
    net = nn.Sequential(network(kind, 20, features=SHAPE[1], arithmetic=arithmetic, backprop=backprop))
    leaf = Tensor(batch(*SHAPE), requires_grad=True)
    gc.disable()
    try:
        with track_memory() as memory:
            y = net(leaf + 0.5)  # nobody else holds this array
            total = y.sum()
            output = weakref.ref(y.data)
            del y
            assert output() is None
            known = leaf.data.nbytes + total.data.nbytes + parameter_bytes(net)
            state = SIZE * NETWORK_STATE_BYTES[kind, arithmetic]
            if backprop == "reversible":
                assert memory.current_bytes == known + state
            elif backprop == "checkpointed":
                assert memory.current_by_kind["checkpoints"] == 4 * state
                assert memory.current_bytes <= known + 5 * state, "floats are not kept beside integers"
            assert memory.current_bytes > known
            total.backward()
            del total
            assert {name: count for name, count in memory.current_by_kind.items() if count} == {
                "transient": leaf.data.nbytes,  # the user's own
                "parameters": parameter_bytes(net),
                "gradients": leaf.grad.nbytes + sum(parameter.grad.nbytes for parameter in net.parameters()),
            }
            leaf.grad = None
            net.zero_grad()
            y = net(leaf)
            del y
            assert memory.current_bytes == parameter_bytes(net) + leaf.data.nbytes
    finally:
        gc.enable()


@pytest.mark.parametrize(("kind", "arithmetic"), INVERTIBLE)
def test_a_state_that_was_run_back_still_counts_as_a_state(kind, arithmetic):
    net = network(kind, 3, features=SHAPE[1], arithmetic=arithmetic)
    with track_memory() as memory:
        state = net.run(batch(*SHAPE))
        net.invert(state)
        held = memory.current_by_kind["state"] + memory.current_by_kind["side information"]
    assert held == SIZE * NETWORK_STATE_BYTES[kind, arithmetic]


PINNED = [
    *(("MomentumNet", "exact", way) for way in ("reversible", "checkpointed", "stored")),
    ("MomentumNet", "float", "reversible"),
    ("RevNet", "exact", "reversible"),
    ("RevNet", "float", "checkpointed"),
    ("IResNet", "float", "reversible"),
    ("ResidualNet", "float", "stored"),
]


@pytest.mark.parametrize(("kind", "arithmetic", "backprop"), PINNED)
def test_the_count_agrees_with_the_allocator(kind, arithmetic, backprop, set_threads):
    """`peak_bytes` against tracemalloc, with arrays of 1 MiB, far above everything that Python allocates.

    Between being allocated and being handed to the tape, an array is in nobody's books: at one moment that is the
    result of one operation, or the gradient of x that a vjp has computed while it is at that of the weights.  That is
    one array of the size of x, and weights, a few percent of it.  What was allocated before is in our own count only:
    x and the parameters and, in backward, the gradient it starts from.

    The residual rules take sums outside the kernels, so that at one more moment a second such array is: a half of x in
    a RevNet, where x is put together from halves at the end of either pass.
    """
    net = network(kind, 4, conv_block, features=32, tied=True, arithmetic=arithmetic, backprop=backprop)
    if kind == "IResNet":
        net.iterations, net.tolerance = 100, 1e-3
    x, gradient = batch(8, 32, 32, 32), batch(8, 32, 32, 32, seed=3)
    step(net, x[:1], gradient[:1])
    net.zero_grad()
    gc.collect()
    set_threads(1)
    buffers.clear()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        with track_memory() as memory:
            step(net, x, gradient)
        allocated = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    counted = memory.peak_bytes - x.nbytes - parameter_bytes(net)
    assert counted <= allocated + gradient.nbytes
    assert allocated - counted <= 1.1 * x.nbytes + parameter_bytes(net)


# Side information


def test_a_training_step_keeps_no_more_side_information_than_a_run():
    net, x = momentum_net(100, tied=True, gamma=0.5), batch(64, 4)
    with track_memory() as memory:
        state = net.run(x)
        side = memory.current_by_kind["side information"]
    assert side == state.remainders.packed.nbytes + sum(low.nbytes for low in state.remainders.spilled) > 4 * x.size
    with track_memory() as memory:
        train_step(net, x)
    assert memory.by_kind["side information"] == side


@every_arithmetic
@pytest.mark.parametrize("use", ["without gradients", "trajectory", "stored", "checkpointed"])
def test_nothing_is_spilled_that_nobody_will_ask_for(use, arithmetic):
    backprop = use if use in ("stored", "checkpointed") else "reversible"
    net = momentum_net(60, tied=True, gamma=0.5, arithmetic=arithmetic, backprop=backprop)
    x = batch(5, 4)  # at gamma 1/2, there are 60 bits for each element, and 32 fit into a word
    with track_memory() as memory:
        if use == "without gradients":
            with no_grad():
                net(Tensor(x, requires_grad=True))
        elif use == "trajectory":
            net.trajectory(x)
        else:
            net(Tensor(x, requires_grad=True))
    words = BUFFER_BYTES * x.size if arithmetic == "exact" else 0
    assert memory.by_kind["side information"] == words
    if use != "checkpointed":
        assert memory.by_kind["checkpoints"] == 0
        assert memory.current_by_kind["state"] == memory.current_by_kind["side information"] == 0


# Tapes


@every_arithmetic
def test_stored_backprop_holds_what_the_tapes_saved_and_nothing_else(arithmetic):
    x = np.ones((64, 1024), np.float32)
    buffers.clear()
    held = []
    for depth in (5, 20):
        net = MomentumNet([lambda x: x + x] * depth, gamma=0.5, arithmetic=arithmetic, backprop="stored")
        with track_memory() as memory:
            y = net(Tensor(x * 1e-9, requires_grad=True))
        held.append(memory.current_bytes - memory.current_by_kind["idle buffers"])
        assert y.requires_grad
    assert held[0] == held[1] == x.nbytes, "the output"


@every_arithmetic
def test_one_local_tape_at_a_time_even_if_tapes_are_kept(arithmetic):
    activations = []
    for depth in (1, 5):
        net = momentum_net(depth, arithmetic=arithmetic)
        y = net(Tensor(batch(5, 4), requires_grad=True))
        with track_memory() as memory:
            y.backward(batch(5, 4), keep_tape=True)
        activations.append(memory.by_kind["activations"])
    assert activations[0] == activations[1] > 0
