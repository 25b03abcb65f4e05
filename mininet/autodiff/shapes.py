"""Operations that change the shape: reductions, reshaping, indexing, joining."""

import builtins
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.checks import flag, integer, shown
from ..base.types import AnyArray, FloatArray
from ..kernels.sums import sum_over
from .elementary import divide, negative, power, subtract
from .operation import Computed, Gradients, Needs, operation
from .tensor import Axes, Index, Tensor, TensorLike, as_tensor

# Reductions


def _normalized_axes(axis: Any, ndim: int) -> tuple[int, ...]:
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
    axes = _normalized_axes(axis, a.ndim)
    return sum_over(a, axes, keepdims), (a.shape, axes)


_sum.vjp = lambda saved, gradient, needs: (_spread(gradient, *saved),)


@operation
def _mean(a: FloatArray, axis: Axes, keepdims: bool) -> Computed:
    axes = _normalized_axes(axis, a.ndim)
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
    axes = _normalized_axes(axis, a.ndim)
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
    """Sum over the given axis or axes, or over all."""
    return _sum(a, axis=axis, keepdims=flag("keepdims", keepdims))


def mean(a: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Mean over the given axis or axes, or over all; ValueError if there is no element."""
    return _mean(a, axis=axis, keepdims=flag("keepdims", keepdims))


def max(a: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Largest element over the given axis or axes, or over all; equal ones share the gradient evenly.

    ValueError if there is no element.
    """
    return _max(a, axis=axis, keepdims=flag("keepdims", keepdims))


def min(a: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Smallest element over the given axis or axes, or over all; equal ones share the gradient evenly.

    ValueError if there is no element.
    """
    return negative(max(negative(a), axis, keepdims))


def var(a: TensorLike, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Mean squared deviation from the mean over the given axis or axes, or over all.

    ddof : int
        What is subtracted from the number of elements before it divides; 1 for the unbiased estimate.
    """
    a = as_tensor(a)
    count = math.prod(a.shape[i] for i in _normalized_axes(axis, a.ndim))
    squares = power(subtract(a, mean(a, axis, keepdims=True)), 2)
    if integer("ddof", ddof, 0, builtins.max(1, count)) == 0:
        return mean(squares, axis, keepdims)
    return divide(sum(squares, axis, keepdims), count - ddof)


# Shapes and indices


@operation
def _reshape(a: FloatArray, shape: tuple[int, ...]) -> Computed:
    return a.reshape(shape), (a.shape,)


_reshape.vjp = lambda saved, gradient, needs: (gradient.reshape(saved[0]),)


@operation
def _transpose(a: FloatArray, axes: Axes) -> Computed:
    axes = tuple(reversed(range(a.ndim))) if axes is None else _normalized_axes(axes, a.ndim)
    if len(axes) != a.ndim:
        raise ValueError(f"axes must name each of the {a.ndim} axes once, got {axes}")
    return a.transpose(axes), (axes,)


_transpose.vjp = lambda saved, gradient, needs: (gradient.transpose(np.argsort(saved[0])),)


def _is_basic(index: object) -> bool:
    return isinstance(index, (int, np.integer, slice, type(None), type(...)))


def _copy_of_index(entry: Any) -> AnyArray:
    """The original may have changed by the time of the backward pass."""
    copied = np.array(entry)
    return copied.astype(np.intp) if isinstance(entry, list) and not entry else copied


@operation
def _getitem(a: FloatArray, index: Any) -> Computed:
    entries = index if isinstance(index, tuple) else (index,)
    index = tuple(entry if _is_basic(entry) else _copy_of_index(entry) for entry in entries)
    return a[index], (a.shape, index, all(_is_basic(entry) for entry in entries))


@_getitem.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    shape, index, basic = saved
    out = np.zeros(shape, dtype=gradient.dtype)
    if basic:
        out[index] = gradient
    else:
        np.add.at(out, index, gradient)  # an element may have been taken several times
    return (out,)


@operation
def _concatenate(*arrays: FloatArray, axis: int) -> Computed:
    ends = np.cumsum([array.shape[axis] for array in arrays])
    return np.concatenate(arrays, axis=axis), (tuple(int(end) for end in ends[:-1]), axis)


@_concatenate.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    ends, axis = saved
    return np.split(gradient, ends, axis=axis)


def reshape(a: TensorLike, *shape: int | tuple[int, ...] | list[int]) -> Tensor:
    """`a` in another shape, given as one tuple or as several numbers; one of them may be -1."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    return _reshape(a, shape=tuple(integer("shape", size, -1) for size in shape))


def transpose(a: TensorLike, *axes: int | tuple[int, ...] | list[int]) -> Tensor:
    """`a` with its axes in another order, by default reversed."""
    if len(axes) == 1 and isinstance(axes[0], (tuple, list)):
        axes = tuple(axes[0])
    return _transpose(a, axes=None if axes in ((), (None,)) else axes)


def getitem(a: TensorLike, index: Index) -> Tensor:
    """a[index], with NumPy's basic and fancy indexing; index arrays are ndarrays or lists."""
    return _getitem(a, index=index)


@operation
def _stack(*arrays: FloatArray, axis: int) -> Computed:
    return np.stack(arrays, axis=axis), (axis,)


_stack.vjp = lambda saved, gradient, needs: list(np.moveaxis(gradient, saved[0], 0))


def _list_of(name: str, tensors: Sequence[TensorLike]) -> list[TensorLike]:
    try:
        tensors = list(tensors)
    except TypeError:
        raise TypeError(f"tensors must be a sequence of tensors, got {shown(tensors)}") from None
    if not tensors:
        raise ValueError(f"{name} needs at least one tensor")
    return tensors


def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    tensors = _list_of("stack", tensors)
    shapes = [np.shape(tensor) for tensor in tensors]
    if len(set(shapes)) > 1:
        raise ValueError(f"tensors to stack must have one shape, got {shapes}")
    axis = np.lib.array_utils.normalize_axis_index(integer("axis", axis), len(shapes[0]) + 1)
    return _stack(*tensors, axis=axis)


def split(a: TensorLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """`a` in parts along an axis, which are views: so many equal ones, or cut before each of the given indices."""
    a, name = as_tensor(a), "indices_or_sections"
    axis = np.lib.array_utils.normalize_axis_index(integer("axis", axis), a.ndim)
    length = a.shape[axis]
    if isinstance(indices_or_sections, (tuple, list)):
        cuts = [integer(name, index, 0, length + 1) for index in indices_or_sections]
    else:
        sections = integer(name, indices_or_sections, 1)
        if length % sections:
            raise ValueError(f"{name} must divide the {length} elements of axis {axis} evenly, got {sections}")
        cuts = [length // sections * i for i in range(1, sections)]
    before = (slice(None),) * axis
    return [getitem(a, (*before, slice(*ends))) for ends in itertools.pairwise([0, *cuts, length])]


def concatenate(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Tensors joined along an existing axis."""
    tensors = _list_of("concatenate", tensors)
    shapes = [np.shape(tensor) for tensor in tensors]
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(f"tensors to concatenate must have the same number of axes, got shapes {shapes}")
    axis = np.lib.array_utils.normalize_axis_index(integer("axis", axis), len(shapes[0]))
    return _concatenate(*tensors, axis=axis)
