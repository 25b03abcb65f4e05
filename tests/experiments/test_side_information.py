"""Side information layer by layer: held and contained, against integers without bounds and the limit."""

import dataclasses
import math

import numpy as np
import pytest
from exact_support import step_reference

from mininet import Tensor
from mininet.experiments.side_information import SideInformation, claims, measure
from mininet.kernels.exact import as_fraction

VALUES = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)


def constant(x):
    """A residual function that returns the same values whatever x."""
    return Tensor(VALUES)


@pytest.fixture(scope="module")
def fixed():
    return measure(constant, np.ones_like(VALUES), 0.9, 1000)


def bits(layers, slope):
    return np.maximum(32.0, slope * np.arange(layers + 1))


GOOD = SideInformation(0.9, bits(1000, math.log2(10 / 9)), np.arange(1001) * math.log2(10 / 9), 0.0, 100)
PAPER = SideInformation(0.99998, np.full(1001, 32.0), np.zeros(1001), 0.99998**999, 10**6)


@pytest.mark.parametrize(("layers", "tolerance"), [(1, 0), (60, 1e-14), (194, 1e-14), (300, 2e-5)])
def test_buffers_are_those_of_integers_without_bounds(layers, tolerance):
    """Until bits are spilled, for 194 layers.  In each of 106 more a carry of 1 may be missing of 2^23 at least, what a
    spill leaves of nearly 32 bits: 106 * 2^-23 / log(2) = 1.8e-5 bits.
    """
    found = measure(constant, np.ones_like(VALUES), 0.9, layers)
    fraction, buffers = as_fraction(0.9), []
    for value in VALUES.ravel():
        x, v, b = 2**40, 0, 0
        for _ in range(layers):
            x, v, b = step_reference(x, v, b, value, fraction)
        buffers.append(b)
    assert found.largest_bits[-1] == pytest.approx(math.log2(1 + max(buffers)), abs=tolerance)
    assert found.zeros == np.mean([b == 0 for b in buffers])


def test_held_is_a_word_and_then_a_byte_at_a_time(fixed):
    assert fixed.held_bits[:195].tolist() == [32] * 195
    assert fixed.first_spill == 195
    steps = np.diff(fixed.held_bits[194:])
    assert set(steps) == {0, 8}
    assert (fixed.held_bits >= fixed.limit_bits).all()
    assert fixed.held_bits[-1] == 32 + 8 * math.ceil((fixed.limit_bits[-1] - 32) / 8)
    assert fixed.limit_bits[1] == pytest.approx(math.log2(10 / 9), rel=1e-12)


def test_what_is_not_spilled_has_no_slope():
    with pytest.raises(ValueError, match="depth must be so large that buffers spill, got 1000"):
        _ = PAPER.first_spill


def test_content_by_hand():
    found = dataclasses.replace(PAPER, zeros=0.5, elements=100)
    assert found.content_bits == 1
    # the share of 100 tosses has the deviation 0.05, and d log2(p) = dp / (p log 2)
    assert found.content_error == pytest.approx(0.05 / (0.5 * math.log(2)), rel=1e-12)
    assert found.content_in_theory == pytest.approx(999 * math.log2(1 / 0.99998), rel=1e-12)


def test_good_numbers_hold(fixed):
    assert [claim.holds for claim in claims(GOOD, PAPER)] == [True] * 3
    assert [claim.holds for claim in claims(fixed, PAPER)] == [True] * 3


@pytest.mark.parametrize(
    ("changes", "paper", "number"),
    [
        ({"held_bits": bits(1000, 1.03 * math.log2(10 / 9))}, {}, 0),
        ({"held_bits": bits(1000, 0.97 * math.log2(10 / 9))}, {}, 0),
        ({"largest_bits": 1.03 * GOOD.largest_bits}, {}, 1),
        ({"largest_bits": np.zeros(1001)}, {}, 1),
        ({}, {"zeros": 0.99998**1100}, 2),  # 14 standard errors away
        ({}, {"zeros": 0.0}, 2),
        ({}, {"zeros": 1.0}, 2),
    ],
)
def test_each_claim_can_fail(changes, paper, number):
    found = claims(dataclasses.replace(GOOD, **changes), dataclasses.replace(PAPER, **paper))
    assert [claim.holds for claim in found] == [index != number for index in range(3)]
