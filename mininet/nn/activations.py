"""Activations: functions of each element."""

from typing import Literal

from ..autodiff import Tensor, as_tensor
from ..autodiff import functional as F
from ..autodiff.tensor import TensorLike
from ..base.checks import one_of
from .module import Module


class ReLU(Module):
    """max(x, 0).

    Examples
    --------
    >>> nn.ReLU()(Tensor([-1.0, 2.0]))
    Tensor([0., 2.], dtype=float32)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.relu(x)


class Tanh(Module):
    """Hyperbolic tangent.

    Examples
    --------
    >>> nn.Tanh()(Tensor([0.0]))
    Tensor([0.], dtype=float32)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    Examples
    --------
    >>> nn.Sigmoid()(Tensor([0.0]))
    Tensor([0.5], dtype=float32)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.sigmoid(x)


class SiLU(Module):
    """x sigmoid(x).

    Examples
    --------
    >>> nn.SiLU()(Tensor([0.0]))
    Tensor([0.], dtype=float32)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.silu(x)


class GELU(Module):
    """x times the probability that a normal variable is below x; see `functional.gelu`.

    Parameters
    ----------
    approximate : "none" or "tanh"
        Exact, or by the approximation with tanh that GPT-2 takes.

    Examples
    --------
    >>> nn.GELU(approximate="tanh")(Tensor([0.0]))
    Tensor([0.], dtype=float32)
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate: Literal["none", "tanh"] = one_of("approximate", approximate, ("none", "tanh"))

    def forward(self, x: TensorLike) -> Tensor:
        return F.gelu(x, self.approximate)

    def described(self) -> str:
        return f"approximate={self.approximate!r}"


class Identity(Module):
    """What it is given.

    Examples
    --------
    >>> nn.Identity()(Tensor([1.0]))
    Tensor([1.], dtype=float32)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return as_tensor(x)
