"""Every operation of `mininet.functional`, driven by the table in tests/support/operation_table.py."""

import numpy as np
import pytest
from operation_table import BROADCAST_SHAPES, CASES, each
from support import DTYPES, assert_unchanged, assert_within, normal, strided

from mininet import Tensor, check_gradient, check_jacobian, functional

by_dtype = pytest.mark.parametrize("dtype", DTYPES)
every = pytest.mark.parametrize("case", **each())
FIRST = {case.name: case for case in reversed(CASES)}.values()
first_of_its_name = pytest.mark.parametrize("case", **each(lambda case: case in FIRST))


def tensors_of(arrays):
    return [Tensor(array, requires_grad=True) for array in arrays]


def assert_true(case, arrays, output):
    """The value NumPy gives in float64, but for roundings.

    Each of the `terms` summands is at most 1, or the product of the largest values of all inputs and of the output;
    each addition and at most 8 other roundings (NumPy's exp, tanh and log are good to 4 units) are off by eps/2.
    """
    truth = case.truth(*(array.astype(np.float64) for array in arrays))
    sizes = [np.abs(array).max(initial=1) for array in (*arrays, truth)]
    bound = (case.terms + 8) * np.finfo(arrays[0].dtype).eps * case.terms * np.prod(sizes, dtype=np.float64)
    assert output.dtype == arrays[0].dtype
    assert_within(output.data, truth, bound)


def test_every_public_operation_is_in_the_table():
    assert {case.name for case in CASES} == set(functional.__all__)
    assert all(callable(getattr(functional, name)) for name in functional.__all__)


@every
def test_jacobian(case):
    check_jacobian(case.function, *case.inputs())


@by_dtype
@every
def test_value_and_that_dtypes_shapes_and_inputs_are_kept(case, dtype):
    arrays = case.inputs(dtype)
    copies = [array.copy() for array in arrays]
    tensors = tensors_of(arrays)
    output = case.function(*tensors)
    assert_true(case, copies, output)
    seed = normal(output.shape, dtype)
    kept_seed, kept_output = seed.copy(), output.data.copy()
    output.backward(seed)
    for tensor in tensors:
        assert type(tensor.grad) is np.ndarray
        assert tensor.grad.dtype == dtype
        assert tensor.grad.shape == tensor.shape
    assert_unchanged([*arrays, seed, output.data], [*copies, kept_seed, kept_output])


@every
def test_gradients_in_float32_agree_with_float64(case):
    arrays = case.inputs(np.float32)
    gradients = []
    for dtype in DTYPES:
        tensors = tensors_of([array.astype(dtype) for array in arrays])
        output = case.function(*tensors)
        output.backward(normal(output.shape, np.float32, 3).astype(dtype))
        gradients.append([tensor.grad for tensor in tensors])
    # as for values; an input of n elements may meet each of the outputs, and slopes here are below 10
    terms = case.terms + output.size
    for single, double, array in zip(*gradients, arrays, strict=True):
        size = 10 * max(1, *(np.abs(other).max(initial=1) for other in (array, double)))
        assert_within(single, double, (terms + 8) * np.finfo(np.float32).eps * terms * size)


@every
def test_what_users_ask_numpy_to_raise_breaks_nothing(case):
    """Ordinary numbers raise nothing; tiny ones may overflow where they divide, but what underflows is 0."""
    for scale in (1, 1e-30):
        problem = ""
        tensors = tensors_of([array * np.float32(scale) for array in case.inputs(np.float32)])
        try:
            with np.errstate(all="raise"):
                output = case.function(*tensors)
                output.backward(np.full(output.shape, scale, np.float32))
        except FloatingPointError as error:
            problem = str(error)
        assert not problem or (scale < 1 and "underflow" not in problem)


@every
def test_inputs_and_gradients_that_are_not_contiguous(case):
    # transposing inputs and output makes x, and the gradient that comes back, views with other strides
    def transposed(*tensors):
        return functional.transpose(case.function(*(functional.transpose(tensor) for tensor in tensors)))

    check_gradient(transposed, *(array.T for array in case.inputs()))
    arrays = [strided(array) for array in case.inputs(np.float32)]
    assert_true(case, arrays, case.function(*map(Tensor, arrays)))


@every
def test_gradient_that_is_one_repeated_number(case):
    check_gradient(lambda *tensors: functional.sum(case.function(*tensors)), *case.inputs())


@first_of_its_name
def test_ndarrays_are_taken_as_tensors_even_if_they_cannot_be_written_to(case):
    arrays = case.inputs()
    for array in arrays:
        array.flags.writeable = False
    output = case.function(*arrays)
    assert isinstance(output, Tensor)
    assert not output.requires_grad
    assert np.array_equal(output.data, case.function(*map(Tensor, arrays)).data)


@pytest.mark.parametrize("case", **each(lambda case: len(case.shapes) > 1))
def test_only_inputs_that_require_gradients_get_them(case):
    arrays = case.inputs()
    everything = tensors_of(arrays)
    output = case.function(*everything)
    seed = normal(output.shape)
    output.backward(seed)
    for number in range(len(arrays)):
        tensors = [Tensor(array, requires_grad=i == number) for i, array in enumerate(arrays)]
        case.function(*tensors).backward(seed)
        assert_unchanged([tensors[number].grad], [everything[number].grad])
        assert [i for i, tensor in enumerate(tensors) if tensor.grad is not None] == [number]


# Other shapes


@pytest.mark.parametrize("shape", [(), (0,), (2, 1, 2, 2)], ids=str)
@pytest.mark.parametrize("case", **each(lambda case: case.elementwise))
def test_elementwise_operations_take_any_shape(case, shape):
    for dtype in DTYPES:
        arrays = case.inputs(dtype, [shape] * len(case.shapes))
        tensors = tensors_of(arrays)
        output = case.function(*tensors)
        assert_true(case, arrays, output)
        output.backward(normal(shape, dtype))
        found = [(type(tensor.grad), tensor.grad.shape, tensor.grad.dtype) for tensor in tensors]
        assert found == [(np.ndarray, shape, dtype)] * len(arrays)
    check_jacobian(case.function, *arrays)


@pytest.mark.parametrize("case", **each(lambda case: case.empty))
@by_dtype
def test_inputs_without_elements(case, dtype):
    tensors = tensors_of(case.inputs(dtype, case.empty))
    output = case.function(*tensors)
    assert output.dtype == dtype
    output.backward(np.ones(output.shape, dtype))
    for tensor in tensors:
        assert tensor.grad.shape == tensor.shape
        assert tensor.grad.dtype == dtype
        assert output.size > 0 or not tensor.grad.any()  # an empty sum


@pytest.mark.parametrize("shapes", BROADCAST_SHAPES, ids=str)
@pytest.mark.parametrize("case", **each(lambda case: case.elementwise and case.broadcasts))
def test_broadcasting(case, shapes):
    for order in (shapes, shapes[::-1]):
        arrays = case.inputs(shapes=order)
        assert_true(case, arrays, case.function(*map(Tensor, arrays)))
        check_jacobian(case.function, *arrays)
        tensors = tensors_of(case.inputs(np.float32, order))
        output = case.function(*tensors)
        output.backward(np.ones(output.shape, np.float32))
        assert [(tensor.grad.shape, tensor.grad.dtype) for tensor in tensors] == [(s, np.float32) for s in order]


@pytest.mark.parametrize("case", **each(lambda case: case.elementwise and case.broadcasts))
@by_dtype
def test_python_numbers_take_the_dtype_of_the_array(case, dtype):
    (array, _), scalar = case.inputs(dtype), 0.75
    for value in (Tensor(array, requires_grad=True), array):
        for output, truth in (
            (case.function(value, scalar), case.truth(array, dtype(scalar))),
            (case.function(scalar, value), case.truth(dtype(scalar), array)),
        ):
            assert output.dtype == dtype
            assert np.array_equal(output.data, truth)


@pytest.mark.parametrize("case", **each(lambda case: len(case.shapes) > 1))
def test_mixed_dtypes_are_refused_by_name(case):
    name = {"mse_loss": "subtract", "power": "tensor_power", "group_norm": "multiply|add"}.get(case.name, case.name)
    for number in range(len(case.shapes)):
        arrays = [array.astype(np.float32 if i == number else np.float64) for i, array in enumerate(case.inputs())]
        with pytest.raises(TypeError, match=f"^({name}) got .*dtypes are not mixed"):
            case.function(*map(Tensor, arrays))


def test_integers_are_refused():
    for case in FIRST:
        with pytest.raises(TypeError, match="float32 or float64, got int64"):
            case.function(*(np.ones(shape, dtype=np.int64) for shape in case.shapes))
