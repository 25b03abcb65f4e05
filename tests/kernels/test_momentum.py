"""The float momentum rule against the paper's formulas."""

import numpy as np
import pytest
from support import DTYPES, assert_unchanged, assert_within, normal, strided

from mininet.kernels import threads
from mininet.kernels.momentum import add, adjoint_step, coefficients, step, undo_position, undo_velocity

GAMMAS = [0.0, 0.1, 0.9, 1 - 1 / 50000]
by_dtype = pytest.mark.parametrize("dtype", [np.dtype(dtype) for dtype in DTYPES], ids=str)
by_gamma = pytest.mark.parametrize("gamma", GAMMAS)


@pytest.fixture(params=[1, 4], ids=["one share", "4 shares"], autouse=True)
def _shares(request, set_threads, monkeypatch):
    """Every test runs on whole and on cut-up arrays."""
    monkeypatch.setattr(threads, "ELEMENTS_WORTH_SHARING", 1)
    set_threads(request.param)


def make(dtype, shape=(9, 15)):  # whole vectors, and what is left over
    return normal(shape, dtype, 1), normal(shape, dtype, 2), normal(shape, dtype, 3)


def exact(*arrays):
    return [array.astype(np.float64) for array in arrays]


@by_gamma
@by_dtype
def test_tiny_coefficients(gamma, dtype):
    keep, take = coefficients(gamma, dtype)
    assert keep.dtype == take.dtype == dtype
    assert (keep, take) == (dtype.type(gamma), dtype.type(1 - gamma))


@pytest.mark.parametrize("gamma", [1, -0.1, 1.5, np.nan, "0.9", None, 1e-50])
def test_tiny_what_is_no_momentum(gamma):
    with pytest.raises(ValueError, match="gamma"):
        coefficients(gamma, np.dtype(np.float32))


@by_gamma
@by_dtype
def test_tiny_step(gamma, dtype):
    x, v, f = make(dtype)
    before, old_v, force = exact(x, v, f)
    expected_v = gamma * old_v + (1 - gamma) * force  # as in the paper
    expected_x = before + expected_v
    # gamma and 1 - gamma are rounded, then each product, then the sum: under 2 eps of what is added
    bound = 2 * np.finfo(dtype).eps * (gamma * np.abs(v) + (1 - gamma) * np.abs(f))
    kept, old_x = f.copy(), np.abs(x)
    assert step(x, v, f, *coefficients(gamma, dtype)) is None
    assert_within(v, expected_v, bound)
    assert_within(x, expected_x, bound + np.finfo(dtype).eps * (old_x + np.abs(expected_v)))
    assert_unchanged([f], [kept])


@pytest.mark.parametrize("gamma", GAMMAS[1:])
@by_dtype
def test_tiny_inverse_step(gamma, dtype):
    def function(x):
        return 0.5 * x  # exact in any dtype

    x, v, _ = make(dtype)
    after, old_v = exact(x, v)
    expected_x = after - old_v
    expected_v = (old_v - (1 - gamma) * function(expected_x)) / gamma
    # x - v is rounded, and f passes half of that on; the numerator of v by its own roundings and that of the division
    bound_x = np.finfo(dtype).eps * (np.abs(x) + np.abs(v))
    terms = np.abs(v) + (1 - gamma) * np.abs(expected_x)
    bound_v = (4 * np.finfo(dtype).eps * terms + (1 - gamma) * bound_x) / gamma
    difference, kept_v = x - v, v.copy()
    undo_position(x, v)
    assert_unchanged((x, v), (difference, kept_v))
    f = function(x)
    kept_x, kept_f = x.copy(), f.copy()
    undo_velocity(v, f, *coefficients(gamma, dtype))
    assert_within(x, expected_x, bound_x)
    assert_within(v, expected_v, bound_v)
    assert_unchanged((x, f), (kept_x, kept_f))


@by_gamma
@by_dtype
def test_tiny_adjoint_step(gamma, dtype):
    p, q, _ = make(dtype)
    total = np.add(*exact(p, q))
    size, kept = np.abs(p) + np.abs(q), p.copy()
    found = adjoint_step(p, q, *coefficients(gamma, dtype))
    # the sum, the coefficient and the product are rounded
    bound = 2 * np.finfo(dtype).eps * size
    assert found.dtype == dtype
    assert_within(found, (1 - gamma) * total, (1 - gamma) * bound)
    assert_within(q, gamma * total, gamma * bound)
    assert_unchanged([p], [kept])


@by_dtype
def test_tiny_f_need_not_be_contiguous_but_like_x(dtype):
    x, v, f = make(dtype)
    factors, expected = coefficients(0.9, dtype), [x.copy(), v.copy()]
    step(*expected, f, *factors)
    step(x, v, strided(f), *factors)
    assert_unchanged((x, v), expected)
    undo_velocity(v, strided(f), *factors)
    undo_velocity(expected[1], f, *factors)
    assert_unchanged([v], expected[1:])
    other = DTYPES[0] if dtype == DTYPES[1] else DTYPES[1]
    for wrong in (f[:2], f.astype(other)):
        with pytest.raises(ValueError, match="residual"):
            step(x, v, wrong, *factors)
        with pytest.raises(ValueError, match="residual"):
            undo_velocity(v, wrong, *factors)
    with pytest.raises(ValueError, match="gamma"):
        undo_velocity(v, f, *coefficients(0, dtype))


@by_dtype
def test_tiny_add_in_place(dtype):
    x, v, _ = make(dtype)
    expected, kept = x + v, v.copy()
    assert add(x, v) is None
    assert np.array_equal(x, expected)
    for other in (strided(v), np.asfortranarray(v)):
        add(x, other)
        expected += v
        assert np.array_equal(x, expected)
    assert_unchanged([v], [kept])
