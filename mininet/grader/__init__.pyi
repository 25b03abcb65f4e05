import dataclasses
from collections.abc import Callable
from typing import Any

from ..typing import PathLike

__all__ = [
    "PROMISES", "CannotLoad", "Outcome", "Report", "grade", "load", "promises_for", "try_promise", "write_template",
]  # fmt: skip

class CannotLoad(Exception): ...

class _Implementation:
    name: str
    def has_begun(self, names: tuple[str, ...]) -> bool: ...

class _Promise:
    @property
    def name(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def check(self) -> Callable[[_Implementation], None]: ...

PROMISES: list[_Promise]

@dataclasses.dataclass(frozen=True)
class Outcome:
    promise: _Promise
    status: str
    example: str | None = None
    came: str | None = None
    cause: str | None = None

@dataclasses.dataclass(frozen=True)
class Report:
    name: str
    outcomes: list[Outcome]
    @property
    def all_kept(self) -> bool: ...
    def __getitem__(self, promise: str) -> Outcome: ...
    @property
    def summary(self) -> str: ...

# An implementation is a path, a mapping of names to functions, a module, or any object that has them.
def load(source: Any) -> _Implementation: ...
def grade(implementation: Any, exact: bool | None = None) -> Report: ...
def promises_for(implementation: _Implementation, exact: bool | None = None) -> list[_Promise]: ...
def try_promise(promise: _Promise, implementation: _Implementation) -> Outcome: ...
def write_template(path: PathLike) -> None: ...
