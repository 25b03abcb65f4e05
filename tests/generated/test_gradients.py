"""Gradients of networks: the same bits whatever is kept for them, and those of ordinary autodiff but for rounding."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from examples import generated
from hypothesis import assume, event
from hypothesis import strategies as st
from reversible_support import NETWORKS, WAYS, assert_close, assert_same_bits, recurrence, rounding, train_step
from strategies import ROWS, layouts, network_settings

DENSE = ("linear", "tanh MLP", "shift")
SHORT_FRACTIONS = st.fractions(Fraction(3, 10), Fraction(99, 100), max_denominator=1000)
"""Which exact arithmetic takes as they are, and floats to the last bit."""


def step(net, setting):
    """The outcome of one training step; None where x or v leave the range of exact arithmetic."""
    try:
        return train_step(net, setting.x, *setting.inputs)
    except OverflowError:
        event("left the range")
        return None


def assert_same_steps(ours, theirs):
    assert (ours is None) == (theirs is None)
    if ours is not None:
        assert_same_bits(ours, theirs)


@generated(8, setting=network_settings())
def test_three_ways_to_the_same_bits(setting):
    reversible, checkpointed, stored = (step(setting.net("exact", way), setting) for way in WAYS)
    assert_same_steps(reversible, stored)
    assert_same_steps(checkpointed, stored)


@generated(3, setting=network_settings())
def test_stored_and_checkpointed_floats_are_the_same_bits(setting):
    assert_same_bits(*(step(setting.net("float", way), setting) for way in ("stored", "checkpointed")))


@pytest.mark.parametrize(
    ("kind", "arithmetic", "ways"),
    [
        ("RevNet", "exact", WAYS),
        ("RevNet", "float", ("stored", "checkpointed")),
        ("IResNet", "float", ("stored", "checkpointed")),
        ("ResidualNet", "float", ("stored", "checkpointed")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@generated(2, setting=network_settings(blocks=ROWS, most_layers=12))
def test_rivals_have_several_ways_to_the_same_bits(kind, arithmetic, ways, setting):
    assume(kind != "RevNet" or setting.shape[-1] % 2 == 0)
    first, *others = (step(setting.net(arithmetic, way, kind), setting) for way in ways)
    for other in others:
        assert_same_steps(first, other)


@pytest.mark.parametrize(
    ("kind", "arithmetic"), [(kind, arithmetic) for kind in NETWORKS for arithmetic in NETWORKS[kind].ARITHMETICS]
)
@generated(2, setting=network_settings(blocks=DENSE, gammas=SHORT_FRACTIONS, most_layers=12, scales=(1.0,)))
def test_gradients_are_those_of_ordinary_autodiff(kind, arithmetic, setting):
    assume(kind != "RevNet" or setting.shape[-1] % 2 == 0)
    assume(kind != "IResNet" or setting.block != "shift")  # whose slope the bound does not know
    setting = dataclasses.replace(setting, dtype=np.float64, learned_velocity=False)
    nets = [setting.net(arithmetic, way, kind) for way in NETWORKS[kind].BACKPROPS]
    expected = train_step(nets[0], setting.x, forward=recurrence(nets[0]))
    for net in nets:
        # without layers there is nothing but x_0, rounded to units in exact arithmetic
        tolerance = rounding(net, features=5) if setting.depth else 2.0**-40
        assume(tolerance < 1)
        assert_close(train_step(net, setting.x), expected, tolerance)


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
@generated(2, setting=network_settings(most_layers=8), way=st.sampled_from(WAYS), layout=layouts)
def test_memory_order_of_inputs_changes_no_bit(arithmetic, setting, way, layout):
    other = dataclasses.replace(setting, layout=layout)
    assert_same_steps(step(setting.net(arithmetic, way), setting), step(other.net(arithmetic, way), other))
