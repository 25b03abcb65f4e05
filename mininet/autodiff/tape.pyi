from collections.abc import Callable, KeysView, Sequence
from typing import Any

import numpy as np

from ..typing import FloatArray

def next_number() -> int: ...

class Slot:
    shape: tuple[int, ...]
    dtype: np.dtype[np.floating[Any]]
    record: Record | None
    gradient: FloatArray | None
    def __init__(self, array: FloatArray, record: Record | None = None) -> None: ...

class Record:
    operation: Operation
    inputs: tuple[Slot | None, ...]
    saved: Any
    number: int
    output_shape: tuple[int, ...]
    released: bool
    def __init__(
        self, operation: Operation, inputs: tuple[Slot | None, ...], saved: Any, output_shape: tuple[int, ...]
    ) -> None: ...
    def saved_arrays(self) -> list[np.ndarray[Any, Any]]: ...
    @property
    def saved_bytes(self) -> int: ...
    def take_saved(self, keep: bool) -> Any: ...

class Operation:
    name: str
    forward: Callable[..., tuple[Any, Any]]
    vjp: Callable[..., Sequence[Any]]
    broadcasts: bool
    consumes_saved: bool
    def __init__(
        self,
        name: str,
        forward: Callable[..., tuple[Any, Any]],
        vjp: Callable[..., Sequence[Any]],
        broadcasts: bool = False,
        consumes_saved: bool = False,
    ) -> None: ...
    def record(self, output: FloatArray, slots: Sequence[Slot | None], saved: Any) -> Slot: ...
    def run(
        self, arrays: Sequence[FloatArray], slots: Sequence[Slot | None], settings: dict[str, Any]
    ) -> tuple[FloatArray, Slot | None]: ...

class GradientSums:
    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def add(self, slot: Slot, gradient: FloatArray) -> bool: ...
    def pop(self, slot: Slot) -> FloatArray | None: ...
    def slots(self) -> KeysView[Slot]: ...
    def accumulate(self, seed: FloatArray) -> None: ...

def backpropagate(slot: Slot, gradient: FloatArray, keep_tape: bool = False, since: int = -1) -> GradientSums: ...

class OutsideTape(RuntimeError): ...

def records_behind(slot: Slot) -> list[Record]: ...
