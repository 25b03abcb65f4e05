"""Types for annotations in code that uses mininet: what its functions take, and what residual functions look like.

>>> def f(x: Tensor) -> Tensor: ...
>>> functions: list[ResidualFunction] = [f, nn.Linear(8, 8)]
"""

from .autodiff.tensor import TensorLike
from .base.types import Arithmetic, Backprop, FloatArray, IntegerArray, PathLike
from .reversible.replay import ResidualFunction

__all__ = [
    "Arithmetic", "Backprop", "FloatArray", "IntegerArray", "PathLike", "ResidualFunction", "TensorLike",
]  # fmt: skip
