"""The first promise: memory-free gradients equal stored-activation backprop bit for bit, at any depth."""

import numpy as np
import pytest
from reversible_support import (
    GAMMAS,
    TwoInputs,
    assert_same_bits,
    batch,
    conv_block,
    dense_block,
    dropout_block,
    momentum_net,
    train_step,
)

from mininet import nn

DEPTH = 60  # at gamma 1/2, twice as many bits as a word has
DENSE, IMAGES = (6, 4), (2, 4, 4, 3)


def conv_with_dropout():
    return nn.Sequential(conv_block(), nn.Dropout(0.1))


def steps_of_all_ways(x, *inputs, depth=DEPTH, **settings):
    """The outcome of one training step for reversible, checkpointed and stored backprop."""
    for backprop in ("reversible", "checkpointed", "stored"):
        net = momentum_net(depth, arithmetic="exact", backprop=backprop, **settings)
        yield train_step(net, x, *inputs)


def assert_all_ways_agree(x, *inputs, **settings):
    reversible, checkpointed, stored = steps_of_all_ways(x, *inputs, **settings)
    assert_same_bits(reversible, stored)
    assert_same_bits(checkpointed, stored)
    gradients = [array for name, array in stored.items() if name.startswith("grad.")]
    assert all(np.isfinite(array).all() and array.any() for array in gradients), "a comparison of zeros proves nothing"


@pytest.mark.parametrize("gamma", GAMMAS)
def test_three_ways_to_the_same_bits(gamma):
    assert_all_ways_agree(batch(*DENSE), gamma=gamma)


VARIANTS = {
    "dropout": {"block": dropout_block},
    "learned velocity": {"start": dense_block},
    "tied": {"tied": True},
    "whole map": {"is_residual": False},
    "float64": {"dtype": np.float64},
    "all together": {
        "block": dropout_block, "start": dropout_block, "tied": True, "is_residual": False, "dtype": np.float64,
    },
    "conv": {"block": conv_block},
    "conv, all together": {"block": conv_with_dropout, "start": conv_block, "is_residual": False, "dtype": np.float64},
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_three_ways_to_the_same_bits_with(variant):
    settings = VARIANTS[variant]
    x = batch(*(IMAGES if variant.startswith("conv") else DENSE), dtype=settings.get("dtype", np.float32))
    assert_all_ways_agree(x, gamma=0.5, **settings)


def test_three_ways_to_the_same_bits_with_extra_inputs():
    assert_all_ways_agree(batch(6, 4), batch(6, 3, seed=5), block=TwoInputs, gamma=0.5)
