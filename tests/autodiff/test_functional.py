"""What `tests/generated/test_operations.py` cannot say about them; what they refuse is in `tests/misuse`."""

import numpy as np
import pytest
from strategies import LAYOUTS, laid_out
from support import DTYPES, normal

from mininet import Tensor, check_jacobian, manual_seed
from mininet import functional as F
from mininet.autodiff import Operation

# Powers


@pytest.mark.parametrize("exponent", [2, 2.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_squares_have_the_slopes_of_any_power(exponent, dtype):
    """The special case for 2 is a shorter way to the same bits as the rule n a^(n - 1)."""
    values = np.array([0.0, -0.0, 1, -1, 3.7, -2.2, 1e-30, -1e-30, 1e30, np.inf, -np.inf], dtype)
    seed = normal(values.shape, dtype)
    x = Tensor(values, requires_grad=True)
    with np.errstate(over="ignore"):
        y = F.power(x, exponent)
        assert np.array_equal(y.data, values * values)
    y.backward(seed)
    assert np.array_equal(x.grad, seed * (dtype(2) * values ** dtype(1)))
    assert x.grad.dtype == dtype


# Where derivatives jump, and numbers that overflow


def test_slopes_at_kinks():
    clips = (lambda a: F.clip(a, 0), 1), (lambda a: F.clip(a, max=0), 1)
    for function, slope in ((F.relu, 0), (F.absolute, 0), (lambda a: F.maximum(a, 0.0), 0.5), *clips):
        x = Tensor(np.zeros(2), requires_grad=True)
        function(x).sum().backward()
        assert x.grad.tolist() == [slope] * 2


def test_equal_maxima_share_the_gradient():
    x = Tensor(np.array([[1.0, 3, 3], [2, 2, 2]]), requires_grad=True)
    F.max(x, axis=1).backward(np.array([1.0, 3.0]))
    assert x.grad.tolist() == [[0, 0.5, 0.5], [1, 1, 1]]
    a, b = (Tensor(np.array([1.0, 2]), requires_grad=True) for _ in range(2))
    F.maximum(a, b).sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_numbers_do_not_overflow(dtype):
    huge = dtype(np.finfo(dtype).max / 4)
    x = Tensor(np.array([[huge, -huge, 0]], dtype), requires_grad=True)
    for function, expected in (
        (F.sigmoid, [[1, 0, 0.5]]),
        (F.tanh, [[1, -1, 0]]),
        (F.softmax, [[1, 0, 0]]),
        (F.relu, [[huge, 0, 0]]),
    ):
        y = function(x)
        assert np.array_equal(y.data, np.array(expected, dtype))
        y.backward(np.ones((1, 3), dtype))
        assert np.isfinite(x.grad).all()
    loss = F.cross_entropy(x, [1])
    assert loss.item() == 2 * huge
    x.grad = None
    loss.backward()
    assert x.grad.tolist() == [[1, -1, 0]]


def test_powers_of_zero_to_tensors():
    a, exponent = Tensor(np.zeros(3), requires_grad=True), Tensor(np.arange(3.0), requires_grad=True)
    with np.errstate(all="raise"):
        (a**exponent).backward(np.ones(3))
    assert a.grad.tolist() == [0, 1, 0]
    assert exponent.grad.tolist() == [0, 0, 0]
    assert (2**exponent).data.tolist() == [1, 2, 4]


def test_powers_of_zero_and_of_negative_numbers():
    for exponent, slope in ((0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)):
        x = Tensor(np.zeros(2), requires_grad=True)
        F.power(x, exponent).sum().backward()
        assert x.grad.tolist() == [slope] * 2
    check_jacobian(lambda a: a**3, np.array([-2.0, -0.5]))


# Indices and views


def test_views_are_shared_and_gradients_are_not():
    x = Tensor(normal((3, 4)), requires_grad=True)
    for view in (x[1:], x.T, x.reshape(12), F.flatten(x)):
        assert np.shares_memory(view.data, x.data)
        view.backward(np.ones(view.shape))
        assert not np.shares_memory(x.grad, view.data)


@pytest.mark.parametrize(("rows", "inside", "outside"), [(40, 64, 6), (24, 37, 1), (1, 55, 64)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_linear_gives_the_same_bits_however_arrays_lie_in_memory(dtype, layout, rows, inside, outside):
    shapes = [(rows, inside), (inside, outside), (rows, outside)]

    def step(layout):
        arrays = [laid_out(normal(shape, dtype, seed), layout) for seed, shape in enumerate(shapes)]
        x, weight = (Tensor(array, requires_grad=True) for array in arrays[:2])
        y = F.linear(x, weight)
        y.backward(arrays[2])
        return y.data, x.grad, weight.grad

    for ours, theirs in zip(step(layout), step("C"), strict=True):
        assert np.array_equal(ours, theirs)


def test_attention_drops_by_the_seed_and_in_training_only():
    def dropped(seed, training=True):
        manual_seed(seed)
        return F.causal_attention(x, 2, 0.5, training).data

    x = normal((1, 8, 24))
    assert np.array_equal(dropped(1, training=False), F.causal_attention(x, 2).data)
    assert np.array_equal(dropped(1), dropped(1))
    assert not np.array_equal(dropped(1), dropped(2))


def test_defaults():
    x, w = normal((1, 4, 4, 2), seed=1), normal((3, 3, 2, 2), seed=2)
    assert np.array_equal(F.conv2d(x, w).data, F.conv2d(x, w, None, 1, 0).data)
    assert F.concatenate([x, x]).shape == (2, 4, 4, 2)
    manual_seed(0)
    dropped = F.dropout(np.ones(1000))
    assert set(np.unique(dropped.data)) == {0, 2}  # kept: half of them, and so doubled
    assert not Operation("plain", None, None).broadcasts | F.exp.broadcasts
