"""BDIA: exact by one bit per element and layer, with its rule's gradients, and a residual network in evaluation."""

import numpy as np
import pytest
from reversible_support import (
    assert_a_kept_tape_gives_the_same_bits,
    assert_close,
    assert_same_bits,
    batch,
    conv_block,
    dense_block,
    dropout_block,
    train_step,
)

from mininet import ResidualNet, Tensor, manual_seed, no_grad, track_memory
from mininet.reversible import BDIANet
from mininet.seeding import position

DEPTH = 12
X = batch(5, 4, dtype=np.float64)


def bdia_net(block=dense_block, depth=DEPTH, dtype=np.float64, **settings):
    manual_seed(0)
    return BDIANet([block() for _ in range(depth)], **settings).to(dtype)


def rule(net, x):
    """The layers in tensor operations, with the signs that `train_step` draws."""
    manual_seed(2)
    gammas = Tensor(net.run(x)._signs[:, :, None] / 2)
    before, x = None, Tensor(x) if not isinstance(x, Tensor) else x
    for gamma, function in zip(gammas, net.functions, strict=True):
        f = function(x)
        before, x = x, x + f if before is None else gamma * before + (1 - gamma) * x + (1 + gamma) * f
    return x


@pytest.mark.parametrize("block", [dense_block, dropout_block, conv_block])
@pytest.mark.parametrize("backprop", ["reversible", "checkpointed"])
def test_three_ways_give_the_same_bits(block, backprop):
    x = batch(3, 5, 5, 3) if block is conv_block else batch(5, 4)
    ours, stored = (train_step(bdia_net(block, dtype=np.float32, backprop=way), x) for way in (backprop, "stored"))
    assert_same_bits(ours, stored)


@pytest.mark.parametrize("depth", [1, 2, DEPTH])
def test_gradients_are_those_of_the_rule(depth):
    net = bdia_net(depth=depth)
    ours = train_step(net, X)
    assert_close(ours, train_step(net, X, forward=lambda x: rule(net, x)), 1e-9)  # units of 2^-40, stretched
    assert ours["grad.functions.0.0.weight"].any()


def test_every_layer_comes_back_to_the_bit():
    net = bdia_net(conv_block, 40, np.float32)
    x, stands = batch(3, 5, 5, 3), position()
    report = net.check_inversion(x)
    assert report.is_exact
    assert report.velocity_units is None
    assert position() == stands
    assert np.array_equal(net.inverse_trajectory(net.run(x))[0], net.trajectory(x)[0])
    assert_a_kept_tape_gives_the_same_bits(bdia_net(dtype=np.float32))


def test_signs_are_drawn_for_every_layer_but_the_first():
    net = bdia_net()
    assert repr(net).startswith("BDIANet(depth=12, is_residual=True, backprop='reversible'")
    state = net.start(X, True)  # one that can be run back
    assert not state._signs[0].any()
    assert [set(layer) for layer in state._signs.T[:, 1:]] == [{-1, 1}] * len(X)
    state.step(np.sin(X))
    state.undo(np.sin)
    assert np.array_equal(state.output(), net.start(X, True).output())
    assert train_step(BDIANet([]), X)["grad.x"].any()
    assert BDIANet([lambda x: x])([0.5]).data == BDIANet([lambda x: x])(0.5).data == 1


def test_one_bit_per_element_and_layer():
    x, found = batch(8, 64), {}
    for depth in (10, 20):
        with track_memory() as memory:
            state = bdia_net(lambda: dense_block(64), depth, np.float32).run(x)
        found[depth] = memory.by_kind["side information"]
    assert state.layer == 20
    assert 8 * (found[20] - found[10]) == 10 * x.size


def test_in_evaluation_it_is_a_residual_network():
    net = bdia_net().eval()
    with no_grad():
        assert np.allclose(net(X).data, ResidualNet(net.functions)(X).data, rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="evaluation mode"):
        net(X)
    net.backprop = "stored"
    assert train_step(net, X)["grad.x"].any()


def test_what_changes_or_leaves_the_range_is_noticed():
    net = bdia_net()
    loss = net(Tensor(X, requires_grad=True)).sum()
    net.functions[3][0].weight.data += 1e-3
    with pytest.raises(RuntimeError, match="did not end where the run began"):
        loss.backward()
    with pytest.raises(OverflowError, match="layer 1"):
        BDIANet([lambda x: 1e6 * x] * 2)([2.0])
    with pytest.raises(FloatingPointError, match="NaN"):
        BDIANet([lambda x: x * np.nan])([1.0])
