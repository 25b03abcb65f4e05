"""Which fraction stands for gamma, and when bits are spilled."""

import math
import threading
import time

import hypothesis.strategies as st
import numpy as np
import pytest
from exact_support import KINDS_OF_GAMMA, NEAR_ONE, F, Network, scale_of, zeros
from hypothesis import given, settings
from support import normal

from mininet.kernels.exact import (
    BUFFER_BITS,
    FINE,
    MAX_DENOMINATOR,
    SPILL_BITS,
    SpillSchedule,
    as_fraction,
    spill,
    spill_schedule,
    step,
    to_integers,
    undo_position,
    undo_velocity,
    unspill,
)

# The schedule: room for what the worst data can bring


def random_gammas(count):
    random = np.random.default_rng(7)
    for value in random.uniform(0.01, 0.999, count):
        yield as_fraction(float(value))


@pytest.mark.parametrize("gamma", [*KINDS_OF_GAMMA, *random_gammas(5)], ids=str)
def test_the_largest_possible_buffer_fits(gamma):
    # every remainder as large as it can be: d - 1 comes in, so b' = floor((b d + d - 1) / n) at the most
    n, d = gamma.numerator, gamma.denominator
    schedule, largest = SpillSchedule(gamma), 0
    for number in range(3000):
        for _ in range(schedule.spills_before(number)):
            assert largest * d + d - 1 >= 2**53 or (largest * d + d - 1) // n >= 2**32  # there was no room
            largest >>= SPILL_BITS
        assert largest == schedule._bounds[number] - 1
        carry = largest * d + d - 1
        assert carry < 2**53
        largest = carry // n
        assert largest < 2**32


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(699051, MAX_DENOMINATOR), F(1, 1000000)], ids=str)
def test_tiny_worst_case_through_the_kernel(gamma):
    # each f is chosen so that the velocity after the step is -1, whose remainder modulo d is d - 1
    n, d = gamma.numerator, gamma.denominator
    schedule, stack = spill_schedule(gamma), []
    x, v, b = np.array([0]), np.array([-1]), np.zeros(1, np.uint32)
    values, largest = [], 0
    for number in range(200):
        for _ in range(schedule.spills_before(number)):
            stack.append(spill(b))
            largest >>= SPILL_BITS
        carry = int(b[0]) * d + d - 1
        wanted = -1 - (-1 // d * n + carry % n)
        f = np.array([wanted / scale_of(gamma)])
        assert round(f.item() * scale_of(gamma)) == wanted
        assert step(x, v, b, f, gamma)[0] == FINE
        largest = (largest * d + d - 1) // n
        assert v[0] == -1
        assert b[0] == carry // n == largest == schedule._after_step(schedule._bounds[number]) - 1
        values.append(f)
    assert stack
    for number, f in reversed(list(enumerate(values))):
        undo_position(x, v, np.float64)
        undo_velocity(v, b, f, gamma)
        for _ in range(schedule.spills_before(number)):
            unspill(b, stack.pop())
    assert (x[0], v[0], b[0], len(stack)) == (0, -1, 0, 0)


def assert_on_the_limit(gamma, steps):
    """32 bits and 1.02 log2(1/gamma) bits a step: nearly what no lossless method can beat, at every depth."""
    schedule = SpillSchedule(gamma)
    schedule.spills_before(steps)
    spilled = SPILL_BITS * np.cumsum([schedule.spills_before(number) for number in range(steps)])
    lost = math.log2(gamma.denominator / gamma.numerator) * np.arange(1, steps + 1)
    assert (BUFFER_BITS + spilled <= 32 + 1.02 * lost).all()
    # and not fewer than the bits that are really destroyed
    assert (BUFFER_BITS + spilled >= lost - 1e-6).all()


@pytest.mark.parametrize("gamma", [*KINDS_OF_GAMMA, *random_gammas(40)], ids=str)
def test_side_information_of_10000_layers(gamma):
    assert_on_the_limit(gamma, 10_000)


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(99, 100), F(49999, 50000), F(524289, MAX_DENOMINATOR)], ids=str)
def test_side_information_of_200000_layers(gamma):
    assert_on_the_limit(gamma, 200_000)


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(1, 1000000), F(699051, MAX_DENOMINATOR)], ids=str)
def test_side_information_that_a_network_holds(gamma):
    x, v, b = zeros(8)
    to_integers(normal(8, seed=1), x)
    network, depth = Network(x, v, b, gamma, np.sin), 2000
    for _ in range(depth):
        network.forward()
    held = 8 * (b.nbytes + sum(low.nbytes for low in network.stack)) / x.size
    lost = math.log2(gamma.denominator / gamma.numerator) * depth
    assert lost <= held <= 32 + 1.02 * lost
    network.all_the_way_back()
    assert np.array_equal(x, np.rint(normal(8, seed=1) * 2.0**40).astype(np.int64))
    assert not v.any()
    assert not b.any()


def test_schedule_answers_in_any_order():
    steps = list(range(500))
    forward = [SpillSchedule(F(1, 3)).spills_before(number) for number in steps]
    one = SpillSchedule(F(1, 3))
    assert [one.spills_before(number) for number in reversed(steps)] == forward[::-1]
    assert forward[0] == 0
    assert sum(forward) > 80
    assert spill_schedule(F(1, 3)) is spill_schedule(F(2, 6))


# gamma as a fraction


@pytest.mark.parametrize(
    ("gamma", "fraction"),
    [
        (0, F(0)),
        (0.5, F(1, 2)),
        (0.9, F(9, 10)),
        (0.99, F(99, 100)),
        (0.52, F(13, 25)),
        (1 / 3, F(1, 3)),
        (0.1, F(1, 10)),
        (1 - 1 / 50000, F(49999, 50000)),
        (0.99999, F(99999, 100000)),
        (1 - 1 / 750, F(749, 750)),
        (1e-6, F(1, 1000000)),
        (2.0**-20, F(1, MAX_DENOMINATOR)),
        (1 - 2.0**-20, NEAR_ONE),
        (F(9, 10), F(9, 10)),
        (np.float64(0.9), F(9, 10)),
    ],
)
def test_fraction_of_a_decimal(gamma, fraction):
    assert as_fraction(gamma) == fraction


@pytest.mark.parametrize("denominator", [3, 7, 10, 24, 1000, 4999, 50_000, 123_456, 10**6])
def test_fractions_with_small_denominators_are_found(denominator):
    # the doubles nearest to them are off by 2^-53 at most, far below 2^-30 min(gamma, 1 - gamma) > 9e-16
    for numerator in {1, 2, denominator // 3, denominator // 2, denominator - 2, denominator - 1} - {0}:
        assert as_fraction(numerator / denominator) == F(numerator, denominator)


@pytest.mark.parametrize("gamma", [F(0), F(1), F(-1, 2), F(3, 2)])
def test_fractions_that_have_no_schedule(gamma):
    with pytest.raises(ValueError, match="gamma must be a fraction above 0 and below 1"):
        spill_schedule(gamma)


@pytest.mark.parametrize("off", [4.5e-10, -4.5e-10])
def test_a_small_denominator_is_preferred_to_a_nearer_fraction(off):
    """2^-30 of 1 - gamma is 4.65e-10, and fractions with denominators up to 2^20 come nearer to gamma than that."""
    gamma = 2501 / 5000 + off
    assert F(gamma).limit_denominator(MAX_DENOMINATOR) != F(2501, 5000)
    assert as_fraction(gamma) == F(2501, 5000)
    assert as_fraction(1 - gamma) == F(2499, 5000)


@given(st.floats(2.0**-20, 1 - 2.0**-20))
@settings(deadline=None, max_examples=300, derandomize=True)
def test_fraction_is_near_gamma(gamma):
    fraction = as_fraction(gamma)
    off = abs(fraction - F(gamma))
    assert 0 < fraction < 1
    assert fraction.denominator <= MAX_DENOMINATOR
    # neighbours a/b < c/d among fractions with denominators up to Q = 2^20 are 1/(bd) apart, and b + d > Q; so the
    # nearer one is at most 1/(2bd) away, relative to gamma and to 1 - gamma about 1/Q at the most
    assert off <= 2 * min(F(gamma), 1 - F(gamma)) / MAX_DENOMINATOR
    # where a power of two suffices for 2^-30, the next smaller one did not
    if off > min(F(gamma), 1 - F(gamma)) / 2**30:
        assert fraction == F(gamma).limit_denominator(MAX_DENOMINATOR)


@pytest.mark.parametrize("distance", [2.0**-21, 2.0**-22, 1e-9, 1e-15])
def test_gamma_too_near_to_0_or_1(distance):
    for gamma in (distance, 1 - distance):
        with pytest.raises(ValueError, match="2\\^-20 away from 0 and 1"):
            as_fraction(gamma)


@pytest.mark.parametrize("gamma", [0.6 * 2.0**-20, 1 - 0.6 * 2.0**-20])
def test_gamma_not_quite_2_to_the_minus_20_from_0_or_1_is_refused_not_changed(gamma):
    # 1/2^20 is nearer than 0, but off by two thirds of gamma
    with pytest.raises(ValueError, match="2\\^-20 away from 0 and 1"):
        as_fraction(gamma)


class SlowSchedule(SpillSchedule):
    def _after_step(self, bound):
        time.sleep(1e-4)
        return super()._after_step(bound)


def test_threads_share_a_schedule():
    alone, shared = SpillSchedule(F(9, 10)), SlowSchedule(F(9, 10))
    threads = [threading.Thread(target=shared.spills_before, args=(60,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [shared.spills_before(step) for step in range(61)] == [alone.spills_before(step) for step in range(61)]


def test_a_fraction_that_is_off_by_just_the_tolerance_will_do():
    assert as_fraction(F(998, 2003) * F(2**30, 2**30 + 1)) == F(998, 2003)
