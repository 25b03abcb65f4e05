"""NumPy's own functions never cut off a gradient silently."""

import io
import re

import numpy as np
import pytest
from support import normal

from mininet import Tensor, no_grad
from mininet import functional as F
from mininet.autodiff.numpy_functions import _INSTEAD, _WITHOUT_GRADIENT

ROUTED = {
    "concatenate": lambda np, a, b: np.concatenate([a, b], axis=1),
    "stack": lambda np, a, b: np.stack((a, b)),
    "where": lambda np, a, b: np.where(np.shape(a) == (2, 3), a, b),
    "sum": lambda np, a, b: np.sum(a, axis=0, keepdims=True),
    "mean": lambda np, a, b: np.mean(a),
    "max": lambda np, a, b: np.max(a, 1),
    "min": lambda np, a, b: np.min(a),
    "var": lambda np, a, b: np.var(a, axis=1, ddof=1),
    "reshape": lambda np, a, b: np.reshape(a, (3, 2)),
    "transpose": lambda np, a, b: np.transpose(a),
    "clip": lambda np, a, b: np.clip(a, -0.5, 0.5),
    "pad": lambda np, a, b: np.pad(a, ((0, 1), (2, 0)), constant_values=3),
    "split": lambda np, a, b: np.split(a, [1])[1],
}


@pytest.mark.parametrize("call", ROUTED.values(), ids=ROUTED)
def test_what_has_an_operation_of_the_same_name_is_that_operation(call):
    arrays = normal((2, 3), seed=1), normal((2, 3), seed=2)
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    found, truth = call(np, *tensors), call(np, *arrays)
    np.testing.assert_allclose(found.data, truth, rtol=1e-14)
    found.sum().backward()
    assert tensors[0].grad.any() or call is ROUTED["var"]
    with no_grad():
        assert isinstance(call(np, *tensors), (np.ndarray, np.floating))
    assert np.array_equal(call(np, *(tensor.detach() for tensor in tensors)), truth)


def test_others_are_refused_and_named():
    x = Tensor(normal((3, 3)), requires_grad=True)
    for call, instead in (
        (lambda: np.dot(x.detach(), x), r"numpy\.dot .*F\.matmul"), (lambda: np.std(x), r"F\.sqrt\(F\.var\(x\)\), or"),
        (lambda: np.linalg.norm(x), r"linalg\.norm .*F\.sqrt\(F\.sum\(x \* x\)\), or"),
        (lambda: np.vstack([x, x]), "F.concatenate"), (lambda: np.cumsum(x), "mininet.functional, or"),
        (lambda: np.fft.fft(x), "mininet.functional"), (lambda: np.roll(x, 1), "mininet.functional"),
        (lambda: Tensor([[x[0]], [x[1]]]), r"F\.stack"), (lambda: F.mean([x, x]), r"F\.concatenate"),
        (lambda: np.sum(x, dtype=np.float64), "dtype"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=instead):
            call()


def test_the_tables_name_functions_that_there_are():
    assert all(hasattr(np, name) or hasattr(np.linalg, name) for name in _WITHOUT_GRADIENT | _INSTEAD.keys())
    assert {*re.findall(r"F\.(\w+)", " ".join(_INSTEAD.values()))} <= {*F.__all__}


def test_without_a_gradient_to_lose_numpy_gets_plain_arrays():
    x = Tensor(normal((3, 2)), requires_grad=True)
    assert np.argmax(x, axis=1).tolist() == np.argmax(x.data, axis=1).tolist()
    assert (np.shape(x), np.ndim(x), np.zeros_like(x).tolist()) == ((3, 2), 2, [[0, 0]] * 3)
    assert np.array_equal(x, x.data)
    np.save(io.BytesIO(), x)
    assert type(np.asarray(x)) is np.ndarray
    plain = x.detach()
    assert np.dot(plain, plain.T).shape == (3, 3)
    assert np.linalg.norm(plain) == np.linalg.norm(x.data)
    assert Tensor([plain[0], plain[1]]).dtype == np.float64
