"""Reductions: sum, mean and their like, over some axes or all."""

import builtins
import math
from typing import Any

import numpy as np

from ..base.checks import flag, integer, shown
from ..base.types import FloatArray
from ..kernels.sums import sum_over
from .arithmetic import divide, negative, power, subtract
from .operation import Computed, Gradients, Needs, operation
from .tensor import Axes, Tensor, TensorLike, as_tensor


def normalized_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` as a tuple of different numbers from 0 to ndim - 1."""
    if axis is None:
        return tuple(range(ndim))
    try:
        axis = tuple(integer("axis", entry) for entry in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    except TypeError:
        raise TypeError(f"axis must be None, an integer or several, got {shown(axis)}") from None
    return np.lib.array_utils.normalize_axis_tuple(axis, ndim, argname="axis")


def _spread(array: FloatArray, shape: tuple[int, ...], axes: tuple[int, ...]) -> FloatArray:
    """`array`, reduced over `axes`, as a view of the unreduced shape."""
    with_ones = tuple(1 if i in axes else size for i, size in enumerate(shape))
    return np.broadcast_to(array.reshape(with_ones), shape)


@operation
def _sum(a: FloatArray, axis: Axes, keepdims: bool) -> Computed:
    axes = normalized_axes(axis, a.ndim)
    return sum_over(a, axes, keepdims), (a.shape, axes)


_sum.vjp = lambda saved, gradient, needs: (_spread(gradient, *saved),)


@operation
def _mean(a: FloatArray, axis: Axes, keepdims: bool) -> Computed:
    axes = normalized_axes(axis, a.ndim)
    count = a.dtype.type(math.prod(a.shape[i] for i in axes))
    if count == 0:
        raise ValueError(f"mean of no elements: shape {a.shape}, axis {axis}")
    return sum_over(a, axes, keepdims) / count, (a.shape, axes, count)


@_mean.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    shape, axes, count = saved
    return (_spread(gradient / count, shape, axes),)


@operation
def _max(a: FloatArray, axis: Axes, keepdims: bool) -> Computed:
    axes = normalized_axes(axis, a.ndim)
    if 0 in (a.shape[i] for i in axes):
        raise ValueError(f"max of no elements: shape {a.shape}, axis {axis}")
    largest = a.max(axis=axes, keepdims=True)
    is_largest = (a == largest) | np.isnan(a)
    out = largest if keepdims else largest.reshape([size for i, size in enumerate(a.shape) if i not in axes])
    return out, (is_largest, axes)


@_max.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    is_largest, axes = saved
    count = is_largest.sum(axis=axes, keepdims=True).astype(gradient.dtype)
    return (np.where(is_largest, _spread(gradient, is_largest.shape, axes) / count, 0),)


def sum(a: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Sum over the given axis or axes, or over all.

    Parameters
    ----------
    a : Tensor
        Of any shape.
    axis : int or sequence of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length 1.

    Examples
    --------
    >>> F.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor([4., 6.], dtype=float32)
    """
    return _sum(a, axis=axis, keepdims=flag("keepdims", keepdims))


def mean(a: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Mean over the given axis or axes, or over all; ValueError if there is no element.

    Parameters
    ----------
    a : Tensor
        Of any shape, with at least one element to reduce.
    axis : int or sequence of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length 1.

    Examples
    --------
    >>> F.mean([[1.0, 2.0], [3.0, 4.0]], axis=1)
    Tensor([1.5, 3.5], dtype=float32)
    """
    return _mean(a, axis=axis, keepdims=flag("keepdims", keepdims))


def max(a: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Largest element over the given axis or axes, or over all; equal ones share the gradient evenly.

    ValueError if there is no element.

    Parameters
    ----------
    a : Tensor
        Of any shape, with at least one element to reduce.
    axis : int or sequence of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length 1.

    Examples
    --------
    >>> F.max([[1.0, 2.0], [3.0, 4.0]], axis=1)
    Tensor([2., 4.], dtype=float32)
    """
    return _max(a, axis=axis, keepdims=flag("keepdims", keepdims))


def min(a: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Smallest element over the given axis or axes, or over all; equal ones share the gradient evenly.

    ValueError if there is no element.

    Parameters
    ----------
    a : Tensor
        Of any shape, with at least one element to reduce.
    axis : int or sequence of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length 1.

    Examples
    --------
    >>> F.min([[1.0, 2.0], [3.0, 4.0]], axis=1)
    Tensor([1., 3.], dtype=float32)
    """
    return negative(max(negative(a), axis, keepdims))


def var(a: TensorLike, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Mean squared deviation from the mean over the given axis or axes, or over all.

    Parameters
    ----------
    a : Tensor
        Of any shape.
    axis : int or sequence of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length 1.
    ddof : int
        What is subtracted from the number of elements before it divides; 1 for the unbiased estimate.

    Examples
    --------
    >>> F.var([1.0, 3.0])
    Tensor(1., dtype=float32)
    """
    a = as_tensor(a)
    count = math.prod(a.shape[i] for i in normalized_axes(axis, a.ndim))
    squares = power(subtract(a, mean(a, axis, keepdims=True)), 2)
    if integer("ddof", ddof, 0, builtins.max(1, count)) == 0:
        return mean(squares, axis, keepdims)
    return divide(sum(squares, axis, keepdims), count - ddof)
