from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..changes import changed
from . import functional as functional
from .tensor import Tensor as Tensor
from .tensor import as_tensor as as_tensor
from .tensor import gradients as gradients

__all__ = [
    "GradientError", "Tensor", "as_tensor", "check_gradient", "check_jacobian", "enable_grad", "functional",
    "gradients", "is_recording", "is_replaying", "no_grad", "replaying",
]  # fmt: skip

class GradientError(AssertionError): ...

def check_gradient(
    function: Callable[..., Tensor],
    *inputs: NDArray[np.float64],
    directions: int = 3,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> None: ...
def check_jacobian(function: Callable[..., Tensor], *inputs: NDArray[np.float64], tolerance: float = 1e-6) -> None: ...
def is_recording() -> bool: ...
def is_replaying() -> bool: ...
def no_grad() -> changed: ...
def enable_grad() -> changed: ...
def replaying(random_position: tuple[int, int], attributes: Iterable[tuple[Any, str, Any]] = ()) -> changed: ...
