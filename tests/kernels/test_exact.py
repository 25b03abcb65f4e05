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

from mininet.kernels import exact, get_num_threads, set_num_threads
from mininet.kernels.exact import (
    BUFFER_BITS,
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
    undo_velocity_and_position,
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


def largest_buffer(gamma):
    """The largest b that a step may be given: b d + d - 1 < 2^53, and the b after it below 2^32."""
    n, d = gamma.numerator, gamma.denominator
    return min(2**53 // d, 2**BUFFER_BITS * n // d) - 1


def make(size, gamma, seed=0):
    """Positions, velocities and buffers of every size and sign, within what a step may be given."""
    random = np.random.default_rng(seed)
    arrays = []
    for _ in range(2):
        bits = random.integers(1, 60, size)  # uniform in magnitude, not in value
        values = random.integers(-(2**59), 2**59, size)
        arrays.append((np.sign(values) * (np.abs(values) >> (60 - bits))).astype(np.int64))
    x, v = arrays
    largest = largest_buffer(gamma) if gamma else 2**BUFFER_BITS - 1
    b = (random.integers(0, largest, size, endpoint=True) >> random.integers(0, 32, size)).astype(np.uint32)
    edges = [0, 1, -1, gamma.denominator, -gamma.denominator, gamma.numerator, -gamma.numerator - 1]
    v[: len(edges)] = edges[:size]
    b[-1:] = largest
    return x, v, b


def zeros(*shape):
    """x, v and b at the very beginning."""
    return np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.uint32)


def as_rows(*arrays):
    return list(zip(*(array.ravel().tolist() for array in arrays), strict=True))


class Network:
    """Steps and inverse steps with spills, as the schedule says; the residual function is any map of float arrays."""

    def __init__(self, x, v, b, gamma, function):
        self.x, self.v, self.b, self.gamma, self.function = x, v, b, gamma, function
        self.schedule, self.stack, self.depth = spill_schedule(gamma), [], 0
        self.values = to_floats(x, np.float64)

    def forward(self):
        for _ in range(self.schedule.spills_before(self.depth)):
            self.stack.append(spill(self.b))
        status, self.values = step(self.x, self.v, self.b, self.function(self.values), self.gamma)
        assert status == FINE
        self.depth += 1

    def back(self):
        self.depth -= 1
        self.values = undo_position(self.x, self.v, np.float64)
        undo_velocity(self.v, self.b, self.function(self.values), self.gamma)
        self._unspill()

    def all_the_way_back(self):
        """Like `back` for every layer, but with the second half of one layer and the first of the next together."""
        self.values = undo_position(self.x, self.v, np.float64)
        for depth in reversed(range(self.depth)):
            self.depth = depth
            f = self.function(self.values)
            if depth:
                self.values = undo_velocity_and_position(self.x, self.v, self.b, f, self.gamma)
            else:
                undo_velocity(self.v, self.b, f, self.gamma)
            self._unspill()

    def _unspill(self):
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


# Division in float64, against Python's integers

KINDS_OF_GAMMA = [
    *GAMMAS,
    F(1, MAX_DENOMINATOR),
    F(3, MAX_DENOMINATOR),
    F(524289, MAX_DENOMINATOR),
    F(699051, MAX_DENOMINATOR),
    F(2, 3),
    F(99, 100),
    F(1, 1048573),  # the largest prime below 2^20
    F(1048572, 1048573),
    F(524287, 1048573),
    F(1023, 1024),
    F(1, 1024),
]
LARGEST_VELOCITY = 3 * 2**61


def times(v, b, factor, divisor):
    """The product as the docstring defines it."""
    b, v = b * divisor + v % divisor, v // divisor
    return v * factor + b % factor, b // factor


def hard_velocities(n, d, random, count):
    """Multiples of n, of d and of powers of 2 with their neighbours, at every magnitude up to the largest."""
    found = {0, 1, -1}
    for power in (*range(0, 62, 4), 52, 53, 54, 61):
        for unit in (1, n, d, n * d):
            multiple = (2**power + int(random.integers(0, 2**power, endpoint=True))) // unit * unit
            found |= {multiple, 2**power // unit * unit, 2**power + unit // 2}
    near = {value + offset for value in found for offset in (-1, 0, 1)}
    near = {sign * value for value in near for sign in (1, -1) if abs(value) < LARGEST_VELOCITY - MAX_DENOMINATOR}
    edges = {sign * (LARGEST_VELOCITY - offset) for sign in (1, -1) for offset in (0, 1, 2, 511, 512, 513, n, d, d - 1)}
    near = sorted(near)
    if len(near) > count:
        near = [near[i] for i in random.choice(len(near), count, replace=False)]
    return [*near, *edges]


def hard_pairs(gamma, count):
    """Velocities and buffers that the forward product must be able to deal with."""
    random = np.random.default_rng(gamma.numerator)
    largest = largest_buffer(gamma)
    buffers = [0, largest, largest - 1, largest // 2, int(random.integers(0, largest, endpoint=True))]
    velocities = hard_velocities(gamma.numerator, gamma.denominator, random, count)
    return [(v, b) for v in velocities for b in buffers if b >= 0]


def assert_products(pairs, gamma):
    """Through the kernels, on arrays long enough for whole vectors: there, and back to where it began."""
    n, d = gamma.numerator, gamma.denominator
    pairs = sorted(pairs, key=lambda pair: abs(pair[0]))  # blocks of small velocities are computed in another way
    x = np.zeros(len(pairs), np.int64)
    v, b = np.array([v for v, _ in pairs]), np.array([b for _, b in pairs], np.uint32)
    step(x, v, b, np.zeros(len(pairs)), gamma)  # whether it is too large does not matter here
    expected = [times(*pair, n, d) for pair in pairs]
    assert as_rows(v, b) == expected
    assert as_rows(x) == as_rows(v)
    assert [times(*pair, d, n) for pair in expected] == pairs
    undo_velocity(v, b, np.zeros(len(pairs)), gamma)
    assert as_rows(v, b) == pairs


@pytest.mark.parametrize("gamma", KINDS_OF_GAMMA, ids=str)
def test_tiny_products_at_the_edges(gamma):
    assert_products(hard_pairs(gamma, 60), gamma)


@pytest.mark.parametrize("gamma", KINDS_OF_GAMMA, ids=str)
def test_products_that_are_hard_to_round(gamma):
    assert_products(hard_pairs(gamma, 1000), gamma)


@pytest.mark.parametrize("gamma", KINDS_OF_GAMMA, ids=str)
def test_tiny_products_of_the_largest_velocities_that_floats_can_divide(gamma):
    n, d = gamma.numerator, gamma.denominator
    for factor, divisor in (n, d), (d, n):
        ratio = exact._ratio(factor, divisor)
        largest = ratio[-1]
        assert largest > 2**30
        for middle in (largest, largest // divisor * divisor, 2**50):
            near = [sign * (middle + offset) for offset in range(-20, 21) for sign in (1, -1)]
            near = [v for v in near if abs(times(v, 0, factor, divisor)[0]) < 2**63]
            pairs = [(v, b) for v in near for b in (0, largest_buffer(gamma) // divisor)]
            for some in ([pair for pair in pairs if abs(pair[0]) <= largest], pairs):
                v, b = np.array([v for v, _ in some]), np.array([b for _, b in some], np.uint32)
                exact._multiply(v, b, ratio, np.uint64(0), np.uint64(len(v)))
                assert as_rows(v, b) == [times(*pair, factor, divisor) for pair in some]


@pytest.mark.parametrize("gamma", KINDS_OF_GAMMA, ids=str)
def test_tiny_product_of_single_numbers(gamma):
    n, d = gamma.numerator, gamma.denominator
    for v, b in hard_pairs(gamma, 20):
        one_v, one_b = np.array([v]), np.array([b], np.uint32)
        exact._multiply(one_v, one_b, exact._ratio(n, d), np.uint64(0), np.uint64(1))
        assert (int(one_v[0]), int(one_b[0])) == times(v, b, n, d)


@pytest.mark.parametrize("gamma", KINDS_OF_GAMMA, ids=str)
def test_quotients_of_any_buffer_on_the_way_back(gamma):
    # not only what a step has left behind: every b below 2^32, and velocities whose predecessor fits into 64 bits
    n, d = gamma.numerator, gamma.denominator
    random = np.random.default_rng(1)
    largest = LARGEST_VELOCITY * n // d - n
    velocities = [v for v in hard_velocities(n, d, random, 1000) if abs(v) <= largest]
    velocities += [sign * (largest - offset) for sign in (1, -1) for offset in (0, 1, n) if largest > offset]
    buffers = [0, 1, 2**32 - 1, 2**32 - 2, 2**31, d, d - 1, int(random.integers(2**32))]
    buffers += [2**32 // d * d - 1, 2**32 // d * d % 2**32]
    pairs = [(v, b) for v in velocities for b in buffers]
    v, b = np.array([v for v, _ in pairs]), np.array([b for _, b in pairs], np.uint32)
    undo_velocity(v, b, np.zeros(len(pairs)), gamma)
    assert as_rows(v, b) == [times(*pair, d, n) for pair in pairs]


@given(
    v=st.integers(-LARGEST_VELOCITY, LARGEST_VELOCITY),
    small=st.integers(0, 62),
    share=st.floats(0, 1),
    n=st.integers(0, MAX_DENOMINATOR) | st.sampled_from([0, MAX_DENOMINATOR - 2]),
    d=st.integers(2, MAX_DENOMINATOR) | st.just(MAX_DENOMINATOR),
    unit=st.sampled_from(["1", "n", "d", "nd"]),
)
@settings(deadline=None, max_examples=1000, derandomize=True)
def test_generated_products_and_their_neighbours(v, small, share, n, d, unit):
    gamma = F(1 + n % (d - 1), d)
    n, d = gamma.numerator, gamma.denominator
    unit = {"1": 1, "n": n, "d": d, "nd": n * d}[unit]
    v = int(math.copysign(abs(v) >> small, v)) if small > 10 else v
    v = v // unit * unit
    largest = largest_buffer(gamma)
    b = round(share * largest)
    pairs = [(v + i, max(0, min(largest, b + j))) for i in range(-8, 9) for j in (-1, 0, 1, 2)]
    assert_products([pair for pair in pairs if abs(pair[0]) <= LARGEST_VELOCITY], gamma)


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
