"""What transformers are made of: attention, layer normalisation, GELU, and looking up rows."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import seeding
from ..base.checks import array, flag, integer, number, one_of
from ..base.types import FloatArray, IntegerArray
from ..kernels import attention as kernels
from ..kernels import gelu as gelu_kernels
from ..kernels.buffers import contiguous
from ..kernels.embedding import table_gradient
from ..kernels.layer_norm import layer_norm as normalized
from ..kernels.layer_norm import layer_norm_gradients
from .linear import rows
from .operation import Computed, Gradients, Needs, operation
from .tensor import Tensor, TensorLike, as_tensor, require_rank


@operation
def _causal_attention(qkv: FloatArray, heads: int, dropout: float, key: int) -> Computed:
    qkv = contiguous(qkv)
    out, log_sums = kernels.attention(qkv, heads, dropout, key)
    return out, (qkv, out, log_sums, heads, dropout, key)


@_causal_attention.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    qkv, out, log_sums, *settings = saved
    return (kernels.attention_gradient(qkv, out, log_sums, contiguous(gradient), *settings),)


def causal_attention(qkv: TensorLike, heads: int, dropout: float = 0.0, training: bool = True) -> Tensor:
    """Scaled dot-product attention of every position to itself and those before it (Vaswani et al., NeurIPS 2017).

    With queries, keys and values q, k, v (time, d) of a head, the output is softmax(q k^T / sqrt(d)) v, where the
    softmax leaves out later positions.  The weights, time x time, are never held together: memory grows with time.

    Parameters
    ----------
    qkv : Tensor (batch, time, 3 width)
        Queries, keys and values side by side; each of the three is cut into `heads` parts of width / heads.
    heads : int
        Divides the width.
    dropout : float
        In training, the share of weights that are set to zero; drawn from the random numbers of `manual_seed`.
    training : bool
        Whether weights are dropped.

    Returns
    -------
    Tensor (batch, time, width)

    Examples
    --------
    >>> q = k = np.zeros((1, 2, 1), np.float32)
    >>> v = np.array([[[1.0], [3.0]]], np.float32)
    >>> F.causal_attention(np.concatenate([q, k, v], axis=2), heads=1)
    Tensor([[[1.],
             [2.]]], dtype=float32)
    """
    qkv = as_tensor(qkv)
    require_rank("qkv", qkv, 3, "(batch, time, 3 width)")
    heads, dropout = integer("heads", heads, 1), number("dropout", dropout, 0, below=1)
    if qkv.shape[2] == 0 or qkv.shape[2] % (3 * heads):
        raise ValueError(f"qkv must have 3 width elements on its last axis, with {heads} heads of equal width, "
                         f"got shape {qkv.shape}")  # fmt: skip
    if not flag("training", training):
        dropout = 0.0
    key = int(seeding.generator_for(*seeding.next_draw()).integers(2**63)) if dropout else 0
    return _causal_attention(qkv, heads=heads, dropout=dropout, key=key)


@operation
def _layer_norm(x: FloatArray, weight: FloatArray, bias: FloatArray, eps: float) -> Computed:
    out, statistics = normalized(rows(x), contiguous(weight), contiguous(bias), eps)
    return out.reshape(x.shape), (x, weight, statistics)


@_layer_norm.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    x, weight, statistics = saved
    by_x, by_weight, by_bias = layer_norm_gradients(rows(x), contiguous(weight), statistics, rows(gradient))
    return by_x.reshape(x.shape), by_weight, by_bias


def layer_norm(x: TensorLike, weight: TensorLike, bias: TensorLike, eps: float = 1e-5) -> Tensor:
    """Layer normalisation of the last axis (Ba, Kiros and Hinton, 2016).

    Parameters
    ----------
    x : Tensor (..., channels)
        Each vector on the last axis has a mean and a variance of its own.
    weight, bias : Tensor (channels,)
        Scale and shift of each channel.
    eps : float
        Added to the variance before its root divides, at least 0.

    Examples
    --------
    >>> F.layer_norm([[1.0, 3.0]], weight=[1.0, 1.0], bias=[0.0, 0.0], eps=0)
    Tensor([[-1.,  1.]], dtype=float32)
    """
    x, weight, bias = as_tensor(x), as_tensor(weight), as_tensor(bias)
    if weight.ndim != 1 or weight.size < 1 or x.shape[-1:] != weight.shape or bias.shape != weight.shape:
        raise ValueError(
            "x, weight and bias must have shapes (..., channels), (channels,) and (channels,), with at least 1 "
            f"channel, got {x.shape}, {weight.shape} and {bias.shape}"
        )
    return _layer_norm(x, weight, bias, eps=number("eps", eps, 0))


@operation
def _gelu(x: FloatArray, by_tanh: bool) -> Computed:
    x = contiguous(x)
    return gelu_kernels.gelu(x, by_tanh), (x, by_tanh)


@_gelu.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    x, by_tanh = saved
    return (gelu_kernels.gelu_gradient(x, contiguous(gradient), by_tanh),)


def gelu(x: TensorLike, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """x times the probability that a normal variable is below x (Hendrycks and Gimpel, 2016).

    Parameters
    ----------
    x : Tensor
        Of any shape, which the result has too.
    approximate : "none" or "tanh"
        Exact, or by the approximation with tanh that GPT-2 takes.

    Examples
    --------
    >>> F.gelu([-100.0, 0.0, 100.0])
    Tensor([ -0.,   0., 100.], dtype=float32)
    """
    return _gelu(x, by_tanh=one_of("approximate", approximate, ("none", "tanh")) == "tanh")


@operation
def _embedding(weight: FloatArray, indices: NDArray[np.int64]) -> Computed:
    return weight[indices], (indices, len(weight))


@_embedding.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    indices, count = saved
    return (table_gradient(indices.reshape(-1), rows(gradient), count),)


def embedding(indices: IntegerArray | ArrayLike, weight: TensorLike) -> Tensor:
    """The rows of a table at `indices`.

    Parameters
    ----------
    indices : array_like of integers (...)
        From 0 to rows - 1.
    weight : Tensor (rows, channels)
        The gradients of a row's uses are added up in the order of `indices`.

    Returns
    -------
    Tensor (..., channels)

    Examples
    --------
    >>> F.embedding([2, 0], [[0.0], [1.0], [2.0]])
    Tensor([[2.],
            [0.]], dtype=float32)
    """
    weight, found = as_tensor(weight), array("indices", indices)
    require_rank("weight", weight, 2, "(rows, channels)")
    if found.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got {found.dtype}")
    if found.size and (found.min() < 0 or found.max() >= len(weight.data)):
        raise ValueError(f"indices must be from 0 to {len(weight.data) - 1}, got {found.min()} to {found.max()}")
    return _embedding(weight, indices=found.astype(np.int64))  # a copy: a loader may fill its buffer again
