"""Sums that stay accurate however many numbers are added.

Adding a million numbers one after another loses digits: at the end each is added to a total that is a million times as
large.  NumPy adds in blocks of 128 where the numbers lie side by side in memory, but row after row along other axes.
Here every long axis is added in blocks: 128 numbers at a time, then the sums of the blocks in the same way.
"""

import math
from collections.abc import Sequence

import numpy as np

from ..base.types import FloatArray
from . import buffers
from .threads import for_each_share, items_worth_sharing

BLOCK = 128
"""Up to this many numbers are added by NumPy alone."""


def sum_over(array: FloatArray, axes: Sequence[int], keepdims: bool = False) -> FloatArray:
    """The sum over `axes`, different numbers from 0 to ``array.ndim - 1``.

    More than 128 terms are added in the same order however the array lies in memory.
    """
    terms = math.prod(array.shape[axis] for axis in axes)
    if terms > BLOCK and not array.flags.c_contiguous:
        array = buffers.copy(array)
    if terms <= BLOCK or min(axes) == array.ndim - len(axes):  # the last ones, which NumPy takes as one
        return np.asarray(array.sum(axis=tuple(axes), keepdims=keepdims))
    kept = [i for i in range(array.ndim) if i not in axes]
    shape = tuple(array.shape[i] if i in kept else 1 for i in (range(array.ndim) if keepdims else kept))
    # the leading ones as one, so that no large array stands in between
    array = array.reshape(math.prod(array.shape[: kept[0]]), *array.shape[kept[0] :])
    for axis in (0, *(axis - kept[0] + 1 for axis in sorted(axes) if axis > kept[0])):
        array = _sum_along(array, axis)
    return array.reshape(shape)


def _sum_along(array: FloatArray, axis: int) -> FloatArray:
    """The sum over one axis, which stays with length 1."""
    length = array.shape[axis]
    if length <= BLOCK or axis == array.ndim - 1:
        return np.asarray(array.sum(axis=axis, keepdims=True))
    before, rows = (slice(None),) * axis, length // BLOCK
    front, rest = array[(*before, slice(BLOCK * rows))], array[(*before, slice(BLOCK * rows, None))]
    # a block takes rows at equal distances, so that what is added at a time lies side by side and is long
    blocks = front.reshape(*array.shape[:axis], BLOCK, rows, *array.shape[axis + 1 :])
    of_blocks = buffers.empty(blocks.shape[:axis] + blocks.shape[axis + 1 :], array.dtype)

    def work(first: int, last: int) -> None:
        np.add.reduce(
            blocks[(*before, slice(None), slice(first, last))], axis, out=of_blocks[(*before, slice(first, last))]
        )

    # additions wait for memory: one takes as long as some 64 in a matrix product
    for_each_share(work, rows, items_worth_sharing(64 * array.size // rows))
    total = _sum_along(of_blocks, axis)
    total += rest.sum(axis=axis, keepdims=True)
    return total
