"""Attributes that have other values for a while."""

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Change: TypeAlias = tuple[Any, str, Any]
"""An object, the name of an attribute, its value."""


class changed(contextlib.ContextDecorator):
    """Inside the block, or a function so decorated, attributes have other values; afterwards those from before.

    One object may be entered again, inside its own block and by other threads too.
    """

    def __init__(self, attributes: Iterable[Change]) -> None:
        self._attributes = [*attributes]
        self._before: dict[int, list[list[Change]]] = {}  # of each thread that is inside, the innermost block's last

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:  # type: ignore[override]
        """`function`, with a block around every call."""
        kinds = inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction
        if any(is_kind(function) for is_kind in kinds):
            raise TypeError(
                f"function must be an ordinary one, got the generator or coroutine function {function.__qualname__}, "
                "whose body runs after the call: use a with block inside it"
            )
        return super().__call__(function)

    def __enter__(self) -> None:
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in self._attributes]
        self._before.setdefault(threading.get_ident(), []).append(before)
        try:
            _set(self._attributes)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exception: object) -> None:
        _set(self._before[threading.get_ident()].pop())


def _set(attributes: list[Change]) -> None:
    for owner, name, value in attributes:
        if getattr(owner, name) is not value:
            setattr(owner, name, value)
