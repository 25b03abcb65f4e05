"""The exact momentum rule: integers, compared with `==` only."""

import fractions
import itertools
import math
import sys
import threading

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import DTYPES, assert_unchanged, normal, strided

from mininet.kernels import exact
from mininet.kernels.exact import (
    FINE,
    FRACTION_BITS,
    LARGEST,
    LIMIT,
    MAX_DENOMINATOR,
    NOT_A_NUMBER,
    SPILL_BITS,
    TOO_LARGE,
    SpillSchedule,
    as_fraction,
    inverse_step_reference,
    spill,
    spill_schedule,
    step,
    step_reference,
    to_floats,
    to_integers,
    undo_position,
    undo_velocity,
    unspill,
)

F = fractions.Fraction
NEAR_ONE = F(MAX_DENOMINATOR - 1, MAX_DENOMINATOR)
GAMMAS = [F(1, 2), F(9, 10), F(13, 25), F(1, 3), F(49999, 50000), F(1, 1000000), NEAR_ONE]
by_gamma = pytest.mark.parametrize("gamma", GAMMAS, ids=str)
by_dtype = pytest.mark.parametrize("dtype", DTYPES)


def scale_of(gamma):
    """Units per unit of f: (1 - gamma) 2^40, rounded once."""
    return float((1 - gamma) * 2**FRACTION_BITS)


def make(size, gamma, seed=0):
    """Positions, velocities and buffers of every size and sign, within what a step may be given."""
    random = np.random.default_rng(seed)
    largest_b = 2**63 // gamma.denominator - 1
    arrays = []
    for low, high in ((-(2**59), 2**59), (-(2**59), 2**59), (0, largest_b)):
        bits = random.integers(1, 60, size)  # uniform in magnitude, not in value
        values = random.integers(low, high, size)
        arrays.append((np.sign(values) * (np.abs(values) >> (60 - bits))).astype(np.int64))
    x, v, b = arrays
    edges = [0, 1, -1, gamma.denominator, -gamma.denominator, gamma.numerator, -gamma.numerator - 1]
    v[: len(edges)] = edges[:size]
    b[-1:] = largest_b
    return x, v, b


class Network:
    """Steps and inverse steps with spills, as the schedule says; the residual function is any map of float arrays."""

    def __init__(self, x, v, b, gamma, function):
        self.x, self.v, self.b, self.gamma, self.function = x, v, b, gamma, function
        self.schedule, self.stack, self.depth = spill_schedule(gamma), [], 0

    def forward(self):
        for _ in range(self.schedule.spills_before(self.depth)):
            self.stack.append(spill(self.b))
        assert step(self.x, self.v, self.b, self.function(to_floats(self.x, np.float64)), self.gamma) == FINE
        self.depth += 1

    def back(self):
        self.depth -= 1
        undo_position(self.x, self.v)
        undo_velocity(self.v, self.b, self.function(to_floats(self.x, np.float64)), self.gamma)
        for _ in range(self.schedule.spills_before(self.depth)):
            unspill(self.b, self.stack.pop())


# One step and its inverse, element by element


@by_dtype
@by_gamma
def test_tiny_step_and_its_inverse(gamma, dtype):
    x, v, b = make(40, gamma)
    f = (normal(40, dtype, 1) * 100).astype(dtype)
    start = [array.copy() for array in (x, v, b)]
    rows = list(zip(x.tolist(), v.tolist(), b.tolist(), f, strict=True))
    expected = [step_reference(*row, gamma) for row in rows]
    kept = f.copy()
    assert step(x, v, b, f, gamma) == FINE
    assert list(zip(x.tolist(), v.tolist(), b.tolist(), strict=True)) == expected
    assert (b >= 0).all()

    for after, (*before, value) in zip(expected, rows, strict=True):
        assert inverse_step_reference(*after, {before[0]: value}.__getitem__, gamma) == tuple(before)
    undo_position(x, v)
    assert np.array_equal(x, start[0])
    undo_velocity(v, b, f, gamma)
    assert_unchanged((x, v, b, f), (*start, kept))


@given(
    x=st.integers(-(2**60), 2**60),
    v=st.integers(-(2**60), 2**60),
    share=st.floats(0, 1, exclude_max=True),
    f=st.floats(-1e5, 1e5),
    n=st.integers(0, MAX_DENOMINATOR),
    d=st.integers(2, MAX_DENOMINATOR),
)
@settings(deadline=None, max_examples=200, derandomize=True)
def test_any_single_element(x, v, share, f, n, d):
    gamma = F(1 + n % (d - 1), d)
    b = int(share * (2**63 // gamma.denominator - 1))
    arrays = [np.array([value]) for value in (x, v, b)]
    assert step(*arrays, np.array([f]), gamma) == FINE
    after = step_reference(x, v, b, f, gamma)
    assert tuple(array.item() for array in arrays) == after
    assert inverse_step_reference(*after, {x: f}.__getitem__, gamma) == (x, v, b)
    undo_position(*arrays[:2])
    undo_velocity(*arrays[1:], np.array([f]), gamma)
    assert tuple(array.item() for array in arrays) == (x, v, b)


@by_gamma
def test_tiny_velocity_is_gamma_v_but_for_less_than_n_units(gamma):
    x, v, b = make(40, gamma)
    before = v.copy()
    step(x, v, b, np.zeros(40), gamma)
    for old, new in zip(before.tolist(), v.tolist(), strict=True):
        assert abs(new - gamma * old) < gamma.numerator


def test_tiny_gamma_0_forgets_the_velocity_and_leaves_the_buffer():
    x, v, b = make(12, F(1, 2))
    start_x, start_b = x.copy(), b.copy()
    f = normal(12)
    assert step(x, v, b, f, F(0)) == FINE
    assert v.tolist() == [round(value * 2.0**FRACTION_BITS) for value in f.tolist()]
    assert np.array_equal(x, start_x + v)
    assert np.array_equal(b, start_b)


def test_tiny_f_need_not_be_contiguous():
    first, second = make(12, F(9, 10)), make(12, F(9, 10))
    f = normal(12)
    step(*first, f, F(9, 10))
    step(*second, strided(f), F(9, 10))
    assert_unchanged(second, first)
    undo_velocity(*first[1:], f, F(9, 10))
    undo_velocity(*second[1:], strided(f), F(9, 10))
    assert_unchanged(second, first)


@pytest.mark.parametrize("piece", [1, 5, 16])
def test_tiny_pieces_of_work(monkeypatch, piece):
    monkeypatch.setattr(exact, "ELEMENTS_PER_PIECE", piece)
    test_tiny_step_and_its_inverse(F(9, 10), np.float64)
    values = normal((3, 4))
    integers = np.empty((3, 4), np.int64)
    assert to_integers(values, integers) == FINE
    assert np.array_equal(integers, np.rint(values * 2.0**40).astype(np.int64))
    for place in range(12):  # whichever piece is bad is reported
        f = np.zeros(12)
        f[place] = np.nan
        assert step(*make(12, F(1, 2)), f, F(1, 2)) == NOT_A_NUMBER


def test_more_elements_than_one_piece():
    size = 2 * exact.ELEMENTS_PER_PIECE + 3
    x, v, b = make(size, F(9, 10))
    start, f = [array.copy() for array in (x, v, b)], normal(size)
    assert step(x, v, b, f, F(9, 10)) == FINE
    for i in (0, exact.ELEMENTS_PER_PIECE - 1, exact.ELEMENTS_PER_PIECE, size - 1):
        assert (x[i], v[i], b[i]) == step_reference(*(int(array[i]) for array in start), f[i], F(9, 10))
    undo_position(x, v)
    undo_velocity(v, b, f, F(9, 10))
    assert_unchanged((x, v, b), start)


def test_tiny_no_elements():
    x, v, b = (np.empty((0, 3), np.int64) for _ in range(3))
    assert step(x, v, b, np.empty((0, 3)), F(1, 2)) == FINE
    undo_position(x, v)
    undo_velocity(v, b, np.empty((0, 3)), F(1, 2))
    assert spill(b).shape == (0, 3)
    assert to_floats(x, np.float32).shape == (0, 3)
    assert to_integers(np.empty((0, 3)), x) == FINE


# Many steps


@by_gamma
def test_a_thousand_layers_there_and_back(gamma):
    x, v = np.empty(33, np.int64), np.empty(33, np.int64)
    to_integers(normal(33, seed=1), x)
    to_integers(normal(33, seed=2), v)
    network = Network(x, v, np.zeros(33, np.int64), gamma, np.sin)
    start = x.copy(), v.copy()
    for _ in range(1000):
        network.forward()
    assert not np.array_equal(x, start[0])
    for _ in range(1000):
        network.back()
    assert np.array_equal(x, start[0])
    assert np.array_equal(v, start[1])
    assert np.array_equal(network.b, np.zeros(33))
    assert network.stack == []


@pytest.mark.parametrize(("gamma", "depth"), [(F(1, 2), 150), (F(9, 10), 600), (F(1, 1000000), 60)], ids=str)
def test_tiny_networks_with_spills_equal_the_reference(gamma, depth):
    x, v = np.array([5, -7, 2**45, -(2**50)]), np.array([-3, 2**40, 0, -1])
    network = Network(x, v, np.zeros(4, np.int64), gamma, np.cos)
    expected = [(*start, 0) for start in zip(x.tolist(), v.tolist(), strict=True)]
    for number in range(depth):
        spilled = SPILL_BITS * network.schedule.spills_before(number)
        network.forward()
        expected = [
            step_reference(a, b, c >> spilled, np.cos(np.float64(a) * 2.0**-FRACTION_BITS), gamma)
            for a, b, c in expected
        ]
        assert list(zip(x.tolist(), v.tolist(), network.b.tolist(), strict=True)) == expected
    assert len(network.stack) > 1
    for _ in range(depth):
        network.back()
    assert x.tolist() == [5, -7, 2**45, -(2**50)]
    assert v.tolist() == [-3, 2**40, 0, -1]
    assert not network.b.any()


# The schedule: room for what the worst data can bring


def random_gammas(count):
    random = np.random.default_rng(7)
    for value in random.uniform(0.01, 0.999, count):
        yield as_fraction(float(value))


@pytest.mark.parametrize("gamma", [*GAMMAS, F(1, MAX_DENOMINATOR), *random_gammas(5)], ids=str)
def test_the_largest_possible_buffer_fits(gamma):
    # every remainder as large as it can be: d - 1 comes in, so b' = floor((b d + d - 1) / n) at the most
    n, d = gamma.numerator, gamma.denominator
    schedule, largest = SpillSchedule(gamma), 0
    for number in range(3000):
        for _ in range(schedule.spills_before(number)):
            # there was no room, but for what rounding bounds up makes of the lowest bits
            assert (largest + largest // 2**20 + 1) * d > 2**63
            largest >>= SPILL_BITS
        assert largest < schedule._bounds[number]
        carry = largest * d + d - 1
        assert carry < 2**63
        assert schedule._bounds[number] * d <= 2**63
        largest = carry // n


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(699051, MAX_DENOMINATOR), F(1, 1000000)], ids=str)
def test_tiny_worst_case_through_the_kernel(gamma):
    # each f is chosen so that the velocity after the step is -1, whose remainder modulo d is d - 1
    n, d = gamma.numerator, gamma.denominator
    schedule, stack = spill_schedule(gamma), []
    x, v, b = np.array([0]), np.array([-1]), np.array([0])
    values, largest = [], 0
    for number in range(400):
        for _ in range(schedule.spills_before(number)):
            stack.append(spill(b))
            largest >>= SPILL_BITS
        carry = int(b[0]) * d + d - 1
        wanted = -1 - (-1 // d * n + carry % n)
        f = np.array([wanted / scale_of(gamma)])
        assert round(f.item() * scale_of(gamma)) == wanted
        assert step(x, v, b, f, gamma) == FINE
        largest = (largest * d + d - 1) // n
        assert v[0] == -1
        assert b[0] == carry // n == largest
        values.append(f)
    assert stack
    for number, f in reversed(list(enumerate(values))):
        undo_position(x, v)
        undo_velocity(v, b, f, gamma)
        for _ in range(schedule.spills_before(number)):
            unspill(b, stack.pop())
    assert (x[0], v[0], b[0], len(stack)) == (0, -1, 0, 0)


def assert_on_the_limit(gamma, steps):
    """64 bits and 1.02 log2(1/gamma) bits a step: nearly what no lossless method can beat, at every depth."""
    schedule = SpillSchedule(gamma)
    schedule.spills_before(steps)
    spilled = SPILL_BITS * np.cumsum([schedule.spills_before(number) for number in range(steps)])
    lost = math.log2(gamma.denominator / gamma.numerator) * np.arange(1, steps + 1)
    assert (64 + spilled <= 64 + 1.02 * lost).all()
    # and not fewer than the bits that are really destroyed, less what one word holds
    assert (64 + spilled >= lost - 1e-6).all()


@pytest.mark.parametrize("gamma", [*GAMMAS, F(1, MAX_DENOMINATOR), F(99, 100), *random_gammas(40)], ids=str)
def test_side_information_of_10000_layers(gamma):
    assert_on_the_limit(gamma, 10_000)


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(99, 100), F(49999, 50000), F(524289, MAX_DENOMINATOR)], ids=str)
def test_side_information_of_200000_layers(gamma):
    assert_on_the_limit(gamma, 200_000)


def test_schedule_answers_in_any_order():
    steps = list(range(500))
    forward = [SpillSchedule(F(1, 3)).spills_before(number) for number in steps]
    one = SpillSchedule(F(1, 3))
    assert [one.spills_before(number) for number in reversed(steps)] == forward[::-1]
    assert forward[0] == 0
    assert sum(forward) > 40
    assert spill_schedule(F(1, 3)) is spill_schedule(F(2, 6))


def test_tiny_spill_and_unspill():
    random = np.random.default_rng(0)
    b = random.integers(0, 2**62, (5, 7))
    b[0, :3] = 0, 2**16 - 1, 2**63 - 1
    before = b.copy()
    low = spill(b)
    assert low.dtype == np.uint16
    assert low.shape == b.shape
    assert np.array_equal(b, before >> 16)
    assert np.array_equal(low, before & 0xFFFF)
    kept = low.copy()
    unspill(b, low)
    assert_unchanged((b, low), (before, kept))


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


# What cannot be represented is reported

BAD = [(np.nan, NOT_A_NUMBER), (np.inf, TOO_LARGE), (-np.inf, TOO_LARGE), (3e6, TOO_LARGE), (-3e6, TOO_LARGE)]


@by_dtype
@pytest.mark.parametrize(("value", "status"), BAD)
def test_tiny_status_of_bad_values(dtype, value, status):
    values = np.array([1, value, 2], dtype=dtype)
    assert to_integers(values, np.empty(3, np.int64)) == status
    zeros = [np.zeros(3, np.int64) for _ in range(3)]
    assert step(*zeros, values, F(1, 1000)) == status


def test_tiny_largest_value():
    integers = np.empty(2, np.int64)
    assert to_integers(np.array([LARGEST, -LARGEST]), integers) == FINE
    assert integers.tolist() == [LIMIT, -LIMIT]
    assert to_integers(np.array([np.nextafter(LARGEST, np.inf)]), integers[:1]) == TOO_LARGE


def test_tiny_worst_status_wins():
    values = np.array([1e9, np.nan, 1e9])
    assert to_integers(values, np.empty(3, np.int64)) == NOT_A_NUMBER
    assert step(*(np.zeros(3, np.int64) for _ in range(3)), values, F(1, 2)) == NOT_A_NUMBER


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(0), NEAR_ONE], ids=str)
def test_tiny_overflow_is_reported_and_never_wrapped(gamma):
    # the largest x, v and increment of either sign at once: sums stay within 64 bits, and are reported iff beyond LIMIT
    extremes = (-LIMIT, -LIMIT + 1, 0, LIMIT - 1, LIMIT)
    largest_f = np.nextafter(LIMIT / scale_of(gamma), 0)
    for x, v, f in itertools.product(extremes, extremes, (-largest_f, 0.0, largest_f)):
        arrays = np.array([x]), np.array([v]), np.array([0])
        status = step(*arrays, np.array([f]), gamma)
        if gamma:
            expected = step_reference(x, v, 0, f, gamma)
        else:
            velocity = round(f * scale_of(gamma))
            expected = x + velocity, velocity, 0
        assert tuple(array.item() for array in arrays) == expected
        assert all(abs(value) < 2**63 for value in expected)
        beyond = abs(expected[0]) > LIMIT or abs(expected[1]) > LIMIT
        assert status == (TOO_LARGE if beyond else FINE)


def test_a_net_that_runs_away_is_reported():
    # x grows by more than a fifth in every layer and passes 2^61 after some dozens; until then nothing is reported
    x, v, b = np.array([2**40]), np.array([0]), np.array([0])
    expected = 2**40, 0, 0
    while abs(expected[0]) <= LIMIT and abs(expected[1]) <= LIMIT:
        f = 2 * to_floats(x, np.float64)
        expected = step_reference(*expected, f.item(), F(9, 10))
        status = step(x, v, b, f, F(9, 10))
        assert (x.item(), v.item(), b.item()) == expected
        assert status == (FINE if abs(expected[0]) <= LIMIT and abs(expected[1]) <= LIMIT else TOO_LARGE)
    assert status == TOO_LARGE


# Conversions


@by_dtype
def test_tiny_to_integers_rounds_to_the_nearest_unit(dtype):
    values = (normal((3, 5), dtype) * 1000).astype(dtype)
    values[0] = np.array([0, -0.0, 0.5, 1.5, -2.5]) * 2.0**-40  # ties go to even
    integers = np.empty(values.shape, np.int64)
    kept = values.copy()
    assert to_integers(values, integers) == FINE
    assert integers.ravel().tolist() == [round(F(float(value)) * 2**40) for value in values.ravel()]
    assert_unchanged([values], [kept])
    again = np.empty_like(integers)
    assert to_integers(strided(values), again) == FINE
    assert np.array_equal(again, integers)


@by_dtype
def test_tiny_to_floats_rounds_to_the_nearest_float(dtype):
    random = np.random.default_rng(0)
    integers = random.integers(-LIMIT, LIMIT, (4, 5))
    integers[0] = 0, 1, -1, LIMIT, -LIMIT
    kept = integers.copy()
    floats = to_floats(integers, dtype)
    assert floats.dtype == dtype
    assert floats.shape == integers.shape
    # Python rounds an integer to the nearest double; the product with 2^-40 is exact
    expected = [float(value) * 2.0**-40 for value in integers.ravel().tolist()]
    assert np.array_equal(floats.ravel(), np.array(expected).astype(dtype))
    assert_unchanged([integers], [kept])


def test_floats_survive_the_way_through_integers():
    # float32 from 2^-16 up has no bits below 2^-40, so nothing is rounded
    values = np.concatenate([sign * np.float32(2.0) ** np.arange(-16, 21) * np.float32(1.7) for sign in (1, -1)])
    integers = np.empty(values.shape, np.int64)
    assert to_integers(values, integers) == FINE
    assert np.array_equal(to_floats(integers, np.float32), values)


def test_threads_that_share_a_schedule_agree(monkeypatch):
    # both extend it at the same time, switching between any two lines
    expected = [exact.spill_schedule(fractions.Fraction(1, 2)).spills_before(step) for step in range(400)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            schedule, found = exact.SpillSchedule(fractions.Fraction(1, 2)), [[], []]

            def ask(schedule, out):
                out.extend(map(schedule.spills_before, range(400)))

            threads = [threading.Thread(target=ask, args=(schedule, out)) for out in found]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert found == [expected, expected]
    finally:
        sys.setswitchinterval(interval)
