"""Ctrl-C between operations, not inside them.

Python raises KeyboardInterrupt between any two instructions, also while a mode is being changed back or memory is given
back.  In a function that is `interruptible_between_operations` it waits for `raise_if_interrupted`, which the engine
calls before every operation, or for the end of the function.
"""

import functools
import signal
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_was_interrupted = False


def _note(number: int, frame: object) -> None:
    global _was_interrupted
    _was_interrupted = True


def raise_if_interrupted() -> None:
    """Raise the KeyboardInterrupt that has been waiting, if there is one."""
    global _was_interrupted
    if _was_interrupted and threading.current_thread() is threading.main_thread():
        _was_interrupted = False
        raise KeyboardInterrupt


def interruptible_between_operations(function: Callable[P, R]) -> Callable[P, R]:
    """A decorator: inside the function Ctrl-C waits for the next operation.

    It does nothing in other threads, which Ctrl-C never interrupts, or if the program handles SIGINT in its own way.
    """

    @functools.wraps(function)
    def wrapped(*arguments: P.args, **keywords: P.kwargs) -> R:
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return function(*arguments, **keywords)
        signal.signal(signal.SIGINT, _note)
        try:
            return function(*arguments, **keywords)
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise_if_interrupted()

    return wrapped
