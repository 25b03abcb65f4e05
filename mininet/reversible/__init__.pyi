from collections.abc import Callable, Iterable
from typing import Any, Literal

from numpy.typing import NDArray

from ..autodiff import Tensor
from ..nn import Conv2d, Linear, Module
from ..typing import Arithmetic, Backprop, FloatArray, ResidualFunction, TensorLike
from .inversion import InversionReport as InversionReport
from .network import LayeredNet
from .protocol import State
from .states import ExactState as ExactState
from .states import FloatState as FloatState

__all__ = [
    "ExactState", "FloatState", "IResNet", "InversionReport", "MomentumNet", "ResidualNet", "RevNet", "limit_lipschitz",
    "spectral_norm",
]  # fmt: skip

# What a ResidualNet, an IResNet and a RevNet leave behind

class _PositionState(State):
    position: FloatArray
    def values(self) -> FloatArray: ...

class _CoupledState(State):
    first: NDArray[Any]
    second: NDArray[Any]
    def values(self) -> FloatArray: ...

# Networks

class MomentumNet(LayeredNet):
    gamma: float
    init_velocity: Callable[[Tensor], Tensor] | None
    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        gamma: float = 0.9,
        init_velocity: Callable[[Tensor], Tensor] | None = None,
        is_residual: bool = True,
        arithmetic: Arithmetic = "exact",
        backprop: Backprop = "reversible",
    ) -> None: ...
    def run(self, x: TensorLike, /, *inputs: Any, **keywords: Any) -> ExactState | FloatState: ...
    def invert(
        self, state: ExactState | FloatState, /, *inputs: Any, **keywords: Any
    ) -> tuple[FloatArray, FloatArray]: ...

class ResidualNet(LayeredNet):
    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        is_residual: bool = True,
        backprop: Literal["stored", "checkpointed"] = "stored",
    ) -> None: ...
    def run(self, x: TensorLike, /, *inputs: Any, **keywords: Any) -> _PositionState: ...

class RevNet(LayeredNet):
    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        is_residual: bool = True,
        arithmetic: Arithmetic = "exact",
        backprop: Backprop = "reversible",
    ) -> None: ...
    def run(self, x: TensorLike, /, *inputs: Any, **keywords: Any) -> _CoupledState: ...
    def invert(self, state: _CoupledState, /, *inputs: Any, **keywords: Any) -> FloatArray: ...

class IResNet(LayeredNet):
    iterations: int
    tolerance: float | None
    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        backprop: Backprop = "reversible",
        iterations: int = 500,
        tolerance: float | None = None,
    ) -> None: ...
    def run(self, x: TensorLike, /, *inputs: Any, **keywords: Any) -> _PositionState: ...
    def invert(self, state: _PositionState, /, *inputs: Any, **keywords: Any) -> FloatArray: ...

# Contractive functions

def spectral_norm(layer: Linear | Conv2d, size: int | tuple[int, int] | None = None) -> float: ...
def limit_lipschitz(module: Module, coefficient: float = 0.9, size: int | tuple[int, int] | None = None) -> float: ...
