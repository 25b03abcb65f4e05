"""The first promise: memory-free gradients equal stored-activation backprop bit for bit, at any depth."""

import numpy as np
import pytest
from reversible_support import GAMMAS, WAYS, TwoInputs, assert_same_bits, batch, conv_block, momentum_net, train_step

from mininet import nn

DEPTH = 60  # at gamma 1/2, twice as many bits as a word has


def conv_with_dropout():
    return nn.Sequential(conv_block(), nn.Dropout(0.1))


def assert_all_ways_agree(x, *inputs, **settings):
    """One training step, with reversible, checkpointed and stored backprop."""
    reversible, checkpointed, stored = (
        train_step(momentum_net(DEPTH, backprop=backprop, **settings), x, *inputs) for backprop in WAYS
    )
    assert_same_bits(reversible, stored)
    assert_same_bits(checkpointed, stored)
    gradients = [array for name, array in stored.items() if name.startswith("grad.")]
    assert all(np.isfinite(array).all() and array.any() for array in gradients), "a comparison of zeros proves nothing"


@pytest.mark.parametrize("gamma", GAMMAS)
def test_three_ways_to_the_same_bits(gamma):
    assert_all_ways_agree(batch(6, 4), gamma=gamma)


def test_three_ways_to_the_same_bits_with_everything_at_once():
    x = batch(2, 4, 4, 3, dtype=np.float64)
    settings = {"start": conv_block, "is_residual": False, "dtype": np.float64}
    assert_all_ways_agree(x, block=conv_with_dropout, gamma=0.5, **settings)


def test_three_ways_to_the_same_bits_with_extra_inputs():
    assert_all_ways_agree(batch(6, 4), batch(6, 3, seed=5), block=TwoInputs, gamma=0.5)
