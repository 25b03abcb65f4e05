"""Operations that move numbers and change none: reshaping, indexing, joining."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.checks import array, integer, number, shown
from ..base.types import AnyArray, FloatArray, IntegerArray
from .operation import Computed, Gradients, Needs, operation
from .reductions import normalized_axes
from .tensor import Axes, Index, Tensor, TensorLike, as_tensor


@operation
def _reshape(a: FloatArray, shape: tuple[int, ...]) -> Computed:
    return a.reshape(shape), (a.shape,)


_reshape.vjp = lambda saved, gradient, needs: (gradient.reshape(saved[0]),)


@operation
def _transpose(a: FloatArray, axes: Axes) -> Computed:
    axes = tuple(reversed(range(a.ndim))) if axes is None else normalized_axes(axes, a.ndim)
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
def _concatenate(*tensors: FloatArray, axis: int) -> Computed:
    ends = np.cumsum([each.shape[axis] for each in tensors])
    return np.concatenate(tensors, axis=axis), (tuple(int(end) for end in ends[:-1]), axis)


@_concatenate.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    ends, axis = saved
    return np.split(gradient, ends, axis=axis)


def reshape(a: TensorLike, *shape: int | tuple[int, ...] | list[int]) -> Tensor:
    """`a` in another shape, with its elements in the same order.

    Parameters
    ----------
    a
        Of any shape.
    shape
        The new lengths, as one tuple or several numbers; -1, at most once, stands for what is left.

    Examples
    --------
    >>> F.reshape([1.0, 2.0, 3.0, 4.0], 2, -1)
    Tensor([[1., 2.],
            [3., 4.]], dtype=float32)
    """
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    return _reshape(a, shape=tuple(integer("shape", size, -1) for size in shape))


def transpose(a: TensorLike, *axes: int | tuple[int, ...] | list[int]) -> Tensor:
    """`a` with its axes in another order.

    Parameters
    ----------
    a
        Of any shape; its elements are not copied.
    axes
        Each axis once, as one tuple or several numbers; by default they are reversed.

    Examples
    --------
    >>> F.transpose(np.ones((2, 3, 4)), 0, 2, 1).shape
    (2, 4, 3)
    """
    if len(axes) == 1 and isinstance(axes[0], (tuple, list)):
        axes = tuple(axes[0])
    return _transpose(a, axes=None if axes in ((), (None,)) else axes)


def getitem(a: TensorLike, index: Index) -> Tensor:
    """a[index], with NumPy's basic and fancy indexing.

    Parameters
    ----------
    a
        Of any shape; its gradient adds up over elements that are taken several times.
    index
        What an ndarray takes: integers, slices, ``...``, ``None``, and arrays or lists of integers or booleans.

    Examples
    --------
    >>> F.getitem([1.0, 2.0, 3.0], [0, 2])
    Tensor([1., 3.], dtype=float32)
    """
    return _getitem(a, index=index)


@operation
def _stack(*tensors: FloatArray, axis: int) -> Computed:
    return np.stack(tensors, axis=axis), (axis,)


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
    """Tensors of one shape joined along a new axis.

    Parameters
    ----------
    tensors
        At least one, all of one shape.
    axis
        Where the new axis stands in the result; negative numbers count from the end.

    Examples
    --------
    >>> F.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    Tensor([[1., 3.],
            [2., 4.]], dtype=float32)
    """
    tensors = _list_of("stack", tensors)
    shapes = [np.shape(tensor) for tensor in tensors]
    if len(set(shapes)) > 1:
        raise ValueError(f"tensors to stack must have one shape, got {shapes}")
    axis = np.lib.array_utils.normalize_axis_index(integer("axis", axis), len(shapes[0]) + 1)
    return _stack(*tensors, axis=axis)


def split(a: TensorLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """`a` in parts along an axis, which are views.

    Parameters
    ----------
    a
        At least one axis.
    indices_or_sections
        How many equal parts, or the indices before which to cut.
    axis
        Which axis is cut; negative numbers count from the end.

    Examples
    --------
    >>> F.split([1.0, 2.0, 3.0], [1])
    [Tensor([1.], dtype=float32), Tensor([2., 3.], dtype=float32)]
    """
    a = as_tensor(a)
    axis = np.lib.array_utils.normalize_axis_index(integer("axis", axis), a.ndim)
    length = a.shape[axis]
    if isinstance(indices_or_sections, (tuple, list)):
        cuts = [integer("indices_or_sections", index, 0, length + 1) for index in indices_or_sections]
    else:
        sections = integer("indices_or_sections", indices_or_sections, 1)
        if length % sections:
            raise ValueError(
                f"indices_or_sections must divide the {length} elements of axis {axis} evenly, got {sections}"
            )
        cuts = [length // sections * i for i in range(1, sections)]
    before = (slice(None),) * axis
    return [getitem(a, (*before, slice(*ends))) for ends in itertools.pairwise([0, *cuts, length])]


def concatenate(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Tensors joined along an existing axis.

    Parameters
    ----------
    tensors
        At least one; they may differ in length along `axis` only.
    axis
        Along which they follow one another; negative numbers count from the end.

    Examples
    --------
    >>> F.concatenate([[1.0], [2.0, 3.0]])
    Tensor([1., 2., 3.], dtype=float32)
    """
    tensors = _list_of("concatenate", tensors)
    shapes = [np.shape(tensor) for tensor in tensors]
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(f"tensors to concatenate must have the same number of axes, got shapes {shapes}")
    axis = np.lib.array_utils.normalize_axis_index(integer("axis", axis), len(shapes[0]))
    return _concatenate(*tensors, axis=axis)


@operation
def _pad(a: FloatArray, widths: IntegerArray, value: float) -> Computed:
    sizes = [(before, size, after) for (before, after), size in zip(widths.tolist(), a.shape, strict=True)]
    out = np.full([sum(each) for each in sizes], value, a.dtype)
    inside = tuple(slice(before, before + size) for before, size, _ in sizes)
    out[inside] = a
    return out, (inside,)


_pad.vjp = lambda saved, gradient, needs: (gradient[saved[0]],)


def pad(a: TensorLike, pad_width: int | Sequence[Any] | IntegerArray, constant_values: float = 0.0) -> Tensor:
    """`a` with constant values around it, as by ``numpy.pad``.

    Parameters
    ----------
    a
        Of any shape.
    pad_width
        How many elements are added: one number for every end, a (before, after) for all axes, or one for each axis.
    constant_values
        What they are.

    Examples
    --------
    >>> F.pad([1.0, 2.0], (0, 1))
    Tensor([1., 2., 0.], dtype=float32)
    """
    a, widths = as_tensor(a), array("pad_width", pad_width)
    try:
        pairs = np.broadcast_to(widths, (a.ndim, 2))
    except ValueError:
        pairs = None
    if pairs is None or widths.dtype.kind not in "iu" or (widths < 0).any():
        raise ValueError(
            f"pad_width must be an integer, a pair or {a.ndim} pairs, none negative, got {shown(pad_width)}"
        )
    return _pad(a, widths=pairs, value=number("constant_values", constant_values))


def flatten(x: TensorLike) -> Tensor:
    """All axes except the first as one.

    Parameters
    ----------
    x
        Of at least one axis: (n, height, width, c), say, becomes (n, height * width * c).

    Examples
    --------
    >>> F.flatten(np.ones((2, 3, 4))).shape
    (2, 12)
    """
    x = as_tensor(x)
    if x.ndim == 0:
        raise ValueError("x must have at least 1 axis to flatten, got a scalar")
    return reshape(x, x.shape[0], int(np.prod(x.shape[1:])))
