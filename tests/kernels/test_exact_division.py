"""Multiplying by a fraction and keeping what is lost: division in float64, against Python's integers."""

import contextlib
import math

import hypothesis.strategies as st
import numba
import numpy as np
import pytest
from exact_support import KINDS_OF_GAMMA, NEAR_ONE, F, as_rows, largest_remainder, step, undo_velocity
from hypothesis import given, settings

from mininet.kernels import exact
from mininet.kernels.exact import MAX_DENOMINATOR

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
    """Velocities and remainders that the forward product must be able to deal with."""
    random = np.random.default_rng(gamma.numerator)
    largest = largest_remainder(gamma)
    words = [0, largest, largest - 1, largest // 2, int(random.integers(0, largest, endpoint=True))]
    velocities = hard_velocities(gamma.numerator, gamma.denominator, random, count)
    return [(v, b) for v in velocities for b in words if b >= 0]


def assert_products(pairs, gamma):
    """Through the kernels, on arrays long enough for whole vectors: there, and back to where it began."""
    n, d = gamma.numerator, gamma.denominator
    pairs = sorted(pairs, key=lambda pair: abs(pair[0]))  # blocks of small velocities are computed in another way
    x = np.zeros(len(pairs), np.int64)
    v, b = np.array([v for v, _ in pairs]), np.array([b for _, b in pairs], np.uint32)
    with contextlib.suppress(OverflowError):
        step(x, v, b, np.zeros(len(pairs)), gamma)
    expected = [times(*pair, n, d) for pair in pairs]
    assert as_rows(v, b) == expected
    assert as_rows(x) == as_rows(v)
    assert [times(*pair, d, n) for pair in expected] == pairs
    undo_velocity(v, b, np.zeros(len(pairs)), gamma)
    assert as_rows(v, b) == pairs


@pytest.mark.parametrize("gamma", KINDS_OF_GAMMA, ids=str)
def test_tiny_products_that_are_hard_to_round(gamma):
    assert_products(hard_pairs(gamma, 60 if numba.config.DISABLE_JIT else 1000), gamma)


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
            pairs = [(v, b) for v in near for b in (0, largest_remainder(gamma) // divisor)]
            # and the b that brings the largest remainder, factor - 1
            pairs += [(v, (factor - 1 - v) * pow(divisor, -1, factor) % factor) for v in near]
            for some in ([pair for pair in pairs if abs(pair[0]) <= largest], pairs):
                v, b = np.array([v for v, _ in some]), np.array([b for _, b in some], np.uint32)
                exact._multiply(v, b, ratio, np.uint64(0), np.uint64(len(v)))
                assert as_rows(v, b) == [times(*pair, factor, divisor) for pair in some]


@pytest.mark.parametrize("gamma", [NEAR_ONE, F(1, MAX_DENOMINATOR), F(1048572, 1048573)], ids=str)
def test_tiny_carries_just_below_a_multiple_on_the_way_back(gamma):
    """k d - 1 for the largest k: the quotient k - 1 / d must not be rounded up to k."""
    n, d = gamma.numerator, gamma.denominator
    largest = 2**32 * n // d - 1
    carries = [(largest - i) * d - 1 for i in range(0, min(largest, 2**20), 2**12 + 1)]
    v, b = np.array([carry % n for carry in carries]), np.array([carry // n for carry in carries], np.uint32)
    undo_velocity(v, b, np.zeros(len(carries)), gamma)
    assert as_rows(v, b) == [(d - 1, carry // d) for carry in carries]


@pytest.mark.parametrize("gamma", KINDS_OF_GAMMA, ids=str)
def test_quotients_of_any_word_on_the_way_back(gamma):
    # not only what a step has left behind: every b below 2^32, and velocities whose predecessor fits into 64 bits
    n, d = gamma.numerator, gamma.denominator
    random = np.random.default_rng(1)
    largest = LARGEST_VELOCITY * n // d - n
    velocities = [v for v in hard_velocities(n, d, random, 1000) if abs(v) <= largest]
    velocities += [sign * (largest - offset) for sign in (1, -1) for offset in (0, 1, n) if largest > offset]
    words = [0, 1, 2**32 - 1, 2**32 - 2, 2**31, d, d - 1, int(random.integers(2**32))]
    words += [2**32 // d * d - 1, 2**32 // d * d % 2**32]
    pairs = [(v, b) for v in velocities for b in words]
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
@settings(deadline=None, max_examples=300, derandomize=True)
def test_generated_products_and_their_neighbours(v, small, share, n, d, unit):
    gamma = F(1 + n % (d - 1), d)
    n, d = gamma.numerator, gamma.denominator
    unit = {"1": 1, "n": n, "d": d, "nd": n * d}[unit]
    v = int(math.copysign(abs(v) >> small, v)) if small > 10 else v
    v = v // unit * unit
    largest = largest_remainder(gamma)
    b = round(share * largest)
    pairs = [(v + i, max(0, min(largest, b + j))) for i in range(-8, 9) for j in (-1, 0, 1, 2)]
    assert_products([pair for pair in pairs if abs(pair[0]) <= LARGEST_VELOCITY], gamma)
