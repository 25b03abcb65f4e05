"""Where memory is counted and time is measured.

The engine reports which arrays it holds, and what for (`note`, `hold`, `forget`), and what it is doing (`measured`).
Open `track_memory` and `profile` blocks listen; without them, nothing happens.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

trackers: list[Any] = []
"""The open `MemoryTracker`s."""

lock = threading.RLock()
"""Held while memory is counted or lent (`mininet.kernels.buffers`).  Both share a lock, because the garbage collector
may run at any moment, and an array that dies then is both counted and given back."""


def _renew_lock() -> None:  # in a forked child, where a thread that no longer exists may hold it
    global lock
    lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
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


def forget(key: int) -> None:
    """Report that an array is no longer held, by the `id` of the owner of its memory."""
    for tracker in list(trackers):
        tracker.forget(key)


class _Profiles(threading.local):
    open: tuple[Any, ...] = ()


profiles = _Profiles()
"""The open `Profile`s of each thread."""

_nothing = contextlib.nullcontext()


def measured(name: str) -> contextlib.AbstractContextManager[Any]:
    """Make a context whose time counts for `name`."""
    return _measured(name, profiles.open) if profiles.open else _nothing


@contextlib.contextmanager
def _measured(name: str, listening: tuple[Any, ...]) -> Iterator[None]:
    for profile in listening:
        profile.begin(name)
    try:
        yield
    finally:
        for profile in listening:
            profile.end()
