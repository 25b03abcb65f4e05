"""Where memory is counted and time is measured.

The engine reports which arrays it holds, and what for (`note`, `hold`, `forget`), and what it is doing (`measured`).
Open `track_memory` and `profile` blocks listen; without them, nothing happens.
"""

import contextlib
import os
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

trackers: list[Any] = []
"""The open `MemoryTracker`s."""

lock = threading.RLock()
"""Held while memory is counted or lent (`mininet.kernels.buffers`).  Both share a lock, because the garbage collector
may run at any moment, and an array that dies then is both counted and given back."""


def _renew_lock() -> None:
    """Renew the lock in a forked child, where a thread that no longer exists may hold it."""
    global lock
    lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    """Find the array that owns the memory of `array`."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def note(array: NDArray[Any], kind: str) -> None:
    """Report that `array` is held for `kind`, one of `mininet.memory.KINDS`."""
    if trackers and array.nbytes:
        with lock:
            for tracker in trackers:
                tracker.note(_owner(array), kind)


def hold(arrays: Iterable[NDArray[Any]], change: int = 1) -> None:
    """Report that a tape record has saved `arrays`, or with a change of -1 that it has released them."""
    if trackers:
        with lock:
            for array in arrays:
                for tracker in trackers:
                    tracker.hold_on_tape(_owner(array), change)


def forget(array: NDArray[Any]) -> None:
    """Report that `array` is no longer held, though it still exists."""
    forget_owner(id(_owner(array)))


def forget_owner(key: int) -> None:
    """Report that an array is about to go, by the `id` of the owner of its memory."""
    for tracker in list(trackers):
        tracker.forget(key)


class _Profiles(threading.local):
    """The open `Profile`s of this thread."""

    def __init__(self) -> None:
        self.open: list[Any] = []


profiles = _Profiles()
_nothing = contextlib.nullcontext()


def measured(name: str) -> contextlib.AbstractContextManager[Any]:
    """Make a context whose time counts for `name`."""
    return _Measured(name) if profiles.open else _nothing


class _Measured:
    def __init__(self, name: str) -> None:
        self._name, self._profiles = name, list(profiles.open)

    def __enter__(self) -> None:
        for profile in self._profiles:
            profile.begin(self._name)

    def __exit__(self, *exception: object) -> None:
        for profile in self._profiles:
            profile.end()
