"""Attributes that have other values for a while."""

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, Self, TypeAlias, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Change: TypeAlias = tuple[Any, str, Any]
"""An object, the name of an attribute, its value."""


class _Entered(threading.local):
    """The values before each block that this thread is in, the innermost last."""

    def __init__(self) -> None:
        self.before: list[list[Change]] = []


class changed(contextlib.ContextDecorator):
    """Inside the block, or a function so decorated, attributes have other values; afterwards those from before.

    One object may be entered again, also inside its own block, and by several threads.
    """

    def __init__(self, attributes: Iterable[Change]) -> None:
        self._attributes = [*attributes]
        self._entered = _Entered()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:  # type: ignore[override]
        """`function`, every call of which is such a block."""
        kinds = inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction
        if any(is_kind(function) for is_kind in kinds):
            raise TypeError(
                f"function must be an ordinary one, got the generator or coroutine function {function.__qualname__}, "
                "whose body runs after the call: use a with block inside it"
            )
        return super().__call__(function)

    def _recreate_cm(self) -> Self:
        return type(self)(self._attributes)  # a decorated function may call itself

    def __enter__(self) -> None:
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in self._attributes]
        self._entered.before.append(before)
        try:
            _set(self._attributes)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exception: object) -> None:
        _set(self._entered.before.pop())


def _set(attributes: list[Change]) -> None:
    for owner, name, value in attributes:
        if getattr(owner, name) is not value:
            setattr(owner, name, value)
