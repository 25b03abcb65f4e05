"""Types for annotations in code that uses mininet: what its functions take, and what residual functions look like.

>>> def f(x: Tensor) -> Tensor: ...
>>> functions: list[ResidualFunction] = [f, nn.Linear(8, 8)]
"""

import os
from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .autodiff import Tensor

__all__ = [
    "Arithmetic", "Backprop", "FloatArray", "IntegerArray", "PathLike", "ResidualFunction", "TensorLike",
]  # fmt: skip

FloatArray: TypeAlias = NDArray[np.floating[Any]]
"""float32 or float64; NumPy's own functions often leave open which, and so does this type."""

IntegerArray: TypeAlias = NDArray[np.integer[Any]]

_Row: TypeAlias = Sequence[float]
_Numbers: TypeAlias = Sequence[float | Sequence[float | Sequence[float | _Row]]]
"""Lists of numbers, three deep and one: if any depth were allowed, a string would be one, too."""

TensorLike: TypeAlias = Tensor | FloatArray | np.floating[Any] | float | _Numbers
"""What operations take: an array of integers is not among it, as nothing is converted silently."""


class ResidualFunction(Protocol):
    """f(x, *inputs, **keywords), a module or any other callable, from a tensor to one of the same shape and dtype."""

    def __call__(self, x: Tensor, /, *inputs: Any, **keywords: Any) -> Tensor:
        """The value at x."""
        ...


Arithmetic: TypeAlias = Literal["exact", "float"]
"""How a network holds x and v."""

Backprop: TypeAlias = Literal["reversible", "stored", "checkpointed"]
"""What a network keeps for the backward pass."""

PathLike: TypeAlias = str | os.PathLike[str]
