"""Losses, and the softmax that they are made of."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..base.checks import array, integer, number, one_of
from ..base.types import FloatArray, IntegerArray
from ..kernels.sums import sum_over
from .arithmetic import power, subtract
from .elementary import exp
from .operation import Computed, Gradients, Needs, operation
from .reductions import mean
from .tensor import Tensor, TensorLike, as_tensor, require_rank


def _log_softmax_of(x: FloatArray, axis: int) -> FloatArray:
    shifted = x - x.max(axis=axis, keepdims=True)
    out: FloatArray = shifted - np.log(sum_over(np.exp(shifted), (axis,), keepdims=True))
    return out


@operation
def _log_softmax(x: FloatArray, axis: int) -> Computed:
    if x.shape[axis] == 0:
        raise ValueError(f"x must have at least one element on its axis {axis}, got shape {x.shape}")
    out = _log_softmax_of(x, axis)
    return out, (out, axis)


@_log_softmax.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    out, axis = saved
    return (gradient - np.exp(out) * sum_over(gradient, (axis,), keepdims=True),)


def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """Logarithm of `softmax` over `axis`, without overflow.

    Parameters
    ----------
    x
        Scores, along at least one axis.
    axis
        Along which the probabilities add up to 1.

    Examples
    --------
    >>> F.log_softmax([1000.0, 0.0])
    Tensor([    0., -1000.], dtype=float32)
    """
    x = as_tensor(x)
    if x.ndim == 0:
        raise ValueError("x must have at least one axis, got a scalar")
    return _log_softmax(x, axis=np.lib.array_utils.normalize_axis_index(integer("axis", axis), x.ndim))


def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """exp(x) / sum exp(x) over `axis`, without overflow.

    Parameters
    ----------
    x
        Scores, along at least one axis.
    axis
        Along which the probabilities add up to 1.

    Examples
    --------
    >>> F.softmax([1000.0, 0.0])
    Tensor([1., 0.], dtype=float32)
    """
    return exp(log_softmax(x, axis))


@operation
def _cross_entropy(
    logits: FloatArray, labels: IntegerArray, is_kept: NDArray[np.bool_], smoothing: float, reduction: str
) -> Computed:
    log_probabilities = _log_softmax_of(logits, 1)
    losses = -log_probabilities[np.arange(len(labels)), labels]
    if smoothing:
        kind = losses.dtype.type
        losses = kind(1 - smoothing) * losses - kind(smoothing) * log_probabilities.mean(axis=-1)
    losses = np.where(is_kept, losses, 0)
    count = losses.dtype.type(np.count_nonzero(is_kept) if reduction == "mean" else 1)
    out = losses if reduction == "none" else losses.sum() / count
    return out, (log_probabilities, labels, is_kept, smoothing, count)


@_cross_entropy.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    log_probabilities, labels, is_kept, smoothing, count = saved
    by_logits = np.exp(log_probabilities)
    kind = by_logits.dtype.type
    by_logits[np.arange(len(labels)), labels] -= kind(1 - smoothing)
    if smoothing:
        by_logits -= kind(smoothing / by_logits.shape[1])
    by_logits *= (gradient / count).reshape(-1, 1)
    by_logits[~is_kept] = 0
    return (by_logits,)


def cross_entropy(
    logits: TensorLike,
    labels: IntegerArray | Sequence[int],
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """-log softmax(logits)[label], as its mean over the batch unless `reduction` says otherwise.

    Parameters
    ----------
    logits : Tensor (n, classes)
        Scores before softmax.
    labels : ndarray (n,) of integers from 0 to classes - 1
        The right class of each row.
    label_smoothing : float
        The share of each label, from 0 to 1, that is spread evenly over all classes.
    ignore_index : int, optional
        Rows with this label count for nothing, also in the mean.
    reduction : "mean", "sum" or "none"
        "none" returns the loss of each row.

    Raises
    ------
    TypeError, ValueError
        If labels are no integers, not one per row, out of range, or all ignored.

    Examples
    --------
    >>> F.cross_entropy([[100.0, 0.0]], labels=[1])
    Tensor(100., dtype=float32)
    """
    logits, labels = as_tensor(logits), np.array(array("labels", labels))  # a copy: a loader may fill its buffer again
    require_rank("logits", logits, 2, "(n, classes)")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    is_kept = np.ones(labels.shape, bool) if ignore_index is None else labels != integer("ignore_index", ignore_index)
    if labels.shape != logits.shape[:1] or not is_kept.any():
        kept = "" if ignore_index is None else f" that is not the ignored {ignore_index}"
        raise ValueError(
            f"labels must be one per row of logits {logits.shape}, at least one{kept}, got shape {labels.shape}"
        )
    lowest, highest = labels[is_kept].min(), labels[is_kept].max()
    if lowest < 0 or highest >= logits.shape[1]:
        raise ValueError(f"labels must lie between 0 and {logits.shape[1] - 1}, got {lowest} to {highest}")
    smoothing = number("label_smoothing", label_smoothing, 0, 1)
    one_of("reduction", reduction, ("mean", "sum", "none"))
    labels = np.where(is_kept, labels, 0)
    return _cross_entropy(logits, labels=labels, is_kept=is_kept, smoothing=smoothing, reduction=reduction)


def mse_loss(prediction: TensorLike, target: TensorLike) -> Tensor:
    """Mean of the squared differences of two tensors of one shape.

    Parameters
    ----------
    prediction
        Of any shape.
    target
        Of the same shape; it may be a tensor that gets a gradient.

    Examples
    --------
    >>> F.mse_loss([1.0, 2.0], [1.0, 4.0])
    Tensor(2., dtype=float32)
    """
    prediction = as_tensor(prediction)
    target = as_tensor(target, prediction)
    if prediction.shape != target.shape:
        raise ValueError(f"prediction and target must have one shape, got {prediction.shape} and {target.shape}")
    return mean(power(subtract(prediction, target), 2))
