"""What a tensor is, how it mixes with NumPy and Python, and what it refuses."""

import copy
import pickle

import numpy as np
import pytest
from support import DTYPES, normal

from mininet import Tensor
from mininet import functional as F
from mininet.autodiff import gradients

by_dtype = pytest.mark.parametrize("dtype", DTYPES)


def leaf(*shape, dtype=np.float64, seed=0):
    return Tensor(normal(shape, dtype, seed), requires_grad=True)


# Making one


@by_dtype
def test_an_array_is_used_without_a_copy(dtype):
    array = normal((2, 3), dtype)
    tensor = Tensor(array)
    assert tensor.data is array
    assert tensor.numpy() is array
    assert (tensor.shape, tensor.dtype, tensor.ndim, tensor.size, len(tensor)) == ((2, 3), dtype, 2, 6, 2)
    assert np.shares_memory(np.asarray(tensor), array)
    assert Tensor(tensor).data is array
    assert not tensor.requires_grad
    assert tensor.grad is None


@pytest.mark.parametrize("value", [1, 2.5, True, [1, 2], [[0.5], [1]], []])
def test_numbers_and_lists_become_float32(value):
    tensor = Tensor(value)
    assert tensor.dtype == np.float32
    assert np.array_equal(tensor.data, np.array(value, np.float32))


# NumPy and Python on the other side


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "@": lambda a, b: a @ b,
}


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
@by_dtype
def test_operators_with_arrays_on_either_side(operator, dtype):
    a, b = normal((3, 3), dtype, 1), normal((3, 3), dtype, 2) + dtype(3)
    tensor = Tensor(b, requires_grad=True)
    for output, truth in ((operator(a, tensor), operator(a, b)), (operator(tensor, a), operator(b, a))):
        assert isinstance(output, Tensor)
        assert output.dtype == dtype
        assert np.array_equal(output.data, truth)
        assert output.requires_grad


@pytest.mark.parametrize("operator", [OPERATORS[sign] for sign in "+-*/"], ids=list("+-*/"))
@pytest.mark.parametrize("number", [3, 0.1, np.float64(0.1), np.float32(0.25), np.int64(3), np.bool_(True)])
@by_dtype
def test_operators_with_numbers_on_either_side(operator, number, dtype):
    a = normal(3, dtype) + dtype(3)
    for output, truth in (
        (operator(Tensor(a), number), operator(a, dtype(number))),
        (operator(number, Tensor(a)), operator(dtype(number), a)),
    ):
        assert isinstance(output, Tensor)
        assert output.dtype == dtype
        assert np.array_equal(output.data, truth)
    assert (Tensor(a) ** np.int64(3)).dtype == (Tensor(a) ** np.float32(3)).dtype == dtype


def test_boolean_arrays_count_as_0_and_1_and_what_has_an_array_keeps_its_dtype():
    x, mask = leaf(3, dtype=np.float32), np.array([True, False, True])
    for output in (x * mask, mask * x, F.multiply(mask, x)):
        assert np.array_equal(output.data, x.data * mask.astype(np.float32))
    assert F.mse_loss(x, mask).dtype == np.float32

    class Held:
        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return self.array

    for value in (Held(np.ones(2)), [np.ones(2), np.zeros(2)], Tensor(np.ones(2))):
        assert Tensor(value).dtype == np.float64
    for value in (Held(np.ones(2, np.int64)), [np.ones(2, int)]):
        with pytest.raises(TypeError, match="int64"):
            Tensor(value)
    assert Tensor([np.float64(1), np.int64(2), True]).dtype == Tensor(range(3)).dtype == np.float32


def test_a_tensor_cannot_be_added_to_an_array_in_place():
    # the array could not remember how it was computed
    array = np.ones(3)
    with pytest.raises(TypeError):
        array += Tensor(np.ones(3))
    assert array.tolist() == [1, 1, 1]


def test_other_operators_and_methods():
    a = normal((2, 3))
    tensor = Tensor(a)
    assert np.array_equal((-tensor).data, -a)
    assert np.array_equal(abs(tensor).data, np.abs(a))
    assert np.array_equal((tensor**2).data, a**2)
    assert np.array_equal(tensor.T.data, a.T)
    assert np.array_equal(tensor[1, ::2].data, a[1, ::2])
    assert [row.data.tolist() for row in tensor] == a.tolist()
    for name in ("sum", "mean", "max", "exp", "tanh", "relu", "sigmoid"):
        assert np.array_equal(getattr(tensor, name)().data, getattr(F, name)(tensor).data)
    for name in ("log", "sqrt"):
        assert np.array_equal(getattr(abs(tensor), name)().data, getattr(F, name)(abs(tensor)).data)
    assert tensor.reshape(3, 2).shape == tensor.reshape((3, -1)).shape == tensor.transpose().shape == (3, 2)
    assert tensor.sum(axis=0, keepdims=True).shape == (1, 3)


def test_comparisons_give_boolean_arrays_and_equality_is_refused():
    a, b = Tensor([1.0, 2.0, 3.0]), Tensor([2.0, 2.0, 2.0])
    assert (a < b).tolist() == [True, False, False]
    assert (a <= 2).tolist() == [True, True, False]
    assert (a > np.float32(2)).tolist() == [False, False, True]
    assert (a >= b).tolist() == [False, True, True]
    assert {a: 1}[a] == 1
    assert a == a
    assert a in (None, a)
    assert a != None  # noqa: E711
    for compare in (lambda: a == b, lambda: a != 2, lambda: a in [b], lambda: a == [1.0, 2.0, 3.0]):
        with pytest.raises(TypeError, match=r"np\.array_equal"):
            compare()


def test_one_element_as_a_number():
    assert Tensor([[2.5]]).item() == float(Tensor(2.5)) == 2.5
    assert type(Tensor(2.5).item()) is float
    assert bool(Tensor(1.0))
    assert not Tensor(0.0)
    with pytest.raises(ValueError):
        Tensor([1.0, 2.0]).item()
    with pytest.raises(ValueError):
        bool(Tensor([1.0, 2.0]))
    with pytest.raises(TypeError):
        len(Tensor(1.0))


def test_formats():
    assert (
        f"{Tensor(2.5):.3f} {leaf(1, 1).detach() * 0:+.1e} {Tensor([1.0])}"
        == "2.500 +0.0e+00 Tensor([1.], dtype=float32)"
    )
    with pytest.raises(TypeError, match=r"one element, got shape \(2,\)"):
        format(leaf(2), ".3f")


@pytest.mark.parametrize("dumps", [copy.deepcopy, pickle.dumps])
def test_leaves_can_be_copied_and_computed_tensors_cannot(dumps):
    x = leaf(2)
    x.sum().backward()
    found = dumps(x) if dumps is not pickle.dumps else pickle.loads(dumps(x))
    assert np.array_equal(found.data, x.data)
    assert found.grad.tolist() == [1, 1]
    assert dumps((x * 2).detach()) is not None
    with pytest.raises(RuntimeError, match=r"detach\(\)"):
        dumps(x * 2)
    copy.copy(x * 2).sum().backward()  # shares the tape
    assert x.grad.tolist() == [3, 3]


def test_repr():
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.], dtype=float32)"
    assert repr(leaf(0)) == "Tensor([], dtype=float64, requires_grad=True)"
    assert len(repr(Tensor(np.zeros(10_000)))) < 200


# Leaves


def test_data_of_a_leaf_can_be_replaced():
    tensor = leaf(2)
    tensor.sum().backward()
    tensor.data = np.zeros(2)
    assert tensor.grad.tolist() == [1, 1]
    tensor.data = np.zeros(3, np.float32)
    assert tensor.grad is None  # the old gradient does not fit
    assert tensor.requires_grad
    tensor.sum().backward()
    assert tensor.grad.tolist() == [1, 1, 1]
    with pytest.raises(TypeError, match="float32 or float64"):
        tensor.data = np.zeros(3, np.int32)


def test_requires_grad_of_a_leaf_can_be_set():
    tensor = Tensor(np.ones(2))
    tensor.requires_grad = True
    tensor.sum().backward()
    tensor.requires_grad = True  # says nothing new
    assert tensor.grad.tolist() == [1, 1]
    tensor.requires_grad = False
    assert tensor.grad is None
    assert not (tensor * 2).requires_grad


def test_computed_tensors_are_no_leaves():
    computed = leaf(2) * 2
    for name, value in (("data", np.zeros(2)), ("requires_grad", False)):
        with pytest.raises(RuntimeError, match=f"{name} can be set on leaves only.*detach"):
            setattr(computed, name, value)
    computed.sum().backward()
    assert computed.grad is None


def test_grad_can_be_set():
    tensor = leaf(2)
    tensor.grad = np.array([1.0, 2.0])
    (tensor * 3).sum().backward()
    assert tensor.grad.tolist() == [4, 5]
    tensor.grad = None
    assert tensor.grad is None
    Tensor(np.ones(2)).grad = None


def test_detach_cuts_the_way_back_but_shares_the_array():
    x = leaf(3)
    y = (x * 2).detach()
    assert not y.requires_grad
    assert x.detach().data is x.data
    (y * x).sum().backward()
    assert np.array_equal(x.grad, y.data)


# Backward


def test_backward_begins_with_1_or_takes_a_list_of_python_floats():
    x = leaf(1, 1)
    x.backward()
    assert x.grad.tolist() == [[1]]
    x = leaf(2)
    (x * 2).backward([1.0, 10.0])
    assert x.grad.tolist() == [2, 20]


def test_gradients_are_returned_and_not_accumulated():
    x, y, unused = leaf(2, seed=1), leaf(2, seed=2), leaf(2)
    sums = gradients(x * y, np.ones(2), [x, unused])
    assert np.array_equal(sums[0], y.data)
    assert sums[1] is None
    assert x.grad is y.grad is None
    assert np.array_equal(gradients(x * y, np.ones(2), [y, x])[0], x.data)
    assert gradients(Tensor(np.ones(2)), np.ones(2), [x]) == [None]
    assert [g.tolist() for g in gradients(x * 2, np.ones(2), [x, x])] == [[2, 2], [2, 2]]


# Scalars: NumPy turns results without axes into another type


@by_dtype
def test_scalar_leaves_get_arrays_as_gradients(dtype):
    x = Tensor(dtype(0.5), requires_grad=True)
    (3 * x).backward()
    assert type(x.grad) is np.ndarray
    assert x.grad.dtype == dtype
    kept = x.grad
    (3 * x).backward()
    assert x.grad == 6
    assert x.grad is kept  # accumulated in place, as for other shapes


def test_freezing_and_unfreezing_between_forward_and_backward_loses_no_gradient():
    x = leaf(2)
    y = (x * 2).sum()
    x.requires_grad = False
    assert x.grad is None
    x.requires_grad = True
    y.backward()
    assert x.grad.tolist() == [2, 2]
    x.requires_grad = False
    x.requires_grad = True
    assert x.grad is None, "freezing drops the gradient"


def test_labels_and_indices_may_change_after_forward():
    logits, labels = leaf(3, 4), np.array([0, 1, 2])
    loss = F.cross_entropy(logits, labels)
    labels[:] = 3
    loss.backward()
    assert (logits.grad[:, 3] > 0).all()
    x, index = leaf(4), np.array([0, 1])
    y = x[index].sum()
    index[:] = 3
    y.backward()
    assert x.grad.tolist() == [1, 1, 0, 0]
    assert x[[]].shape == (0,)


def test_the_array_protocol_asked_directly():
    tensor = Tensor(np.ones(2, np.float32))
    assert tensor.__array__(np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(tensor), tensor.data)
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        tensor.__array__(np.float64, copy=False)
