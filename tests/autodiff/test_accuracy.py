"""Elementwise functions over the whole range of their numbers, against NumPy's long double."""

import numpy as np
import pytest
from support import DTYPES

from mininet import Tensor, manual_seed
from mininet import functional as F

SIGMOID = (lambda a: 1 / (1 + np.exp(-a)), lambda a: np.exp(-np.abs(a)) / (1 + np.exp(-np.abs(a))) ** 2)
TRUTHS = {  # value and slope, and what errors of the slope are relative to, if not the slope itself
    "exp": (np.exp, np.exp),
    "log": (np.log, lambda a: 1 / a),
    "sqrt": (np.sqrt, lambda a: 1 / (2 * np.sqrt(a))),
    "tanh": (np.tanh, lambda a: 1 / np.cosh(a) ** 2, np.ones_like),
    "sigmoid": SIGMOID,
    "silu": (
        lambda a: a * SIGMOID[0](a),
        lambda a: SIGMOID[0](a) * (1 + a * SIGMOID[0](-a)),
        lambda a: SIGMOID[0](a) * (1 + np.abs(a) * SIGMOID[0](-a)),
    ),
    "softplus": (lambda a: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))), SIGMOID[0]),
    "logsigmoid": (lambda a: -np.maximum(-a, 0) - np.log1p(np.exp(-np.abs(a))), lambda a: SIGMOID[0](-a)),
    "leaky_relu 0.25": (lambda a: np.where(a > 0, a, 0.25 * a), lambda a: np.where(a > 0, 1, 0.25)),
    "negative": (np.negative, lambda a: -np.ones_like(a)),
    "absolute": (np.abs, np.sign),
    "relu": (lambda a: np.where(a > 0, a, 0), lambda a: np.where(a > 0, 1, 0)),
    "power 3": (lambda a: a**3, lambda a: 3 * a**2),
    "power -2": (lambda a: 1 / a**2, lambda a: -2 / a**3),
    "power 1.5": (lambda a: a**1.5, lambda a: 1.5 * a**0.5),
}


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_slopes_are_right_to_a_few_units(name, dtype):
    value, slope, *size = TRUTHS[name]
    limit = np.finfo(dtype)
    grid = np.concatenate([np.linspace(-20, 20, 4001), np.linspace(-800, 800, 4001), np.logspace(-37, 38, 4001)])
    x = np.concatenate([grid, -grid, [limit.tiny, limit.max, -limit.max, np.inf, -np.inf]]).astype(dtype)
    function, *exponent = name.split()
    leaf = Tensor(x, requires_grad=True)
    with np.errstate(all="ignore"):
        y = getattr(F, function)(leaf, *map(float, exponent))
        y.backward(np.ones_like(x))
        exact = x.astype(np.longdouble)
        for found, truth, scale in ((y.data, value, value), (leaf.grad, slope, *(size or [slope]))):
            truth, scale = truth(exact), np.abs(scale(exact)).astype(dtype)
            expected = truth.astype(dtype)
            same = (found == expected) | (np.isnan(found) & np.isnan(expected))
            # a factor below the normal numbers is off by half of the smallest one, whatever it is multiplied with
            bound = 8 * np.spacing(scale) + np.minimum(np.abs(x), 1000) * limit.smallest_subnormal
            assert (same | (np.abs(found - truth) <= bound)).all(), x[~same][:5]


def test_what_an_operation_leaves_out_passes_nothing_on_of_an_infinite_gradient():
    rows = np.array([[0.0, 1.0], [-1.0, 4.0]])
    a, b = (Tensor(row, requires_grad=True) for row in rows)
    with np.errstate(divide="ignore"):
        F.sqrt(F.maximum(a, b)).sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([np.inf, 0], [0, 0.25])
    infinite = np.full(4, np.inf)
    for function, expected in (
        (lambda x: F.maximum(x, 0.0), [np.inf, np.inf, np.inf, 0]),
        (lambda x: F.maximum(0.0, x), [np.inf, np.inf, np.inf, 0]),
        (lambda x: F.where(np.array([True, True, False, False]), x, 0), [np.inf, np.inf, 0, 0]),
        (lambda x: F.clip(x, 0.5), [np.inf, np.inf, 0, 0]),
        (F.relu, [np.inf, np.inf, 0, 0]),
        (F.absolute, [np.inf, np.inf, 0, -np.inf]),
        (lambda x: F.max(x) * np.ones(4), [0, np.inf, 0, 0]),
        (lambda x: F.max_pool2d(x.reshape(1, 2, 2, 1), 2) * np.ones((1, 4)), [0, np.inf, 0, 0]),
        (lambda x: F.dropout(x, 0.5), [np.inf, 0, np.inf, 0]),
    ):
        x = Tensor(np.array([1.0, 2, 0, -1]), requires_grad=True)
        manual_seed(16)  # which drops the second and the last
        y = function(x)
        y.backward(infinite.reshape(y.shape))
        assert x.grad.tolist() == expected
    manual_seed(16)  # which drops the second and the last
    assert F.dropout(infinite, 0.5).data.tolist() == [np.inf, 0, np.inf, 0]


def test_underflow_is_no_error_whatever_users_ask_for():
    logits = Tensor(np.float32([[0, -200, 90]]), requires_grad=True)
    with np.errstate(all="raise"):
        (F.cross_entropy(logits, [0]) + F.sigmoid(logits).sum() * np.float64(1e-300)).backward()
        with pytest.raises(FloatingPointError):
            F.log(np.zeros(1))
    assert np.isfinite(logits.grad).all()
