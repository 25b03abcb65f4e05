"""Operations that keep some elements and not others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import seeding
from ..base.checks import array, flag, number, shown
from ..base.types import FloatArray
from .operation import Computed, Gradients, Needs, operation
from .tensor import Tensor, TensorLike, as_tensor


@operation
def _clip(a: FloatArray, low: float, high: float) -> Computed:
    return np.clip(a, a.dtype.type(low), a.dtype.type(high)), ((a >= low) & (a <= high),)


_clip.vjp = lambda saved, gradient, needs: (np.where(saved[0], gradient, 0),)


def clip(a: TensorLike, min: float | None = None, max: float | None = None) -> Tensor:
    """`a` with what lies beyond a bound set to it.

    Parameters
    ----------
    a
        Of any shape, which the result has too.
    min, max
        The bounds; None is no bound.  The slope is 0 beyond them, and 1 at them.

    Examples
    --------
    >>> F.clip([-1.0, 0.5, 2.0], 0, 1)
    Tensor([0. , 0.5, 1. ], dtype=float32)
    """
    low = -np.inf if min is None else number("min", min)
    high = np.inf if max is None else number("max", max, min)
    return _clip(a, low=low, high=high)


@operation(broadcasts=True)
def _where(a: FloatArray, b: FloatArray, condition: NDArray[np.bool_]) -> Computed:
    return np.where(condition, a, b), (condition,)


@_where.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    (condition,) = saved
    return np.where(condition, gradient, 0), np.where(condition, 0, gradient)


def where(condition: NDArray[np.bool_] | Sequence[Any] | bool, a: TensorLike, b: TensorLike) -> Tensor:
    """`a` where a condition holds, and `b` elsewhere.

    Parameters
    ----------
    condition
        Booleans.
    a
        Taken where `condition` is true.
    b
        Taken elsewhere; all three are broadcast as in NumPy.

    Examples
    --------
    >>> F.where([True, False], [1.0, 2.0], 0.0)
    Tensor([1., 0.], dtype=float32)
    """
    found = np.array(array("condition", condition))  # a copy: the original may change before the backward pass
    if found.dtype != np.bool_:
        raise TypeError(f"condition must be an array of booleans, got {shown(condition)}")
    return _where(a, b, condition=found)


def _dropped(x: FloatArray, p: float, draw: tuple[int, int]) -> FloatArray:
    """0 with probability p, and x / (1 - p) elsewhere; `draw` decides where, so no mask need be stored."""
    kept = seeding.generator_for(*draw).random(x.shape, dtype=np.float32) >= p
    return np.multiply(x, x.dtype.type(1 / (1 - p)), out=np.zeros(x.shape, x.dtype), where=kept)


@operation
def _dropout(x: FloatArray, p: float, draw: tuple[int, int]) -> Computed:
    return _dropped(x, p, draw), (p, draw)


_dropout.vjp = lambda saved, gradient, needs: (_dropped(gradient, *saved),)


def dropout(x: TensorLike, p: float = 0.5, training: bool = True) -> Tensor:
    """Set elements to zero with probability `p` and divide the others by 1 - p; without `training`, return x itself.

    The mask comes from the random numbers that `manual_seed` started and is drawn again on the way back.

    Parameters
    ----------
    x : Tensor
        Of any shape, which the result has too.
    p : float
        At least 0 and below 1.
    training : bool
        Whether elements are dropped.

    Examples
    --------
    >>> np.unique(F.dropout(np.ones(100), p=0.5).data)
    array([0., 2.])
    """
    p, x = number("p", p, 0, below=1), as_tensor(x)
    if not flag("training", training) or p == 0:
        return x
    return _dropout(x, p=p, draw=seeding.next_draw())
