from typing import Literal

from numpy.typing import ArrayLike

from ..autodiff import Tensor
from ..nn import Module, Parameter
from ..reversible import MomentumNet, ResidualNet, RevNet
from ..typing import FloatArray

def soft_threshold(u: Tensor, threshold: Tensor | float) -> Tensor: ...

class IstaFunction(Module):
    penalty: float
    dictionary: FloatArray
    weight: Parameter
    step: Parameter
    def __init__(self, dictionary: ArrayLike, penalty: float, step: float | None = None) -> None: ...
    def __call__(self, z: Tensor, y: Tensor | FloatArray) -> Tensor: ...
    def forward(self, z: Tensor, y: Tensor | FloatArray) -> Tensor: ...

class UnrolledIsta(Module):
    atoms: int
    streams: int
    net: ResidualNet | MomentumNet | RevNet
    def __init__(
        self,
        kind: Literal["resnet", "momentum", "revnet"],
        dictionary: ArrayLike,
        penalty: float,
        depth: int,
        gamma: float = 0.5,
        step: float | None = None,
    ) -> None: ...
    def __call__(self, y: Tensor | FloatArray) -> Tensor: ...
    def forward(self, y: Tensor | FloatArray) -> Tensor: ...
    def trajectory(self, y: Tensor | FloatArray) -> FloatArray: ...
