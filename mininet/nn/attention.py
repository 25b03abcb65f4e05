"""Attention, as in GPT-2."""

import math
from typing import Any, TypeAlias

import numpy as np

from ..autodiff import Tensor, as_tensor
from ..autodiff import functional as F
from ..autodiff.tensor import TensorLike
from ..base.checks import integer, number
from ..base.types import AnyArray, FloatArray
from .linear import Linear
from .module import Module

Cache: TypeAlias = dict[Any, AnyArray]
"""Queries, keys and values (batch, time, 3 width) of the positions so far, by layer; by network, its tokens."""


class CausalSelfAttention(Module):
    """Each position looks at itself and those before it; see `functional.causal_attention`.

    Parameters
    ----------
    width : int
        The number of channels.
    heads : int
        Divides the width.
    dropout : float
        The share of attention weights that are set to zero in training.

    Attributes
    ----------
    c_attn : Linear
        From x to queries, keys and values, side by side.
    c_proj : Linear
        From the heads' outputs, side by side, to the result.

    Examples
    --------
    >>> nn.CausalSelfAttention(8, heads=2)(np.ones((1, 5, 8), np.float32)).shape
    (1, 5, 8)
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        width, self.heads = integer("width", width, 1), integer("heads", heads, 1)
        self.dropout = number("dropout", dropout, 0, below=1)
        if width % heads:
            raise ValueError(f"heads must divide the width {width}, got {heads}")
        self.c_attn = Linear(width, 3 * width)
        self.c_proj = Linear(width, width)

    def forward(self, x: TensorLike, cache: Cache | None = None) -> Tensor:
        """Attend within x.

        Parameters
        ----------
        x : Tensor (batch, time, width)
            With a cache, the positions that follow those of the calls before.
        cache
            An empty dict at first.  It is for evaluation, without gradients.
        """
        qkv = self.c_attn(as_tensor(x))
        if cache is None:
            attended = F.causal_attention(qkv, self.heads, self.dropout, self.training)
        else:
            attended = Tensor(self._continued(qkv.data, cache))
        return self.c_proj(attended)

    def _continued(self, qkv: FloatArray, cache: Cache) -> FloatArray:
        """Attend from the new positions to all so far."""
        if self in cache:
            cache[self] = np.concatenate([cache[self], qkv], axis=1)
        else:
            cache[self] = qkv
            if qkv.shape[1] > 1:
                return F.causal_attention(qkv, self.heads).data
        batch, time, wide = cache[self].shape
        q, k, v = cache[self].reshape(batch, time, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        new = qkv.shape[1]
        scores = q[:, :, -new:] @ k.swapaxes(2, 3) / qkv.dtype.type(math.sqrt(q.shape[3]))
        scores += np.triu(np.full((new, time), -np.inf, qkv.dtype), time - new + 1)
        weights = np.exp(scores - scores.max(axis=3, keepdims=True))
        weights /= weights.sum(axis=3, keepdims=True)
        return np.ascontiguousarray((weights @ v).swapaxes(1, 2)).reshape(batch, new, wide // 3)

    def described(self) -> str:
        return f"heads={self.heads}, dropout={self.dropout}"
