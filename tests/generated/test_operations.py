"""Every operation, on arrays of any shape and memory layout, against the same in plain NumPy."""

import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
from call_strategies import OPERATIONS
from examples import generated
from operation_table import CASES
from strategies import dtypes, laid_out, layouts
from support import assert_unchanged, assert_within, normal

from mininet import Tensor, functional

STEP = np.finfo(np.float64).eps ** (1 / 3)
TOLERANCE = 1e-6
"""As in `mininet.autodiff.gradcheck`, where they are explained."""


def test_every_public_operation_is_drawn():
    assert set(OPERATIONS) | {"batch_norm"} == set(functional.__all__) == {case.name for case in CASES}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@generated(2, data=st.data(), dtype=dtypes)
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

    seed = laid_out(normal(truth.shape, dtype, data.draw(st.integers(0, 99), label="seed")), data.draw(layouts))
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
