"""What every network of layers holds after forward, during backward and after it: the laws of the three ways."""

import gc
import math
import tracemalloc

import numpy as np
import pytest
from reversible_support import (
    INVERTIBLE,
    NETWORK_MODES,
    NETWORK_STATE_BYTES,
    batch,
    conv_block,
    dense_block,
    every_invertible,
    every_network,
    network,
)

from mininet import Tensor, get_num_threads, nn, set_num_threads, track_memory
from mininet.kernels import buffers
from mininet.reversible.residual import PlainAdjoint

SHAPE = (64, 16)
SIZE = math.prod(SHAPE)


def modes(way):
    return pytest.mark.parametrize(("kind", "arithmetic"), [mode[:2] for mode in NETWORK_MODES if mode[2] == way])


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


def held(kind, depth, arithmetic, backprop, **settings):
    net = network(kind, depth, features=SHAPE[1], tied=True, arithmetic=arithmetic, backprop=backprop, **settings)
    return tracked_step(net, batch(*SHAPE))


@every_invertible
def test_reversible_does_not_grow_with_depth(kind, arithmetic):
    settings = {"gamma": 1 - 1 / 50_000} if kind == "MomentumNet" else {}
    (_, shallow), (_, deep) = (held(kind, depth, arithmetic, "reversible", **settings) for depth in (20, 200))
    assert deep.peak_bytes <= 1.01 * shallow.peak_bytes
    assert deep.by_kind["activations"] == shallow.by_kind["activations"] > 0


@every_invertible
def test_between_forward_and_backward_there_is_the_state_and_nothing_else(kind, arithmetic):
    after_forward, _ = held(kind, 50, arithmetic, "reversible")
    assert after_forward["activations"] == after_forward["checkpoints"] == 0
    assert after_forward["state"] + after_forward["side information"] == SIZE * NETWORK_STATE_BYTES[kind, arithmetic]
    assert (after_forward["side information"] > 0) == ((kind, arithmetic) == ("MomentumNet", "exact"))


@modes("stored")
def test_stored_grows_in_proportion_to_depth(kind, arithmetic):
    (shallow_after, shallow), (deep_after, deep) = (held(kind, depth, arithmetic, "stored") for depth in (20, 200))
    assert deep.by_kind["activations"] == pytest.approx(10 * shallow.by_kind["activations"], rel=0.05)
    assert deep_after["activations"] == pytest.approx(10 * shallow_after["activations"], rel=0.05)


@modes("checkpointed")
def test_checkpointed_grows_like_the_square_root(kind, arithmetic):
    """Four times the depth: twice the checkpoints between the passes, and twice the activations of one stretch."""
    (small_after, small), (large_after, large) = (held(kind, depth, arithmetic, "checkpointed") for depth in (100, 400))
    assert large_after["checkpoints"] == 2 * small_after["checkpoints"]
    assert large.by_kind["activations"] == pytest.approx(2 * small.by_kind["activations"], rel=0.05)
    assert small_after["checkpoints"] == 10 * SIZE * NETWORK_STATE_BYTES[kind, arithmetic]
    assert small_after["activations"] == 0


@pytest.mark.parametrize(("kind", "arithmetic"), INVERTIBLE)
def test_the_ways_differ_as_they_should(kind, arithmetic):
    peaks = [held(kind, 50, arithmetic, way)[1].peak_bytes for way in ("reversible", "checkpointed", "stored")]
    assert peaks == sorted(peaks)
    assert peaks[0] < peaks[1] < peaks[2]


@every_network
def test_nothing_is_alive_after_backward_but_gradients(kind, arithmetic, backprop):
    net = network(kind, 20, features=SHAPE[1], arithmetic=arithmetic, backprop=backprop)
    x = batch(*SHAPE)
    leaf = Tensor(x, requires_grad=True)
    with track_memory() as memory:
        y = net(leaf)
        y.backward(np.ones_like(x))
        del y
    assert {name: count for name, count in memory.current_by_kind.items() if count} == {
        "transient": x.nbytes,  # the user's own
        "parameters": sum(parameter.data.nbytes for parameter in net.parameters()),
        "gradients": leaf.grad.nbytes + sum(parameter.grad.nbytes for parameter in net.parameters()),
    }


def test_an_adjoint_that_has_grown_is_counted_as_a_gradient():
    adjoint = PlainAdjoint(np.zeros(1000))
    with track_memory() as memory:
        adjoint.add(np.ones(1000))
        assert memory.current_by_kind["gradients"] == 8000


@every_network
def test_a_dropped_output_frees_everything_at_once(kind, arithmetic, backprop):
    """No cycle of references: without the garbage collector, the tape goes with its output."""
    net = network(kind, 20, features=SHAPE[1], arithmetic=arithmetic, backprop=backprop)
    parameters = sum(parameter.data.nbytes for parameter in net.parameters())
    gc.disable()
    try:
        with track_memory() as memory:
            y = net(Tensor(batch(*SHAPE), requires_grad=True))
            assert memory.current_bytes > parameters
            del y
            assert memory.current_bytes == parameters
    finally:
        gc.enable()


@pytest.mark.slow
@every_network
def test_no_growth_over_repeated_steps(kind, arithmetic, backprop):
    net, x = network(kind, 10, features=SHAPE[1], arithmetic=arithmetic, backprop=backprop), batch(*SHAPE)
    for _ in range(3):  # caches fill
        tracked_step(net, x)
    buffers.clear()  # what lies idle was allocated before
    gc.collect()
    tracemalloc.start()
    try:
        tracked_step(net, x)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            tracked_step(net, x)
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert growth < x.nbytes, "20 steps may not leave even one array behind"


@every_network
def test_the_count_agrees_with_the_allocator(kind, arithmetic, backprop):
    """`peak_bytes` against tracemalloc, with arrays of 1 MiB, far above everything that Python allocates.

    Between being allocated and being handed to the tape, an array is in nobody's books: at one moment that is the
    result of one operation, or the gradient of x that a vjp has computed while it is at that of the weights.  That is
    one array of the size of x, and weights, a few percent of it.  What was allocated before is in our own count only:
    x and the parameters and, in backward, the gradient it starts from.

    The residual rules take sums outside the kernels, so that at one more moment a second such array is: a half of x in
    a RevNet, where x is put together from halves at the end of either pass.
    """
    net = network(kind, 4, lambda width: conv_block(width), features=32, tied=True, arithmetic=arithmetic,
                  backprop=backprop)  # fmt: skip
    if kind == "IResNet":
        net.iterations, net.tolerance = 100, 1e-3
    x, gradient = batch(8, 32, 32, 32), batch(8, 32, 32, 32, seed=3)
    assert x.nbytes == 2**20
    tracked_step(net, x[:1])
    net.zero_grad()
    gc.collect()
    threads = get_num_threads()
    set_num_threads(1)
    buffers.clear()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        _, memory = tracked_step(net, x, gradient)
        allocated = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        set_num_threads(threads)
    parameters = sum(parameter.data.nbytes for parameter in net.parameters())
    counted = memory.peak_bytes - x.nbytes - parameters
    assert counted <= allocated + gradient.nbytes
    assert allocated - counted <= 1.1 * x.nbytes + parameters


@every_invertible
def test_the_input_is_not_kept_by_reversible_backprop(kind, arithmetic):
    net = nn.Sequential(network(kind, 4, dense_block, features=SHAPE[1], arithmetic=arithmetic))
    with track_memory() as memory:
        y = net(batch(*SHAPE) * 2)  # nobody else holds this array
        parameters = sum(parameter.data.nbytes for parameter in net.parameters())
        kept = memory.current_bytes - parameters - y.data.nbytes
    assert kept == SIZE * NETWORK_STATE_BYTES[kind, arithmetic]
