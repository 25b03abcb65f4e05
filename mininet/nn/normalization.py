"""Normalisation of the last axis, which holds the channels."""

import numpy as np

from ..autodiff import Tensor, is_replaying
from ..autodiff import functional as F
from ..autodiff.tensor import TensorLike
from ..base.checks import integer, number
from ..base.types import FloatArray
from .module import Module, Parameter


class BatchNorm2d(Module):
    """Batch normalisation over all axes except the last, the channels; see `functional.batch_norm`.

    In training, running statistics move at every first evaluation.  They stay when a reversible network evaluates the
    layer again in its backward pass.

    Parameters
    ----------
    num_features : int
        How many channels there are, at least 1.
    eps : float
        Added to the variance before its root divides, at least 0.
    momentum : float
        Share of the new batch in the running statistics, from 0 to 1.

    Attributes
    ----------
    weight, bias : Parameter (num_features,)
    running_mean, running_var : ndarray (num_features,)

    Examples
    --------
    >>> norm = nn.BatchNorm2d(1)
    >>> norm(np.array([[[[0.0]], [[2.0]]]], np.float32)).data.ravel().round(3)
    array([-1.,  1.], dtype=float32)
    >>> norm.running_mean
    array([0.1], dtype=float32)
    """

    running_mean: FloatArray
    running_var: FloatArray

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        num_features = integer("num_features", num_features, 1)
        self.eps, self.momentum = number("eps", eps, 0), number("momentum", momentum, 0, 1)
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.register_buffer("running_mean", np.zeros(num_features, np.float32))
        self.register_buffer("running_var", np.ones(num_features, np.float32))

    def forward(self, x: TensorLike, relu: bool = False) -> Tensor:
        """Normalise.

        Parameters
        ----------
        x : Tensor (..., channels)
            A channel has one mean and one variance, over all other axes.
        relu
            Whether a ReLU follows, in the same pass over memory.
        """
        return F.batch_norm(
            x, self.weight, self.bias, self.running_mean, self.running_var, self.training, self.momentum, self.eps,
            update=not is_replaying(), relu=relu,
        )  # fmt: skip

    def described(self) -> str:
        return f"{len(self.running_mean)}, eps={self.eps}, momentum={self.momentum}"


class GroupNorm(Module):
    """Normalisation of each of `num_groups` groups of channels of each image; see `functional.group_norm`.

    Parameters
    ----------
    num_groups : int
        Divides `num_channels`.
    num_channels : int
        The length of the last axis.
    eps : float
        Added to the variance before its root divides, at least 0.

    Attributes
    ----------
    weight, bias : Parameter (num_channels,)

    Examples
    --------
    >>> nn.GroupNorm(1, 2)(np.array([[0.0, 2.0]], np.float32)).data.round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5) -> None:
        num_channels = integer("num_channels", num_channels, 1)
        self.num_groups, self.eps = integer("num_groups", num_groups, 1), number("eps", eps, 0)
        if num_channels % num_groups:
            raise ValueError(f"num_groups must divide the {num_channels} channels, got {num_groups}")
        self.weight = Parameter(np.ones(num_channels, np.float32))
        self.bias = Parameter(np.zeros(num_channels, np.float32))

    def forward(self, x: TensorLike) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def described(self) -> str:
        return f"{self.num_groups}, {self.weight.size}, eps={self.eps}"


class LayerNorm(Module):
    """Normalisation of the last axis of each position; see `functional.layer_norm`.

    Parameters
    ----------
    channels : int
        The length of the last axis.
    eps : float
        Added to the variance before its root divides, at least 0.

    Attributes
    ----------
    weight, bias : Parameter (channels,)

    Examples
    --------
    >>> nn.LayerNorm(2)(np.array([[0.0, 2.0]], np.float32)).data.round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        channels, self.eps = integer("channels", channels, 1), number("eps", eps, 0)
        self.weight = Parameter(np.ones(channels, np.float32))
        self.bias = Parameter(np.zeros(channels, np.float32))

    def forward(self, x: TensorLike) -> Tensor:
        return F.layer_norm(x, self.weight, self.bias, self.eps)

    def described(self) -> str:
        return f"{self.weight.size}, eps={self.eps}"
