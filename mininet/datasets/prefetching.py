"""Preparing the next items while the caller works on the present one."""

import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Prepared: TypeAlias = "queue.SimpleQueue[tuple[Any, BaseException | None]]"

THREAD_NAME = "mininet-prefetch"


def prefetched(items: Iterator[T], count: int) -> Iterator[T]:
    """Iterate over `items`, of which a background thread prepares up to `count`, at least 1, ahead.

    The thread starts with the first item asked for.  It ends with the iteration, after at most the item it is at: at
    the last item, at an exception on either side, or when the iteration is given up because the generator is closed or
    collected.  Only the thread advances `items`, in order, so prefetching does not change them.  What `items` raises
    comes in place of the item, with the thread's traceback.

    Examples
    --------
    >>> list(prefetched(iter([1, 2, 3]), count=2))
    [1, 2, 3]
    """
    # The thread waits for a free place per item.  SimpleQueue is the one primitive that can be used while it is in use
    # further up in the same stack: this happens if the garbage collector, running in the thread, closes us.
    places: queue.SimpleQueue[None] = queue.SimpleQueue()
    prepared: Prepared = queue.SimpleQueue()
    given_up = threading.Event()
    for _ in range(count):
        places.put(None)
    thread = threading.Thread(
        target=_prepare, args=(items, places, prepared, given_up), name=THREAD_NAME, daemon=True
    )  # a daemon: a program may end in the middle of an iteration
    try:
        thread.start()
        while True:
            item, error = prepared.get()
            if error is not None:
                break
            places.put(None)
            yield item
            del item  # do not hold it while waiting for the next
        if not isinstance(error, StopIteration):
            raise error
    finally:
        error = None  # an exception and the frame that raised it must not hold one another
        given_up.set()
        places.put(None)
        if thread.ident is not None and thread is not threading.current_thread():
            thread.join()


def _prepare(
    items: Iterator[Any], places: queue.SimpleQueue[None], prepared: Prepared, given_up: threading.Event
) -> None:
    """Run in the thread: put (item, None) for each item, then (None, exception), a StopIteration at the end."""
    try:
        while True:
            places.get()
            if given_up.is_set():
                return
            prepared.put((next(items), None))
    except BaseException as error:
        prepared.put((None, error))
