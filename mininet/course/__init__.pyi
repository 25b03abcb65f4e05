import dataclasses
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

__all__ = ["CHAPTERS", "Chapter", "NotYet", "check", "expect", "explore", "require"]

@dataclasses.dataclass(frozen=True)
class Chapter:
    number: str
    file: str
    title: str
    minutes: int
    exercises: str
    about: str

CHAPTERS: tuple[Chapter, ...]

class NotYet(Exception): ...

def check(number: str, *answers: object) -> None: ...
def expect(name: str, value: Any, right: Any, within: float = 0.0) -> None: ...
def require(condition: object, why: str) -> None: ...
def explore(draw: Callable[..., Figure], **choices: tuple[float, float, float, float] | list[Any]) -> None: ...
