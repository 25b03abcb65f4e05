from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict, TypeVar

from ..autodiff import Tensor
from ..nn import Linear, Module
from ..typing import Arithmetic, Backprop, FloatArray, PathLike
from .resnet import CifarResNet as CifarResNet
from .resnet import ImageNetResNet as ImageNetResNet
from .resnet import _ResNet
from .resnet import resnet18 as resnet18
from .resnet import resnet20 as resnet20
from .resnet import resnet32 as resnet32
from .resnet import resnet34 as resnet34
from .resnet import resnet44 as resnet44
from .resnet import resnet50 as resnet50
from .resnet import resnet56 as resnet56
from .resnet import resnet101 as resnet101
from .resnet import resnet110 as resnet110
from .resnet import resnet152 as resnet152

__all__ = [
    "CifarResNet", "CifarRevNet", "ImageNetResNet", "load_pytorch_state_dict", "pretrained", "pytorch_state_dict",
    "resnet18", "resnet20", "resnet32", "resnet34", "resnet44", "resnet50", "resnet56", "resnet101", "resnet110",
    "resnet152", "revnet20", "save_pytorch_state_dict", "to_momentum", "to_residual",
]  # fmt: skip

_Net = TypeVar("_Net", bound=Module)

# The reversible rival

class CifarRevNet(_ResNet):
    linear: Linear
    def __init__(
        self,
        depth: int,
        classes: int = 10,
        width: int = 20,
        arithmetic: Arithmetic = "exact",
        backprop: Backprop = "reversible",
    ) -> None: ...

def revnet20(
    classes: int = 10, width: int = 20, arithmetic: Arithmetic = "exact", backprop: Backprop = "reversible"
) -> CifarRevNet: ...

# Conversion

def to_momentum(
    net: _Net,
    gamma: float,
    layers: tuple[str, ...] | list[str] | None = None,
    keep_first_block: bool = True,
    init_velocity: Callable[[int], Callable[[Tensor], Tensor]] | None = None,
    arithmetic: Arithmetic = "exact",
    backprop: Backprop | None = None,
) -> _Net: ...
def to_residual(net: _Net) -> _Net: ...

# Weights

class _Facts(TypedDict):
    gamma: float
    mean: list[float]
    deviation: list[float]
    classes: list[str]
    test_accuracy: float
    confusion: list[list[int]]
    command: str

def pretrained(
    name: Literal["momentum_resnet20"] = "momentum_resnet20", arithmetic: Arithmetic = "exact"
) -> tuple[CifarResNet, _Facts]: ...
def pytorch_state_dict(net: Module) -> dict[str, FloatArray]: ...
def save_pytorch_state_dict(net: Module, path: PathLike) -> None: ...
def load_pytorch_state_dict(net: Module, source: Mapping[str, Any] | PathLike) -> None: ...
