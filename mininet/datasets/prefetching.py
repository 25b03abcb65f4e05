"""Preparing what comes next while the present is worked on."""

import queue
import threading

THREAD_NAME = "mininet-prefetch"


def prefetched(items, count):
    """Iterate over `items`, of which a background thread prepares up to `count` ahead.

    The thread starts with the first item asked for, and ends with the iteration, however that ends: by the last item,
    by an exception of either side, or because the iteration is given up (the generator is closed or collected).  Then
    it finishes at most the item it is at, which is waited for.

    Parameters
    ----------
    items : iterator
        Only ever advanced by the one thread, in order, so prefetching does not change what it gives.
    count : int
        At least 1.

    Raises
    ------
    Exception
        Whatever `items` raises, in place of the item, with the traceback from the thread.
    """
    # A thread waits for one free place per item.  SimpleQueue is the one primitive that may be used while it is in
    # use further up the same stack, which is what happens if the garbage collector, run in the thread, closes us.
    places, prepared, given_up = queue.SimpleQueue(), queue.SimpleQueue(), threading.Event()
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
            del item  # not to hold it while waiting for the next
        if not isinstance(error, StopIteration):
            raise error
    finally:
        error = None  # an exception and the frame that raised it must not hold one another
        given_up.set()
        places.put(None)
        if thread.ident is not None and thread is not threading.current_thread():
            thread.join()


def _prepare(items, places, prepared, given_up):
    """The thread: (item, None) for each item, at last (None, exception), which is a StopIteration at the end."""
    try:
        while True:
            places.get()
            if given_up.is_set():
                return
            prepared.put((next(items), None))
    except BaseException as error:
        prepared.put((None, error))
