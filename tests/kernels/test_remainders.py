"""The remainders of exact arithmetic: words, what is spilled from them, and when."""

import math

import numpy as np
import pytest
from exact_support import KINDS_OF_GAMMA, F
from support import assert_unchanged

from mininet import track_memory
from mininet.kernels import threads
from mininet.kernels.exact import as_fraction
from mininet.kernels.remainders import SPILL_BITS, WORD_BITS, Remainders, SpillSchedule, spill, spill_schedule, unspill

# Words and the stack


@pytest.mark.parametrize("count", [1, 3])
def test_tiny_spill_and_unspill(count, set_threads, monkeypatch):
    monkeypatch.setattr(threads, "ELEMENTS_WORTH_SHARING", 1)
    b = np.random.default_rng(0).integers(0, 2**32, (5, 7)).astype(np.uint32)
    b[0, :4] = 0, 2**8 - 1, 2**8, 2**32 - 1
    before = b.copy()
    set_threads(count)
    low = spill(b)
    assert (low.dtype, b.dtype, low.shape) == (np.uint8, np.uint32, b.shape)
    assert np.array_equal(b, before >> 8)
    assert np.array_equal(low, before & 0xFF)
    kept = low.copy()
    unspill(b, low)
    assert_unchanged((b, low), (before, kept))
    assert spill(np.zeros((0, 3), np.uint32)).shape == (0, 3)


def step_of_two_spills(gamma):
    return next(step for step in range(100) if spill_schedule(gamma).spills_before(step) == 2)


def test_tiny_room_is_made_on_a_stack_and_given_back():
    number = step_of_two_spills(F(1, 1000000))
    with track_memory() as memory:
        one = Remainders(F(1, 1000000), (3,))
        one.make_room(0)
        assert one.spilled == []
        one.packed[:] = [0x123456, 0xFF, 0xFFFFFF]
        one.make_room(number)
        assert memory.current_by_kind["side information"] == (4 + 2) * 3
    assert one.packed.tolist() == [0x12, 0, 0xFF]
    assert [low.tolist() for low in one.spilled] == [[0x56, 0xFF, 0xFF], [0x34, 0, 0xFF]]
    other = one.copy()
    one.take_back(number)
    assert one.packed.tolist() == [0x123456, 0xFF, 0xFFFFFF]
    assert one.spilled == []
    assert other.packed.tolist() == [0x12, 0, 0xFF]
    assert len(other.spilled) == 2


def test_tiny_what_is_not_to_come_back_is_not_kept():
    one = Remainders(F(1, 1000000), (1,), invertible=False)
    one.packed[:] = 0x123456
    one.make_room(step_of_two_spills(F(1, 1000000)))
    assert one.packed.tolist() == [0x12]
    assert one.spilled is None
    assert one.copy().spilled is None


# The schedule: room for what the worst data can bring


@pytest.mark.parametrize("gamma", KINDS_OF_GAMMA, ids=str)
def test_the_largest_possible_word_fits(gamma):
    # every remainder as large as it can be: d - 1 comes in, so b' = floor((b d + d - 1) / n) at the most
    n, d = gamma.numerator, gamma.denominator
    schedule, largest = SpillSchedule(gamma), 0
    for number in range(3000):
        for _ in range(schedule.spills_before(number)):
            assert (largest * d + d - 1) // n >= 2**32  # there was no room
            largest >>= SPILL_BITS
        assert largest == schedule._bounds[number] - 1
        carry = largest * d + d - 1
        assert carry < 2**53
        largest = carry // n
        assert largest < 2**32


SOME = [as_fraction(float(value)) for value in np.random.default_rng(7).uniform(0.01, 0.999, 5)]


@pytest.mark.parametrize("gamma", [*KINDS_OF_GAMMA, *SOME], ids=str)
def test_side_information_of_many_layers(gamma):
    """32 bits and 1.02 log2(1/gamma) bits a step: nearly what no lossless method can beat, at every depth."""
    steps = 100_000 if gamma == F(49999, 50000) else 10_000
    schedule = SpillSchedule(gamma)
    spilled = SPILL_BITS * np.cumsum([schedule.spills_before(number) for number in range(steps)])
    lost = math.log2(gamma.denominator / gamma.numerator) * np.arange(1, steps + 1)
    assert (WORD_BITS + spilled <= 32 + 1.02 * lost).all()
    # and not fewer than the bits that are really destroyed
    assert (WORD_BITS + spilled >= lost - 1e-6).all()


def test_schedule_answers_in_any_order():
    steps = list(range(500))
    forward = [SpillSchedule(F(1, 3)).spills_before(number) for number in steps]
    one = SpillSchedule(F(1, 3))
    assert [one.spills_before(number) for number in reversed(steps)] == forward[::-1]
    assert forward[0] == 0
    assert sum(forward) > 80
    assert spill_schedule(F(1, 3)) is spill_schedule(F(2, 6))
