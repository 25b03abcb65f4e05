"""A momentum net in every mode: in evaluation, frozen, with an input used elsewhere, and what users hold meanwhile."""

import copy

import numpy as np
from reversible_support import (
    TwoInputs,
    assert_agrees,
    assert_close,
    assert_same_bits,
    batch,
    dense_block,
    every_mode,
    momentum_net,
    outcome,
    recurrence,
    train_step,
)

from mininet import Tensor, manual_seed, nn, no_grad

DEPTH = 6
X = batch(5, 4, dtype=np.float64)


def norm_and_dropout_block():
    return nn.Sequential(nn.BatchNorm2d(4), nn.Linear(4, 4), nn.Tanh(), nn.Dropout(0.2))


def prepared(arithmetic, backprop):
    return momentum_net(DEPTH, norm_and_dropout_block, start=dense_block, dtype=np.float64, arithmetic=arithmetic,
                        backprop=backprop)  # fmt: skip


@every_mode
def test_evaluation_mode(arithmetic, backprop):
    """With running statistics that a training step has moved, dropout off, and nothing moved again."""
    nets = [prepared(arithmetic, way) for way in (backprop, "stored")]
    for net in nets:
        with no_grad():
            manual_seed(3)
            net(X)
        net.eval()
    before = dict(nets[0].named_buffers())
    statistics = {name: array.copy() for name, array in before.items()}
    ours, theirs = (train_step(net, X) for net in nets)
    assert_agrees(ours, theirs, nets[0])
    # Slopes stay below 2, so layers stretch errors at most 3 fold forward and, undone, 5 fold: of an epsilon in each of
    # a hundred operations, or of the units that rounding and a product with 9/10 are off by, never undone wrongly.
    bound = 100 * np.finfo(np.float64).eps * 15.0**DEPTH if arithmetic == "float" else 100 * 2.0**-40 * 3.0**DEPTH
    assert_close(ours, train_step(nets[0], X, forward=recurrence(nets[0])), bound)
    assert all(np.array_equal(before[name], statistics[name]) for name in statistics)


@every_mode
def test_a_net_in_which_nothing_needs_a_gradient_leaves_no_tape(arithmetic, backprop):
    net = momentum_net(3, arithmetic=arithmetic, backprop=backprop)
    for parameter in net.parameters():
        parameter.requires_grad = False
    assert net(X.astype(np.float32)).tape() == []


@every_mode
def test_a_computed_input_used_elsewhere_gets_the_sum(arithmetic, backprop):
    net = momentum_net(DEPTH, arithmetic=arithmetic, backprop=backprop)
    x = batch(5, 4)
    alone = train_step(net, 2 * x)["grad.x"]

    def forward(x):
        hidden = 2 * x
        return net(hidden) + 4 * hidden

    # doubling is exact, so the sum is the same bits
    assert np.array_equal(train_step(net, x, forward=forward)["grad.x"], 2 * (alone + 4 * batch(5, 4, seed=2)))


@every_mode
def test_arrays_of_the_user_are_not_written_to(arithmetic, backprop):
    net = momentum_net(DEPTH, TwoInputs, start=dense_block, arithmetic=arithmetic, backprop=backprop)
    x, memory, gradient = batch(5, 4), batch(5, 3), batch(5, 4, seed=8)
    leaves = Tensor(x, requires_grad=True), Tensor(memory, requires_grad=True)
    y = net(*leaves)
    arrays = [x, memory, gradient, y.data]
    before = copy.deepcopy(arrays)
    y.backward(gradient)
    for array, was in zip(arrays, before, strict=True):
        assert np.array_equal(array, was)
    for leaf in (*leaves, *net.parameters()):
        assert not any(np.shares_memory(leaf.grad, array) for array in arrays)


@every_mode
def test_writing_to_the_output_does_not_disturb_backward(arithmetic, backprop):
    net = momentum_net(DEPTH, arithmetic=arithmetic, backprop=backprop)
    expected = train_step(net, batch(5, 4))
    leaf = Tensor(batch(5, 4), requires_grad=True)
    net.zero_grad()
    y = net(leaf)
    values = y.data.copy()
    y.data[...] = 0
    leaf.data[...] = 0
    y.backward(batch(5, 4, seed=2))
    y.data[...] = values
    assert_same_bits(outcome(net, y, x=leaf), expected)
