"""The gradient of looking up rows: a row of the table gets the sum over all its uses, in their order."""

import numpy as np
from numpy.typing import NDArray

from ..base.types import FloatArray
from . import buffers
from .jit import kernel
from .threads import for_each_share


def table_gradient(indices: NDArray[np.int64], gradient: FloatArray, rows: int) -> FloatArray:
    """Compute dL/dtable (rows, c) from `gradient` (m, c), that of the rows at the flat `indices` (m,)."""
    by_table = buffers.zeros((rows, gradient.shape[1]), gradient.dtype)
    least = max(1, 2**16 // max(1, len(indices)))
    for_each_share(_add_rows, gradient.shape[1], least, indices, gradient, by_table)
    return by_table


@kernel
def _add_rows(indices, gradient, by_table, first, last):
    """For the columns from `first` to `last`."""
    for place in range(len(indices)):
        row, target = gradient[place, first:last], by_table[indices[place], first:last]
        for c in range(len(row)):
            target[c] += row[c]
