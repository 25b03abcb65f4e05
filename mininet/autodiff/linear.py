"""Linear maps: matrix products, and the fused x @ weight + bias of a layer."""

from typing import Any

import numpy as np

from ..base.types import FloatArray
from ..kernels.buffers import contiguous
from ..kernels.matrix import matmul as array_matmul
from ..kernels.matrix import matrix_product, transposed_product
from ..kernels.sums import sum_over
from .operation import Computed, Gradients, Needs, operation
from .tensor import Tensor, TensorLike, require_rank


def _product(a: FloatArray, b: FloatArray) -> FloatArray:
    return matrix_product(a, b) if a.ndim == b.ndim == 2 else array_matmul(a, b)


@operation(broadcasts=True)
def matmul(a: FloatArray, b: FloatArray) -> Computed:
    """Matrix product (..., m, k) @ (..., k, n), with NumPy's rules for vectors and stacks of matrices.

    Parameters
    ----------
    a
        A vector (k,) counts as a row.
    b
        A vector (k,) counts as a column.

    Examples
    --------
    >>> F.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    Tensor([3., 7.], dtype=float32)
    """
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"a and b must be (..., m, k) and (..., k, n), got shapes {a.shape} and {b.shape}")
    return _product(a, b), (a, b)


@matmul.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    a, b = saved
    if a.ndim == 1 and b.ndim == 1:
        return gradient * b, gradient * a
    if a.ndim == 1:  # a row vector
        rows = np.expand_dims(gradient, -2)
        by_a = _product(rows, b.swapaxes(-1, -2))[..., 0, :] if needs[0] else None
        return by_a, a[:, None] * rows if needs[1] else None
    if b.ndim == 1:  # a column vector
        columns = gradient[..., None]
        by_b = array_matmul(a.swapaxes(-1, -2), columns)[..., 0] if needs[1] else None
        return columns * b if needs[0] else None, by_b
    by_a = _product(gradient, b.swapaxes(-1, -2)) if needs[0] else None
    return by_a, _product(a.swapaxes(-1, -2), gradient) if needs[1] else None


def rows(array: FloatArray) -> FloatArray:
    """All axes but the last as one; contiguous and aligned, so that results do not depend on how it lies in memory."""
    return contiguous(array).reshape(-1, array.shape[-1])


@operation
def _linear(x: FloatArray, weight: FloatArray, bias: FloatArray | None = None) -> Computed:
    require_rank("weight", weight, 2, "(in, out)")
    require_not_empty("weight", weight.shape)
    if x.ndim == 0 or x.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"x must have {weight.shape[0]} features on its last axis, as weight {weight.shape} says, "
            f"got shape {x.shape}"
        )
    bias = None if bias is None else checked_bias(bias, weight.shape[1])
    out = matrix_product(rows(x), rows(weight), bias)
    return out.reshape(*x.shape[:-1], weight.shape[1]), (x, weight)


@_linear.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    x, weight = saved
    by_out = rows(gradient)
    return (
        matrix_product(by_out, rows(weight).T).reshape(x.shape) if needs[0] else None,
        transposed_product(rows(x), by_out) if needs[1] else None,
        sum_over(by_out, (0,)) if needs[2:] == (True,) else None,
    )[: len(needs)]


def linear(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """x @ weight + bias.

    Parameters
    ----------
    x : Tensor (..., in)
        A vector of features on the last axis, at any number of places.
    weight : Tensor (in, out)
        The transpose of PyTorch's: column j makes output j.
    bias : Tensor (out,), optional
        Added to the outputs; by default nothing is.

    Returns
    -------
    Tensor (..., out)

    Examples
    --------
    >>> F.linear(np.ones((2, 3)), np.ones((3, 4))).shape
    (2, 4)
    """
    return _linear(x, weight) if bias is None else _linear(x, weight, bias)


def require_not_empty(name: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError if an array of this shape has no elements."""
    if 0 in shape:
        raise ValueError(f"{name} must not be empty, got shape {shape}")


def checked_bias(bias: FloatArray, outputs: int) -> FloatArray:
    """The bias of so many outputs; ValueError if it has another shape."""
    if bias.shape != (outputs,):
        raise ValueError(f"bias must have shape ({outputs},), got {bias.shape}")
    return bias
