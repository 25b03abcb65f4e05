"""The linear layer."""

import math

import numpy as np

from .. import seeding
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..autodiff.tensor import TensorLike
from ..base.checks import flag, integer
from .module import Module, Parameter


class Linear(Module):
    """x @ weight + bias on the last axis.

    Parameters
    ----------
    in_features, out_features : int
        The lengths of the last axis before and after, at least 1.
    bias : bool
        Whether `bias` is added.

    Attributes
    ----------
    weight : Parameter (in_features, out_features)
    bias : Parameter (out_features,) or None
        Both start uniform between -1/sqrt(in_features) and 1/sqrt(in_features), as in PyTorch.

    Examples
    --------
    >>> nn.Linear(8, 3)(np.ones((5, 8), np.float32)).shape
    (5, 3)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = integer("in_features", in_features, 1)
        self.out_features = integer("out_features", out_features, 1)
        bound = 1 / math.sqrt(in_features)
        self.weight = _uniform((in_features, out_features), bound)
        self.bias = _uniform((out_features,), bound) if flag("bias", bias) else None

    def forward(self, x: TensorLike) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def described(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


def _uniform(shape: tuple[int, ...], bound: float) -> Parameter:
    """Draw a float32 parameter, uniform between -bound and bound."""
    random = seeding.generator_for(*seeding.next_draw())
    return Parameter(random.uniform(-bound, bound, shape).astype(np.float32))
