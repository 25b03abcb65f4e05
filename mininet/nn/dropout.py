"""Dropout."""

from ..autodiff import Tensor
from ..autodiff import functional as F
from ..autodiff.tensor import TensorLike
from ..base.checks import number
from .module import Module


class Dropout(Module):
    """Set elements to zero with probability `p` in training; see `functional.dropout`.

    Parameters
    ----------
    p : float
        At least 0 and below 1.

    Examples
    --------
    >>> nn.Dropout(0.5).eval()(Tensor([1.0, 2.0]))
    Tensor([1., 2.], dtype=float32)
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = number("p", p, 0, below=1)

    def forward(self, x: TensorLike) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def described(self) -> str:
        return f"p={self.p}"
