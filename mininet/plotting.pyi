from contextlib import _GeneratorContextManager
from typing import Any, Literal, TypeAlias, overload

from matplotlib.animation import Animation
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .typing import PathLike

BLACK: str
ORANGE: str
SKY: str
GREEN: str
YELLOW: str
BLUE: str
VERMILION: str
PURPLE: str
SEQUENCE: tuple[str, ...]
STYLES: dict[str, dict[str, str]]

_Method: TypeAlias = Literal["stored", "checkpointed", "float", "exact", "limit"]

def style(method: _Method, **changes: Any) -> dict[str, Any]: ...

# One panel gives its Axes, several an array of them.
@overload
def figure(
    columns: Literal[1] = 1, rows: Literal[1] = 1, width: float = 4.2, height: float = 3.4
) -> _GeneratorContextManager[tuple[Figure, Axes]]: ...
@overload
def figure(
    columns: int = 1, rows: int = 1, width: float = 4.2, height: float = 3.4, **keywords: Any
) -> _GeneratorContextManager[tuple[Figure, Any]]: ...
def save(made: Figure, path: PathLike) -> None: ...
def save_animation(animation: Animation, path: PathLike, frames_per_second: float = 12) -> None: ...
def readable_bytes(count: float) -> str: ...
def bytes_upwards(axes: Axes) -> None: ...
