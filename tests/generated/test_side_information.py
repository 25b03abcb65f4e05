"""Side information of exact arithmetic: one word for each element, and at most N log2(d / n) bits, spilled ones too."""

import math

import hypothesis.strategies as st
from examples import generated
from hypothesis import event
from reversible_support import train_step
from strategies import gammas, network_settings

from mininet import manual_seed, track_memory
from mininet.kernels.exact import BUFFER_BITS, SPILL_BITS, SpillSchedule, as_fraction


def limit_bits(gamma, depth):
    """For each element.  gamma is the fraction n/d that stands for it."""
    fraction = as_fraction(gamma)
    return depth * (math.log2(fraction.denominator) - math.log2(fraction.numerator)) + BUFFER_BITS


@generated(8, setting=network_settings())
def test_what_a_run_keeps(setting):
    net, size = setting.net("exact", "reversible"), math.prod(setting.shape)
    manual_seed(3)
    with track_memory() as memory:
        try:
            state = net.run(setting.x, *setting.inputs)
        except OverflowError:
            event("left the range")
            return
    held = state.buffer.nbytes + sum(low.nbytes for low in state.spilled)
    assert memory.by_kind["side information"] == memory.current_by_kind["side information"] == held
    assert 8 * held <= limit_bits(net.gamma, setting.depth) * size
    assert state.buffer.itemsize * 8 == BUFFER_BITS
    assert all(low.itemsize * 8 == SPILL_BITS and low.shape == setting.shape for low in state.spilled)


@generated(4, setting=network_settings())
def test_what_a_training_step_keeps(setting):
    net, size = setting.net("exact", "reversible"), math.prod(setting.shape)
    with track_memory() as memory:
        try:
            train_step(net, setting.x, *setting.inputs)
        except OverflowError:
            event("left the range")
            return
    assert 8 * memory.by_kind["side information"] <= limit_bits(net.gamma, setting.depth) * size
    assert memory.current_by_kind["side information"] == memory.current_by_kind["activations"] == 0


@generated(10, gamma=gammas, depth=st.integers(0, 250))
def test_the_schedule_spills_no_more_than_the_limit_and_as_much_as_is_needed(gamma, depth):
    """b < B whatever the data, with B = 1 at first, B' = ceil(B d / n) after a step, and ceil(B / 2^8) after a spill.

    So 8 s = N log2(d / n) - log2 B + what rounding up has added, in bits.  A step that spilled had B >= 2^24 n / d, and
    adds at most 1.45 / B; after it, B is at least 2^24.  So 24 bits are to spare, for 24 2^24 / (1.45 d / n) steps, at
    least 265, as d / n is below 2^20.  Before the first spill B creeps up by 1 at least: if d / n is nearly 1 it gains
    log2(n / (d - n)) bits in that, fewer than 20, and then next to nothing.
    """
    fraction = as_fraction(gamma)
    schedule, bound, spills = SpillSchedule(fraction), 1, 0
    for step in range(depth):
        spilled = schedule.spills_before(step)
        for number in range(spilled + 1):
            fits = -(-bound * fraction.denominator // fraction.numerator) <= 2**BUFFER_BITS
            assert fits == (number == spilled)
            if number < spilled:
                bound = -(-bound // 2**SPILL_BITS)
        bound = -(-bound * fraction.denominator // fraction.numerator)
        spills += spilled
        assert SPILL_BITS * spills + BUFFER_BITS <= limit_bits(gamma, step + 1)
