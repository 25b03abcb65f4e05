from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .autodiff import Tensor
from .typing import FloatArray, IntegerArray

class Optimizer:
    parameters: list[Tensor]
    lr: float
    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None: ...
    def step(self) -> None: ...
    def zero_grad(self) -> None: ...
    def state_dict(self) -> dict[str, float | FloatArray]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...

class SGD(Optimizer):
    momentum: float
    nesterov: bool
    weight_decay: float
    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None: ...

class Adam(Optimizer):
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] | list[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None: ...

class Schedule:
    optimizer: Optimizer
    initial_lr: float
    steps: int
    def __init__(self, optimizer: Optimizer) -> None: ...
    def factor(self, steps: int) -> float: ...
    def step(self) -> None: ...
    def state_dict(self) -> dict[str, float]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...

class MultiStepDecay(Schedule):
    milestones: list[int]
    decay: float
    def __init__(self, optimizer: Optimizer, milestones: Sequence[int] | IntegerArray, decay: float = 0.1) -> None: ...

class CosineDecay(Schedule):
    total: int
    warmup: int
    def __init__(self, optimizer: Optimizer, total: int, warmup: int = 0) -> None: ...
