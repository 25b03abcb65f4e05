"""The exact momentum rule: integers, compared with `==` only; and the fraction that stands for gamma."""

import itertools
import math

import numpy as np
import pytest
from exact_support import (
    NEAR_ONE,
    F,
    Network,
    as_rows,
    by_dtype,
    by_gamma,
    inverse_step_reference,
    make,
    scale_of,
    step,
    step_reference,
    undo_velocity,
    undo_velocity_and_position,
    zeros,
)
from support import assert_unchanged, normal, strided

from mininet.kernels import exact, threads
from mininet.kernels.exact import (
    BLOCK,
    LARGEST,
    LIMIT,
    MAX_DENOMINATOR,
    as_fraction,
    to_floats,
    to_units,
    undo_position,
)
from mininet.kernels.remainders import SPILL_BITS, spill_schedule

FLOAT64 = np.dtype(np.float64)
SIZE = 2 * BLOCK + 3

# One step and its inverse, element by element


@by_dtype
@by_gamma
def test_tiny_step_and_its_inverse(gamma, dtype):
    x, v, b = make(SIZE, gamma)
    f = (normal(SIZE, dtype, 1) * 100).astype(dtype)
    start = [array.copy() for array in (x, v, b, f)]
    rows = list(zip(x.tolist(), v.tolist(), b.tolist(), f, strict=True))
    expected = [step_reference(*row, gamma) for row in rows]
    values = step(x, v, b, f, gamma)
    assert as_rows(x, v, b) == expected
    assert values.dtype == dtype
    assert np.array_equal(values, to_floats(x, f.dtype))
    for after, (*before, value) in zip(expected, rows, strict=True):
        assert inverse_step_reference(*after, {before[0]: value}.__getitem__, gamma) == tuple(before)

    values = undo_position(x, v, f.dtype)
    assert values.dtype == dtype
    assert np.array_equal(values, to_floats(x, f.dtype))
    together = [array.copy() for array in (x, v, b)]
    undo_velocity(v, b, f, gamma)
    assert_unchanged((x, v, b, f), start)
    # and in one pass, with the first half of what comes next
    found, values = undo_velocity_and_position(*together, f, gamma), undo_position(x, v, f.dtype)
    assert found.dtype == dtype
    assert_unchanged((*together, found, f), (x, v, b, values, start[3]))


def test_tiny_gamma_0_forgets_the_velocity_and_leaves_the_remainders():
    x, v, b = make(12, F(0))
    assert b[-1] == 2**32 - 1
    start_x, start_b = x.copy(), b.copy()
    f = normal(12)
    values = step(x, v, b, f, F(0))
    assert v.tolist() == [round(value * 2.0**40) for value in f.tolist()]
    assert np.array_equal(x, start_x + v)
    assert np.array_equal(values, to_floats(x, FLOAT64))
    assert np.array_equal(b, start_b)
    for undo in (lambda: undo_velocity(v, b, f, F(0)), lambda: undo_velocity_and_position(x, v, b, f, F(0))):
        with pytest.raises(ValueError, match="gamma"):
            undo()


def calls(x, v, b, gamma):
    """All that takes the residual function's value."""
    return (
        lambda f: step(x, v, b, f, gamma),
        lambda f: undo_velocity(v, b, f, gamma),
        lambda f: undo_velocity_and_position(x, v, b, f, gamma),
        lambda f: exact.add(x, f),
    )


def test_tiny_f_need_not_be_contiguous_but_like_x():
    one, other, f = make(12, F(9, 10)), make(12, F(9, 10)), normal(12)
    for ours, theirs in zip(calls(*one, F(9, 10)), calls(*other, F(9, 10)), strict=True):
        assert np.array_equal(ours(f), theirs(strided(f)))
        assert_unchanged(one, other)
    for call in calls(*one, F(9, 10)):
        with pytest.raises(ValueError, match="residual"):
            call(f[1:])
    for call in (exact.undo_velocity, exact.undo_velocity_and_position, exact.step):
        arrays = one[1:] if call is exact.undo_velocity else one
        with pytest.raises(ValueError, match="residual"):
            call(*arrays, f.astype(np.float32), exact.coefficients(F(9, 10)), FLOAT64)


def test_tiny_shares_of_the_work(set_threads, monkeypatch):
    """On three threads, shares as small as one element."""
    set_threads(3)
    monkeypatch.setattr(threads, "ELEMENTS_WORTH_SHARING", 1)
    test_tiny_step_and_its_inverse(F(9, 10), np.float64)
    test_tiny_sums_are_rounded_to_units_and_undone(np.float64)
    values = normal((3, 4))
    assert np.array_equal(to_units("x", values), np.rint(values * 2.0**40).astype(np.int64))
    for place in range(12):  # whichever share is bad is reported
        f = np.zeros(12)
        f[place] = 1e7
        x, v, b = zeros(12)
        x[place] = LIMIT + 1
        for call in (
            lambda f=f: step(*make(12, F(1, 2)), f, F(1, 2)),
            lambda f=f: to_units("x", f),
            lambda f=f: exact.add(zeros(12)[0], f),
            lambda x=x, v=v, b=b: step(x, v, b, np.zeros(12), F(1, 2)),
        ):
            with pytest.raises(OverflowError):
                call()


@by_dtype
def test_tiny_sums_are_rounded_to_units_and_undone(dtype):
    random = np.random.default_rng(0)
    special = [0.0, 1.0, -1.0, 0.3, -(2.0**-41), 3 * 2.0**-41, -3 * 2.0**-41, 1e-30, 12345.678, -(2.0**19)]
    f = np.concatenate([special, random.standard_normal(100) * 10.0 ** random.integers(-14, 5, 100)]).astype(dtype)
    x = random.integers(-(2**60), 2**60, f.size)
    start = x.copy()
    sums = exact.add(x, f)
    assert x.tolist() == [i + round(value * 2**40) for i, value in zip(start.tolist(), f.tolist(), strict=True)]
    assert np.array_equal(sums, to_floats(x, f.dtype))
    back = exact.add(x, f, sign=-1)
    assert np.array_equal(x, start)
    assert np.array_equal(back, to_floats(start, f.dtype))
    assert sums.dtype == back.dtype == dtype


# Many steps


@by_gamma
def test_a_thousand_layers_there_and_back(gamma):
    network = Network(to_units("x", normal(33, seed=1)), to_units("v", normal(33, seed=2)), gamma, np.sin)
    start = [array.copy() for array in network.arrays()]
    for _ in range(1000):
        network.forward()
    assert not np.array_equal(network.x, start[0])
    lost, words = math.log2(gamma.denominator / gamma.numerator) * 1000, network.remainders.packed
    spilled = sum(low.nbytes for low in network.remainders.spilled)
    assert lost <= 8 * (words.nbytes + spilled) / words.size <= 32 + 1.02 * lost
    other = Network(network.x.copy(), network.v.copy(), gamma, np.sin)
    other.remainders, other.depth = network.remainders.copy(), network.depth
    for _ in range(1000):
        network.back()
    other.values = undo_position(other.x, other.v, FLOAT64)
    for _ in range(1000):
        other.back_in_one_pass()
    other.x += other.v  # the last pass has undone the position of a layer that there was not
    for one in (network, other):
        assert_unchanged(one.arrays(), start)
        assert one.remainders.spilled == []


@pytest.mark.parametrize(("gamma", "depth"), [(F(1, 2), 80), (F(9, 10), 300), (F(1, 1000000), 40)], ids=str)
def test_tiny_networks_with_spills_equal_the_reference(gamma, depth):
    network = Network(np.array([5, -7, 2**45, -(2**50)]), np.array([-3, 2**40, 0, -1]), gamma, np.cos)
    start = expected = as_rows(*network.arrays())
    for number in range(depth):
        spilled = SPILL_BITS * spill_schedule(gamma).spills_before(number)
        network.forward()
        expected = [step_reference(x, v, b >> spilled, np.cos(np.float64(x) * 2.0**-40), gamma) for x, v, b in expected]
        assert as_rows(*network.arrays()) == expected
    assert len(network.remainders.spilled) > 1
    for _ in range(depth):
        network.back()
    assert as_rows(*network.arrays()) == start


# What cannot be represented is reported

BAD = [
    *((value, FloatingPointError if np.isnan(value) else OverflowError) for value in (np.nan, np.inf, -np.inf)),
    *((value, OverflowError) for value in (3e6, -3e6, 1e30, -1e30)),
]


@pytest.fixture
def _quiet():
    """In plain Python NumPy warns about what compiled kernels do silently."""
    with np.errstate(invalid="ignore", over="ignore"):
        yield


@pytest.mark.usefixtures("_quiet")
@by_dtype
@pytest.mark.parametrize(("value", "error"), BAD)
@pytest.mark.parametrize("size", [1, 3, SIZE])
def test_tiny_bad_values_are_refused(size, value, error, dtype):
    for place in {0, size // 2, size - 1}:
        values = np.ones(size, dtype)
        values[place] = value
        with pytest.raises(OverflowError if np.isfinite(value) else ValueError, match="the start"):
            to_units("the start", values)
        for call in (lambda f: step(*zeros(size), f, F(1, 1000)), lambda f: step(*zeros(size), f, F(0)),
                     lambda f: exact.add(zeros(size)[0], f)):  # fmt: skip
            with pytest.raises(error):
                call(values)


def test_tiny_largest_value():
    assert to_units("x", np.array([LARGEST, -LARGEST])).tolist() == [LIMIT, -LIMIT]
    with pytest.raises(OverflowError):
        to_units("x", np.array([np.nextafter(LARGEST, np.inf)]))
    x, most = np.array([LIMIT - 2**40, 2**40 - LIMIT]), np.array([1.0, -1.0])
    assert exact.add(x, most).tolist() == [LARGEST, -LARGEST]
    for which in (0, 1):
        with pytest.raises(OverflowError):
            exact.add(x[which : which + 1], most[which : which + 1] * 2.0**-40)


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("values", [[1e9, np.nan, np.inf], [np.nan, np.inf, 1e9]], ids=str)
def test_tiny_nan_is_reported_rather_than_too_large(values):
    x, v, b = zeros(3)
    x[:] = LIMIT + 1
    for call in (
        lambda: step(*zeros(3), np.array(values), F(1, 2)),
        lambda: step(x, v, b, np.array([0, np.nan, 0]), F(1, 2)),
        lambda: exact.add(zeros(3)[0], np.array(values)),
    ):
        with pytest.raises(FloatingPointError):
            call()
    with pytest.raises(ValueError, match="x must"):
        to_units("x", np.array(values))


def is_too_large(x, v, b, f, gamma):
    try:
        step(x, v, b, f, gamma)
    except OverflowError:
        return True
    return False


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(0), NEAR_ONE], ids=str)
def test_tiny_overflow_is_reported_and_never_wrapped(gamma):
    # the largest x, v and increment of either sign at once: sums stay within 64 bits, and are reported iff beyond LIMIT
    extremes = (-LIMIT, -LIMIT + 1, 0, LIMIT - 1, LIMIT)
    largest_f = np.nextafter(LIMIT / scale_of(gamma), 0)
    for x, v, f in itertools.product(extremes, extremes, (-largest_f, 0.0, largest_f)):
        arrays = np.array([x]), np.array([v]), np.array([0], np.uint32)
        if gamma:
            expected = step_reference(x, v, 0, f, gamma)
        else:
            velocity = round(f * scale_of(gamma))
            expected = x + velocity, velocity, 0
        beyond = abs(expected[0]) > LIMIT or abs(expected[1]) > LIMIT
        assert is_too_large(*arrays, np.array([f]), gamma) == beyond
        assert as_rows(*arrays) == [expected]
        assert all(abs(value) < 2**63 for value in expected)


# Conversions


@by_dtype
def test_tiny_values_are_rounded_to_the_nearest_unit(dtype):
    values = (normal((3, 5), dtype) * 1000).astype(dtype)
    values[0] = np.array([0, -0.0, 0.5, 1.5, -2.5]) * 2.0**-40  # ties go to even
    kept = values.copy()
    units = to_units("x", values)
    assert units.dtype == np.int64
    assert units.ravel().tolist() == [round(F(float(value)) * 2**40) for value in values.ravel()]
    assert_unchanged([values], [kept])
    assert np.array_equal(to_units("x", strided(values)), units)
    with pytest.raises(TypeError, match="x"):
        to_units("x", units)


@by_dtype
def test_tiny_units_are_rounded_to_the_nearest_float(dtype):
    units = np.random.default_rng(0).integers(-LIMIT, LIMIT, (4, 5))
    units[0] = 0, 1, -1, LIMIT, -LIMIT
    kept = units.copy()
    floats = to_floats(units, np.dtype(dtype))
    # Python rounds an integer to the nearest double; the product with 2^-40 is exact
    expected = [float(value) * 2.0**-40 for value in units.ravel().tolist()]
    assert np.array_equal(floats.ravel(), np.array(expected).astype(dtype))
    assert_unchanged([units], [kept])


# gamma as a fraction


@pytest.mark.parametrize(
    ("gamma", "fraction"),
    [
        (0, F(0)),
        (1 - 1 / 50000, F(49999, 50000)),
        (1e-6, F(1, 1000000)),
        (2.0**-20, F(1, MAX_DENOMINATOR)),
        (1 - 2.0**-20, NEAR_ONE),
        (F(9, 10), F(9, 10)),
        (np.float64(0.9), F(9, 10)),
        (0.5**0.5, F(19601, 27720)),
        (F(998, 2003) * F(2**30, 2**30 + 1), F(998, 2003)),  # off by just the tolerance
    ],
)
def test_fraction_of_a_decimal(gamma, fraction):
    assert as_fraction(gamma) == fraction


@pytest.mark.parametrize("denominator", [3, 10, 1000, 123_456, 10**6])
def test_fractions_with_small_denominators_are_found(denominator):
    # the doubles nearest to them are off by 2^-53 at most, far below 2^-30 min(gamma, 1 - gamma) > 9e-16
    for numerator in {1, 2, denominator // 3, denominator // 2, denominator - 2, denominator - 1} - {0}:
        assert as_fraction(numerator / denominator) == F(numerator, denominator)


@pytest.mark.parametrize("off", [4.5e-10, -4.5e-10])
def test_a_small_denominator_is_preferred_to_a_nearer_fraction(off):
    """2^-30 of 1 - gamma is 4.65e-10, and fractions with denominators up to 2^20 come nearer to gamma than that."""
    gamma = 2501 / 5000 + off
    assert F(gamma).limit_denominator(MAX_DENOMINATOR) != F(2501, 5000)
    assert as_fraction(gamma) == F(2501, 5000)
    assert as_fraction(1 - gamma) == F(2499, 5000)


@pytest.mark.parametrize("distance", [0.6 * 2.0**-20, 1e-15])
def test_gamma_too_near_to_0_or_1_is_refused_not_changed(distance):
    # 1/2^20 is nearer to the first than 0, but off by two thirds of it
    for gamma in (distance, 1 - distance):
        with pytest.raises(ValueError, match="gamma"):
            as_fraction(gamma)
