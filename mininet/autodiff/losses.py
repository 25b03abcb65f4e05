"""Losses, and the softmax that they are made of."""

import numpy as np

from ..checks import array
from .elementary import exp, power, subtract
from .shapes import mean
from .tape import Operation
from .tensor import apply, as_tensor, require_rank


def _log_softmax(x):
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"x must have at least one element on its last axis, got shape {x.shape}")
    shifted = x - x.max(axis=-1, keepdims=True)
    out = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return out, (out,)


def _log_softmax_vjp(saved, gradient, needs):
    return (gradient - np.exp(saved[0]) * gradient.sum(axis=-1, keepdims=True),)


def _cross_entropy(logits, *, labels):
    log_probabilities, _ = _log_softmax(logits)
    picked = log_probabilities[np.arange(len(labels)), labels]
    return -picked.mean(), (log_probabilities, labels)


def _cross_entropy_vjp(saved, gradient, needs):
    log_probabilities, labels = saved
    by_logits = np.exp(log_probabilities)
    by_logits[np.arange(len(labels)), labels] -= 1
    by_logits *= gradient / by_logits.dtype.type(len(labels))
    return (by_logits,)


_LOG_SOFTMAX = Operation("log_softmax", _log_softmax, _log_softmax_vjp)
_CROSS_ENTROPY = Operation("cross_entropy", _cross_entropy, _cross_entropy_vjp)


def log_softmax(x):
    """Logarithm of `softmax`, without overflow."""
    return apply(_LOG_SOFTMAX, x)


def softmax(x):
    """exp(x) / sum exp(x) over the last axis."""
    return exp(log_softmax(x))


def cross_entropy(logits, labels):
    """Mean over the batch of -log softmax(logits)[label].

    Parameters
    ----------
    logits : Tensor (n, classes)
    labels : ndarray (n,) of integers from 0 to classes - 1
    """
    logits, labels = as_tensor(logits), np.array(array("labels", labels))  # a copy: a loader may fill its buffer again
    require_rank("logits", logits, 2, "(n, classes)")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    if labels.shape != logits.shape[:1] or labels.size == 0:
        raise ValueError(f"labels must be one per row of logits {logits.shape}, at least one, got shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels must lie between 0 and {logits.shape[1] - 1}, got {labels.min()} to {labels.max()}")
    return apply(_CROSS_ENTROPY, logits, labels=labels)


def mse_loss(prediction, target):
    """Mean of the squared differences of two tensors of one shape."""
    prediction, target = as_tensor(prediction), as_tensor(target)
    if prediction.shape != target.shape:
        raise ValueError(f"prediction and target must have one shape, got {prediction.shape} and {target.shape}")
    return mean(power(subtract(prediction, target), 2))
