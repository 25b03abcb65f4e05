"""Operations that change the shape: reductions, reshaping, indexing, joining.

Each is a pair of functions on arrays, forward and vjp side by side, and a public function on tensors.
"""

import numpy as np

from ..checks import flag, integer, shown
from .tape import Operation
from .tensor import apply

# Reductions


def _normalized_axes(axis, ndim):
    """`axis` as a tuple of different numbers from 0 to ndim - 1."""
    if axis is None:
        return tuple(range(ndim))
    try:
        axis = tuple(integer("axis", entry) for entry in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    except TypeError:
        raise TypeError(f"axis must be None, an integer or several, got {shown(axis)}") from None
    return np.lib.array_utils.normalize_axis_tuple(axis, ndim, argname="axis")


def _spread(array, shape, axes):
    """`array`, reduced over `axes`, as a view of the unreduced shape."""
    with_ones = tuple(1 if i in axes else size for i, size in enumerate(shape))
    return np.broadcast_to(array.reshape(with_ones), shape)


def _sum(a, axis, keepdims):
    axes = _normalized_axes(axis, a.ndim)
    return a.sum(axis=axes, keepdims=keepdims), (a.shape, axes)


def _sum_vjp(saved, gradient, needs):
    return (_spread(gradient, *saved),)


def _mean(a, axis, keepdims):
    axes = _normalized_axes(axis, a.ndim)
    count = int(np.prod([a.shape[i] for i in axes]))
    if count == 0:
        raise ValueError(f"mean of no elements: shape {a.shape}, axis {axis}")
    return a.mean(axis=axes, keepdims=keepdims), (a.shape, axes, a.dtype.type(count))


def _mean_vjp(saved, gradient, needs):
    shape, axes, count = saved
    return (_spread(gradient / count, shape, axes),)


def _max(a, axis, keepdims):
    axes = _normalized_axes(axis, a.ndim)
    if 0 in (a.shape[i] for i in axes):
        raise ValueError(f"max of no elements: shape {a.shape}, axis {axis}")
    largest = a.max(axis=axes, keepdims=True)
    is_largest = a == largest
    out = largest if keepdims else largest.reshape([size for i, size in enumerate(a.shape) if i not in axes])
    return out, (is_largest, axes)


def _max_vjp(saved, gradient, needs):
    is_largest, axes = saved
    share = _spread(gradient, is_largest.shape, axes) * is_largest
    return (share / is_largest.sum(axis=axes, keepdims=True).astype(gradient.dtype),)


_SUM = Operation("sum", _sum, _sum_vjp)
_MEAN = Operation("mean", _mean, _mean_vjp)
_MAX = Operation("max", _max, _max_vjp)


def sum(a, axis=None, keepdims=False):
    """Sum over the given axis or axes, or over all."""
    return apply(_SUM, a, axis=axis, keepdims=flag("keepdims", keepdims))


def mean(a, axis=None, keepdims=False):
    """Mean over the given axis or axes, or over all; ValueError if there is no element."""
    return apply(_MEAN, a, axis=axis, keepdims=flag("keepdims", keepdims))


def max(a, axis=None, keepdims=False):
    """Largest element over the given axis or axes, or over all; equal ones share the gradient evenly.

    ValueError if there is no element.
    """
    return apply(_MAX, a, axis=axis, keepdims=flag("keepdims", keepdims))


# Shapes and indices


def _reshape(a, shape):
    return a.reshape(shape), (a.shape,)


def _reshape_vjp(saved, gradient, needs):
    return (gradient.reshape(saved[0]),)


def _transpose(a, axes):
    axes = tuple(reversed(range(a.ndim))) if axes is None else _normalized_axes(axes, a.ndim)
    if len(axes) != a.ndim:
        raise ValueError(f"axes must name each of the {a.ndim} axes once, got {axes}")
    return a.transpose(axes), (axes,)


def _transpose_vjp(saved, gradient, needs):
    return (gradient.transpose(np.argsort(saved[0])),)


def _is_basic(index):
    return isinstance(index, (int, np.integer, slice, type(None), type(...)))


def _copy_of_index(entry):
    """The original may have changed by the time of the backward pass."""
    copied = np.array(entry)
    return copied.astype(np.intp) if isinstance(entry, list) and not entry else copied


def _getitem(a, index):
    entries = index if isinstance(index, tuple) else (index,)
    index = tuple(entry if _is_basic(entry) else _copy_of_index(entry) for entry in entries)
    return a[index], (a.shape, index, all(_is_basic(entry) for entry in entries))


def _getitem_vjp(saved, gradient, needs):
    shape, index, basic = saved
    out = np.zeros(shape, dtype=gradient.dtype)
    if basic:
        out[index] = gradient
    else:
        np.add.at(out, index, gradient)  # an element may have been taken several times
    return (out,)


def _concatenate(*arrays, axis):
    ends = np.cumsum([array.shape[axis] for array in arrays])
    return np.concatenate(arrays, axis=axis), (tuple(int(end) for end in ends[:-1]), axis)


def _concatenate_vjp(saved, gradient, needs):
    ends, axis = saved
    return np.split(gradient, ends, axis=axis)


_RESHAPE = Operation("reshape", _reshape, _reshape_vjp)
_TRANSPOSE = Operation("transpose", _transpose, _transpose_vjp)
_GETITEM = Operation("getitem", _getitem, _getitem_vjp)
_CONCATENATE = Operation("concatenate", _concatenate, _concatenate_vjp)


def reshape(a, *shape):
    """`a` in another shape, given as one tuple or as several numbers; one of them may be -1."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    return apply(_RESHAPE, a, shape=tuple(integer("shape", size, -1) for size in shape))


def transpose(a, *axes):
    """`a` with its axes in another order, by default reversed."""
    if len(axes) == 1 and isinstance(axes[0], (tuple, list)):
        axes = tuple(axes[0])
    return apply(_TRANSPOSE, a, axes=axes or None)


def getitem(a, index):
    """a[index], with NumPy's basic and fancy indexing; index arrays are ndarrays or lists."""
    return apply(_GETITEM, a, index=index)


def concatenate(tensors, axis=0):
    """Tensors joined along an existing axis."""
    try:
        tensors = list(tensors)
    except TypeError:
        raise TypeError(f"tensors must be a sequence of tensors, got {shown(tensors)}") from None
    if not tensors:
        raise ValueError("concatenate needs at least one tensor")
    shapes = [np.shape(tensor) for tensor in tensors]
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(f"tensors to concatenate must have the same number of axes, got shapes {shapes}")
    axis = np.lib.array_utils.normalize_axis_index(integer("axis", axis), len(shapes[0]))
    return apply(_CONCATENATE, *tensors, axis=axis)
