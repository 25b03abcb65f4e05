"""The float momentum rule against the paper's formulas."""

import numpy as np
import pytest
from support import DTYPES, assert_unchanged, assert_within, normal, strided

from mininet.kernels import get_num_threads, momentum, set_num_threads
from mininet.kernels.momentum import (
    add,
    adjoint_step,
    adjoint_step_reference,
    inverse_step_reference,
    step,
    step_reference,
    undo_position,
    undo_velocity,
)

GAMMAS = [0.0, 0.1, 0.5, 0.9, 1 - 1 / 50000]
by_dtype = pytest.mark.parametrize("dtype", DTYPES)
by_gamma = pytest.mark.parametrize("gamma", GAMMAS)


@pytest.fixture(params=[1, 2, 4], ids=["one share", "2 shares", "4 shares"], autouse=True)
def shares(request, monkeypatch):
    """Every test runs on whole and on cut-up arrays."""
    before = get_num_threads()
    monkeypatch.setattr(momentum, "ELEMENTS_WORTH_SHARING", 1)
    set_num_threads(request.param)
    yield
    set_num_threads(before)


def make(dtype, shape=(3, 5)):
    return normal(shape, dtype, 1), normal(shape, dtype, 2), normal(shape, dtype, 3)


def exact(*arrays):
    return [array.astype(np.float64) for array in arrays]


def velocity_bound(v, f, gamma, dtype):
    """gamma and 1 - gamma are rounded, then each product, then the sum: under 2 eps of what is added.

    1 - gamma is formed in float64, so its relative error is that of one rounding.
    """
    return 2 * np.finfo(dtype).eps * (gamma * np.abs(v) + (1 - gamma) * np.abs(f))


@by_gamma
@by_dtype
def test_tiny_step(gamma, dtype):
    x, v, f = make(dtype)
    expected_x, expected_v = step_reference(*exact(x, v, f), gamma)
    bound = velocity_bound(v, f, gamma, dtype)
    kept = f.copy()
    old_x = np.abs(x)
    assert step(x, v, f, gamma) is None
    assert_within(v, expected_v, bound)
    assert_within(x, expected_x, bound + np.finfo(dtype).eps * (old_x + np.abs(expected_v)))
    assert_unchanged([f], [kept])


@pytest.mark.parametrize("gamma", GAMMAS[1:])
@by_dtype
def test_tiny_inverse_step(gamma, dtype):
    def function(x):
        return 0.5 * x  # exact in any dtype

    x, v, _ = make(dtype)
    expected_x, expected_v = inverse_step_reference(*exact(x, v), function, gamma)
    # x - v is rounded, and f passes half of that on; the numerator of v by its own roundings and that of the division
    bound_x = np.finfo(dtype).eps * (np.abs(x) + np.abs(v))
    terms = np.abs(v) + (1 - gamma) * np.abs(expected_x)
    bound_v = (4 * np.finfo(dtype).eps * terms + (1 - gamma) * bound_x) / gamma
    undo_position(x, v)
    f = function(x)
    kept_x, kept_f = x.copy(), f.copy()
    undo_velocity(v, f, gamma)
    assert_within(x, expected_x, bound_x)
    assert_within(v, expected_v, bound_v)
    assert_unchanged((x, f), (kept_x, kept_f))


@by_dtype
def test_tiny_undo_position_is_a_subtraction(dtype):
    x, v, _ = make(dtype)
    expected, kept = x - v, v.copy()
    undo_position(x, v)
    assert np.array_equal(x, expected)
    assert_unchanged([v], [kept])


@by_gamma
@by_dtype
def test_tiny_adjoint_step(gamma, dtype):
    p, q, _ = make(dtype)
    df, new_q = adjoint_step_reference(*exact(p, q), gamma)
    size, kept = np.abs(p) + np.abs(q), p.copy()
    found = adjoint_step(p, q, gamma)
    # the sum, the coefficient and the product are rounded
    bound = 2 * np.finfo(dtype).eps * size
    assert found.dtype == dtype
    assert_within(found, df, (1 - gamma) * bound)
    assert_within(q, new_q, gamma * bound)
    assert_unchanged([p], [kept])


@by_dtype
def test_tiny_f_need_not_be_contiguous(dtype):
    x, v, f = make(dtype)
    expected = x.copy(), v.copy()
    step(*expected, f, 0.9)
    step(x, v, strided(f), 0.9)
    assert_unchanged((x, v), expected)
    w = v.copy()
    undo_velocity(v, strided(f), 0.9)
    undo_velocity(w, f, 0.9)
    assert_unchanged([v], [w])


def test_tiny_no_elements():
    x, v, f = make(np.float32, (0, 4))
    step(x, v, f, 0.9)
    undo_position(x, v)
    undo_velocity(v, f, 0.9)
    add(x, v)
    assert adjoint_step(x, v, 0.9).shape == (0, 4)


@by_dtype
def test_tiny_add_in_place(dtype):
    x, v, _ = make(dtype)
    expected, kept = x + v, v.copy()
    assert add(x, v) is None
    assert np.array_equal(x, expected)
    add(x, strided(v))
    assert np.array_equal(x, expected + v)
    add(x, np.asfortranarray(v))
    assert np.array_equal(x, expected + v + v)
    assert_unchanged([v], [kept])


@by_dtype
def test_arrays_of_many_vectors(dtype):
    # long enough for whole vectors and what is left over, in every share
    x, v, f = make(dtype, (1003,))
    rows = [array[:, None].copy() for array in (x, v, f)]
    keep, take = dtype(0.9), dtype(1 - 0.9)
    for function in (lambda x, v, f: step(x, v, f, 0.9), lambda x, v, f: undo_velocity(v, f, 0.9)):
        function(x, v, f)
        for i in range(len(x)):
            function(*(array[i] for array in rows))
        assert_unchanged((x, v), rows[:2])
    total = x + v
    assert np.array_equal(adjoint_step(x, v, 0.9), take * total)
    assert np.array_equal(v, keep * total)
