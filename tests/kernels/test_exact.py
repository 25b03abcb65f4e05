"""The exact momentum rule: integers, compared with `==` only."""

import fractions
import itertools
import sys
import threading

import hypothesis.strategies as st
import numpy as np
import pytest
from exact_support import (
    NEAR_ONE,
    F,
    Network,
    as_rows,
    by_dtype,
    by_gamma,
    largest_buffer,
    make,
    scale_of,
    zeros,
)
from hypothesis import given, settings
from support import assert_unchanged, normal, strided

from mininet.kernels import exact, get_num_threads, set_num_threads
from mininet.kernels.exact import (
    FINE,
    FRACTION_BITS,
    LARGEST,
    LIMIT,
    MAX_DENOMINATOR,
    NOT_A_NUMBER,
    SPILL_BITS,
    TOO_LARGE,
    inverse_step_reference,
    spill,
    step,
    step_reference,
    to_floats,
    to_integers,
    undo_position,
    undo_velocity,
    undo_velocity_and_position,
    unspill,
)

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
    status, values = step(x, v, b, f, gamma)
    assert status == FINE
    assert as_rows(x, v, b) == expected
    assert values.dtype == dtype
    assert np.array_equal(values, to_floats(x, dtype))

    for after, (*before, value) in zip(expected, rows, strict=True):
        assert inverse_step_reference(*after, {before[0]: value}.__getitem__, gamma) == tuple(before)
    values = undo_position(x, v, dtype)
    assert np.array_equal(x, start[0])
    assert values.dtype == dtype
    assert np.array_equal(values, to_floats(x, dtype))
    undo_velocity(v, b, f, gamma)
    assert_unchanged((x, v, b, f), (*start, kept))


@by_dtype
@by_gamma
def test_tiny_two_halves_of_the_inverse_in_one_pass(gamma, dtype):
    # x only has to be such that x - v does not overflow
    after = make(40, gamma)
    f = (normal(40, dtype, 1) * 100).astype(dtype)
    step(*after, f, gamma)
    x, v, b = (array.copy() for array in after)
    undo_velocity(v, b, f, gamma)
    values = undo_position(x, v, dtype)
    kept = f.copy()
    found = undo_velocity_and_position(*after, f, gamma)
    assert found.dtype == dtype
    assert_unchanged((*after, found, f), (x, v, b, values, kept))


@given(
    x=st.integers(-(2**60), 2**60),
    v=st.integers(-(2**60), 2**60),
    share=st.floats(0, 1),
    f=st.floats(-1e5, 1e5),
    n=st.integers(0, MAX_DENOMINATOR),
    d=st.integers(2, MAX_DENOMINATOR),
)
@settings(deadline=None, max_examples=200, derandomize=True)
def test_any_single_element(x, v, share, f, n, d):
    gamma = F(1 + n % (d - 1), d)
    b = round(share * largest_buffer(gamma))
    arrays = np.array([x]), np.array([v]), np.array([b], np.uint32)
    status, values = step(*arrays, np.array([f]), gamma)
    assert status == FINE
    after = step_reference(x, v, b, f, gamma)
    assert as_rows(*arrays) == [after]
    assert values.item() == float(after[0]) * 2.0**-40
    assert inverse_step_reference(*after, {x: f}.__getitem__, gamma) == (x, v, b)
    undo_position(*arrays[:2], np.float64)
    undo_velocity(*arrays[1:], np.array([f]), gamma)
    assert as_rows(*arrays) == [(x, v, b)]


@by_gamma
def test_tiny_velocity_is_gamma_v_but_for_less_than_n_units(gamma):
    x, v, b = make(40, gamma)
    before = v.copy()
    step(x, v, b, np.zeros(40), gamma)
    for old, new in zip(before.tolist(), v.tolist(), strict=True):
        assert abs(new - gamma * old) < gamma.numerator


def test_tiny_gamma_0_forgets_the_velocity_and_leaves_the_buffer():
    x, v, b = make(12, F(0))
    assert b[-1] == 2**32 - 1
    start_x, start_b = x.copy(), b.copy()
    f = normal(12)
    status, values = step(x, v, b, f, F(0))
    assert status == FINE
    assert v.tolist() == [round(value * 2.0**FRACTION_BITS) for value in f.tolist()]
    assert np.array_equal(x, start_x + v)
    assert np.array_equal(values, to_floats(x, np.float64))
    assert np.array_equal(b, start_b)


def test_tiny_f_need_not_be_contiguous():
    first, second = make(12, F(9, 10)), make(12, F(9, 10))
    f = normal(12)
    _, values = step(*first, f, F(9, 10))
    assert np.array_equal(step(*second, strided(f), F(9, 10))[1], values)
    assert_unchanged(second, first)
    third = [array.copy() for array in first]
    values = undo_velocity_and_position(*third, f, F(9, 10))
    undo_velocity(*first[1:], f, F(9, 10))
    undo_velocity(*second[1:], strided(f), F(9, 10))
    assert_unchanged(second, first)
    step(*second, f, F(9, 10))
    undo_position(*second[:2], np.float64)
    assert np.array_equal(undo_velocity_and_position(*second, strided(f), F(9, 10)), values)
    assert_unchanged(second, third)


@pytest.fixture
def three_threads(monkeypatch):
    """Shares as small as one element."""
    before = get_num_threads()
    set_num_threads(3)
    monkeypatch.setattr(exact, "ELEMENTS_WORTH_SHARING", 1)
    yield
    set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_tiny_shares_of_the_work():
    test_tiny_step_and_its_inverse(F(9, 10), np.float64)
    test_tiny_two_halves_of_the_inverse_in_one_pass(F(9, 10), np.float64)
    test_tiny_spill_and_unspill()
    values = normal((3, 4))
    integers = np.empty((3, 4), np.int64)
    assert to_integers(values, integers) == FINE
    assert np.array_equal(integers, np.rint(values * 2.0**40).astype(np.int64))
    for place in range(12):  # whichever share is bad is reported
        f = np.zeros(12)
        f[place] = 1e7
        assert step(*make(12, F(1, 2)), f, F(1, 2))[0] == TOO_LARGE
        assert to_integers(f, np.empty(12, np.int64)) == TOO_LARGE
        x, v, b = zeros(12)
        x[place] = LIMIT + 1
        assert step(x, v, b, np.zeros(12), F(1, 2))[0] == TOO_LARGE
    x = np.zeros(12, np.int64)
    status, values = exact.add(x, np.ones(12))
    assert status == FINE
    assert (x == 2**40).all()
    assert (values == 1).all()
    exact.add(x, np.ones(12), sign=-1)
    assert not x.any()


def test_more_elements_than_one_share():
    size = 2 * exact.ELEMENTS_WORTH_SHARING + 3
    x, v, b = make(size, F(9, 10))
    start, f = [array.copy() for array in (x, v, b)], normal(size)
    status, values = step(x, v, b, f, F(9, 10))
    assert status == FINE
    for i in (0, size // 2 - 1, size // 2, size - 1):
        assert (x[i], v[i], b[i]) == step_reference(*(int(array[i]) for array in start), f[i], F(9, 10))
    assert np.array_equal(values, x * 2.0**-40)
    undo_position(x, v, np.float64)
    undo_velocity(v, b, f, F(9, 10))
    assert_unchanged((x, v, b), start)


def test_tiny_no_elements():
    x, v, b = zeros(0, 3)
    status, values = step(x, v, b, np.empty((0, 3)), F(1, 2))
    assert status == FINE
    assert values.shape == (0, 3)
    assert undo_position(x, v, np.float32).shape == (0, 3)
    undo_velocity(v, b, np.empty((0, 3)), F(1, 2))
    assert undo_velocity_and_position(x, v, b, np.empty((0, 3)), F(1, 2)).shape == (0, 3)
    assert spill(b).shape == (0, 3)
    assert to_floats(x, np.float32).shape == (0, 3)
    assert to_integers(np.empty((0, 3)), x) == FINE


def test_tiny_floats_have_the_shape_of_x():
    x, v, b = (array.reshape(3, 4) for array in make(12, F(9, 10)))
    status, values = step(x, v, b, np.ones((3, 4), np.float32), F(9, 10))
    assert (status, values.shape, values.dtype) == (FINE, (3, 4), np.float32)
    assert undo_position(x, v, np.float32).shape == (3, 4)
    assert undo_velocity_and_position(x, v, b, np.ones((3, 4), np.float32), F(9, 10)).shape == (3, 4)


# Many steps


@pytest.mark.parametrize("together", [False, True])
@by_gamma
def test_a_thousand_layers_there_and_back(gamma, together):
    x, v, b = zeros(33)
    to_integers(normal(33, seed=1), x)
    to_integers(normal(33, seed=2), v)
    network = Network(x, v, b, gamma, np.sin)
    start = x.copy(), v.copy(), b.copy()
    for _ in range(1000):
        network.forward()
    assert not np.array_equal(x, start[0])
    if together:
        network.all_the_way_back()
    else:
        for _ in range(1000):
            network.back()
    assert_unchanged((x, v, b), start)
    assert network.stack == []


@pytest.mark.parametrize(("gamma", "depth"), [(F(1, 2), 80), (F(9, 10), 300), (F(1, 1000000), 40)], ids=str)
def test_tiny_networks_with_spills_equal_the_reference(gamma, depth):
    x, v, b = np.array([5, -7, 2**45, -(2**50)]), np.array([-3, 2**40, 0, -1]), np.zeros(4, np.uint32)
    network = Network(x, v, b, gamma, np.cos)
    expected = as_rows(x, v, b)
    for number in range(depth):
        spilled = SPILL_BITS * network.schedule.spills_before(number)
        network.forward()
        expected = [
            step_reference(a, b, c >> spilled, np.cos(np.float64(a) * 2.0**-FRACTION_BITS), gamma)
            for a, b, c in expected
        ]
        assert as_rows(x, v, b) == expected
    assert len(network.stack) > 1
    for _ in range(depth):
        network.back()
    assert as_rows(x, v, b) == [(5, -3, 0), (-7, 2**40, 0), (2**45, 0, 0), (-(2**50), -1, 0)]


def test_tiny_spill_and_unspill():
    random = np.random.default_rng(0)
    b = random.integers(0, 2**32, (5, 7)).astype(np.uint32)
    b[0, :4] = 0, 2**8 - 1, 2**8, 2**32 - 1
    before = b.copy()
    low = spill(b)
    assert (low.dtype, b.dtype) == (np.uint8, np.uint32)
    assert low.shape == b.shape
    assert np.array_equal(b, before >> 8)
    assert np.array_equal(low, before & 0xFF)
    kept = low.copy()
    unspill(b, low)
    assert_unchanged((b, low), (before, kept))


# What cannot be represented is reported

BAD = [(np.nan, NOT_A_NUMBER), (np.inf, TOO_LARGE), (-np.inf, TOO_LARGE), (3e6, TOO_LARGE), (-3e6, TOO_LARGE)]


@pytest.fixture
def quiet():
    """In plain Python NumPy warns about what compiled kernels do silently."""
    with np.errstate(invalid="ignore", over="ignore"):
        yield


@pytest.mark.usefixtures("quiet")
@by_dtype
@pytest.mark.parametrize(("value", "status"), [*BAD, (1e30, TOO_LARGE), (-1e30, TOO_LARGE)])
@pytest.mark.parametrize("size", [1, 3, 40])
def test_tiny_status_of_bad_values(size, value, status, dtype):
    for place in {0, size // 2, size - 1}:
        values = np.ones(size, dtype)
        values[place] = value
        assert to_integers(values, np.empty(size, np.int64)) == status
        for gamma in (F(1, 1000), F(0)):
            assert step(*zeros(size), values, gamma)[0] == status


def test_tiny_largest_value():
    integers = np.empty(2, np.int64)
    assert to_integers(np.array([LARGEST, -LARGEST]), integers) == FINE
    assert integers.tolist() == [LIMIT, -LIMIT]
    assert to_integers(np.array([np.nextafter(LARGEST, np.inf)]), integers[:1]) == TOO_LARGE


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("values", list(itertools.permutations([1e9, np.nan, np.inf])), ids=str)
def test_tiny_nan_is_reported_rather_than_too_large(values):
    assert to_integers(np.array(values), np.empty(3, np.int64)) == NOT_A_NUMBER
    assert step(*zeros(3), np.array(values), F(1, 2))[0] == NOT_A_NUMBER
    x, v, b = zeros(3)
    x[:] = LIMIT + 1
    assert step(x, v, b, np.array([0, np.nan, 0]), F(1, 2))[0] == NOT_A_NUMBER


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(0), NEAR_ONE], ids=str)
def test_tiny_overflow_is_reported_and_never_wrapped(gamma):
    # the largest x, v and increment of either sign at once: sums stay within 64 bits, and are reported iff beyond LIMIT
    extremes = (-LIMIT, -LIMIT + 1, 0, LIMIT - 1, LIMIT)
    largest_f = np.nextafter(LIMIT / scale_of(gamma), 0)
    for x, v, f in itertools.product(extremes, extremes, (-largest_f, 0.0, largest_f)):
        arrays = np.array([x]), np.array([v]), np.array([0], np.uint32)
        status, _ = step(*arrays, np.array([f]), gamma)
        if gamma:
            expected = step_reference(x, v, 0, f, gamma)
        else:
            velocity = round(f * scale_of(gamma))
            expected = x + velocity, velocity, 0
        assert as_rows(*arrays) == [expected]
        assert all(abs(value) < 2**63 for value in expected)
        beyond = abs(expected[0]) > LIMIT or abs(expected[1]) > LIMIT
        assert status == (TOO_LARGE if beyond else FINE)


def test_tiny_increment_beyond_the_limit_is_reported_even_if_the_sum_is_not():
    # one unit of float64 above LIMIT; the velocity takes it back
    f = np.array([np.nextafter(LARGEST, np.inf) * 2, -np.nextafter(LARGEST, np.inf) * 2])
    for size in (2, 32):
        x, v, b = zeros(size)
        v[::2], v[1::2] = -(2**60), 2**60
        assert step(x, v, b, np.tile(f, size // 2), F(1, 2))[0] == TOO_LARGE
    x, v, b = zeros(2)
    v[:] = -(2**60), 2**60
    assert step(x, v, b, np.array([2 * LARGEST, -2 * LARGEST]), F(1, 2))[0] == FINE


def test_a_net_that_runs_away_is_reported():
    # x grows by more than a fifth in every layer and passes 2^61 after some dozens; until then nothing is reported
    x, v, b = np.array([2**40]), np.array([0]), np.zeros(1, np.uint32)
    expected, f = (2**40, 0, 0), 2 * to_floats(x, np.float64)
    while abs(expected[0]) <= LIMIT and abs(expected[1]) <= LIMIT:
        expected = step_reference(*expected, f.item(), F(9, 10))
        status, values = step(x, v, b, f, F(9, 10))
        f = 2 * values
        assert as_rows(x, v, b) == [expected]
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
