import dataclasses
import pathlib
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .datasets import Batches
from .nn import Module
from .optim import Optimizer, Schedule
from .typing import PathLike

CHECKPOINT: str
CURVES: str
FIGURE: str

@dataclasses.dataclass
class Epoch:
    loss: float
    train_accuracy: float
    test_accuracy: float
    learning_rate: float
    images_per_second: float

class Training:
    net: Module
    optimizer: Optimizer
    schedule: Schedule | None
    batches: Batches
    test_batches: Batches
    epochs: int
    folder: pathlib.Path | None
    description: dict[str, Any]
    checkpoint_seconds: float
    progress: bool
    history: list[Epoch]
    def __init__(
        self,
        net: Module,
        optimizer: Optimizer,
        schedule: Schedule | None,
        batches: Batches,
        test_batches: Batches,
        epochs: int,
        folder: PathLike | None = None,
        description: dict[str, Any] | None = None,
        checkpoint_seconds: float = 60.0,
        progress: bool = True,
    ) -> None: ...
    def run(self) -> list[Epoch]: ...
    def save(self) -> None: ...
    def resume(self) -> bool: ...

def accuracy(net: Module, batches: Batches) -> float: ...
def count_right(net: Module, batches: Batches) -> tuple[int, int]: ...
def confusion(net: Module, batches: Batches, classes: int) -> NDArray[np.int64]: ...
def draw_curves(histories: dict[str, list[Epoch]]) -> Figure: ...
