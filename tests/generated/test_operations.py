"""Every operation, on arrays of any shape and memory layout, against the same in plain NumPy."""

import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
from call_strategies import OPERATIONS
from examples import generated
from strategies import dtypes, laid_out, layouts
from support import assert_unchanged, assert_within, normal

from mininet import Tensor, functional

STEP = np.finfo(np.float64).eps ** (1 / 3)
TOLERANCE = 1e-6
"""As in `mininet.autodiff.gradcheck`, where they are explained."""

every_operation = pytest.mark.parametrize("name", sorted(OPERATIONS))


def test_every_public_operation_is_drawn():
    assert set(OPERATIONS) == set(functional.__all__)


@every_operation
@generated(2, at_least=12, data=st.data(), dtype=dtypes)
def test_operation(name, data, dtype):
    check(data.draw(OPERATIONS[name], label="call"), data, dtype)


def check(call, data, dtype):
    """The value, and the gradients of those inputs that require one, of arrays and a gradient of any layout."""
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    rounded = [array.astype(dtype) for array in call.arrays]
    arrays = [laid_out(array, data.draw(layouts, label="layout")) for array in rounded]
    need = data.draw(
        st.lists(st.booleans(), min_size=len(arrays), max_size=len(arrays)).filter(any), label="requires_grad"
    )
    tensors = [Tensor(array, requires_grad=entry) for array, entry in zip(arrays, need, strict=True)]
    output = call.function(*tensors)

    in_float64 = [array.astype(np.float64) for array in rounded]
    truth = np.asarray(call.truth(*in_float64))
    assert output.dtype == dtype
    assert_within(output.data, truth, eps * call.units(truth, *in_float64) + tiny)
    of_arrays = call.function(*arrays)
    assert isinstance(of_arrays, Tensor)
    assert not of_arrays.requires_grad
    assert_unchanged([of_arrays.data], [output.data])

    seed = normal(truth.shape, dtype, data.draw(st.integers(0, 99), label="seed"))
    layout = data.draw(layouts | st.just("one number"), label="layout of the gradient")
    # what comes back through a sum is a view with strides of 0
    seed = np.broadcast_to(dtype(0.5), seed.shape) if layout == "one number" else laid_out(seed, layout)
    before = [array.copy() for array in (*arrays, seed, output.data)]
    output.backward(seed)
    assert_unchanged([*arrays, seed, output.data], before)
    assert_unchanged(arrays, rounded)
    seed = seed.astype(np.float64)
    expected = gradients(call, in_float64, seed)
    units = call.gradient_units(dataclasses.replace(call, arrays=tuple(in_float64)), seed)
    for tensor, needed, by_input, unit in zip(tensors, need, expected, units, strict=True):
        assert (tensor.grad is not None) == needed
        if needed:
            assert type(tensor.grad) is np.ndarray
            assert tensor.grad.dtype == dtype
            assert tensor.grad.flags.writeable
            assert_within(tensor.grad, by_input, eps * unit + tiny)


def gradients(call, arrays, seed):
    """In float64 by the tape, which agree with differences of the plain NumPy function in a random direction."""
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    call.function(*tensors).backward(seed)
    along = [normal(array.shape, seed=number) for number, array in enumerate(arrays)]
    upper, lower = (
        np.asarray(call.truth(*(a + sign * STEP * d for a, d in zip(arrays, along, strict=True)))) for sign in (1, -1)
    )
    ours = sum(float(np.sum(tensor.grad * d)) for tensor, d in zip(tensors, along, strict=True))
    theirs = float(np.sum(seed * (upper - lower))) / (2 * STEP)
    scale = max(abs(ours), abs(theirs), float(np.sum(np.abs(seed * upper))))
    rounding = np.finfo(np.float64).eps * float(np.sum(np.abs(seed) * call.units(upper, *arrays))) / STEP
    assert abs(ours - theirs) <= TOLERANCE * scale + rounding, f"backward gives {ours:.12g}, differences {theirs:.12g}"
    return [tensor.grad for tensor in tensors]


@every_operation
@generated(1, at_least=5, data=st.data())
def test_what_users_ask_numpy_to_raise_breaks_nothing(name, data):
    """Ordinary numbers raise nothing; tiny ones may overflow where they divide, but what underflows is 0."""
    call = data.draw(OPERATIONS[name], label="call")
    for scale in (1, 1e-30):
        problem = ""
        tensors = [Tensor(array.astype(np.float32) * np.float32(scale), requires_grad=True) for array in call.arrays]
        try:
            with np.errstate(all="raise"):
                output = call.function(*tensors)
                output.backward(np.full(output.shape, scale, np.float32))
        except FloatingPointError as error:
            problem = str(error)
        assert not problem or (scale < 1 and "underflow" not in problem)


SAID = {"mse_loss": "subtract", "power": "tensor_power", "group_norm": "multiply|add"}
"""By what name an operation calls itself that is made of others."""


@every_operation
@generated(1, at_least=5, data=st.data())
def test_integers_and_mixed_dtypes_are_refused_by_name(name, data):
    call = data.draw(OPERATIONS[name], label="call")
    with pytest.raises(TypeError, match="float32 or float64, got int64"):
        call.function(*(array.astype(np.int64) for array in call.arrays))
    for number in range(len(call.arrays)) if len(call.arrays) > 1 else ():
        arrays = [array.astype(np.float32 if i == number else np.float64) for i, array in enumerate(call.arrays)]
        with pytest.raises(TypeError, match=f"^({SAID.get(name, name)}) got .*dtypes are not mixed"):
            call.function(*map(Tensor, arrays))
