"""One pool of threads for everything.

Numba's own pools and the one inside the BLAS library fight when they take turns: the workers of one spin on the cores
that the other needs.  So mininet has a single pool, of plain Python threads, and gives it pieces of work that run
without Python's lock: compiled kernels and matrix products, each piece on one core.  Importing mininet therefore limits
the BLAS library of the process to one thread.

How work is cut into pieces depends on its size only, never on the number of threads, and results are combined in the
order of the pieces.  So the same bits come out for any number of threads.
"""

import concurrent.futures
import itertools
import operator
import os
import threading

import threadpoolctl

_pool = None
_lock = threading.Lock()
_inside_worker = threading.local()


def _usable_cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _initial_count():
    text = os.environ.get("MININET_NUM_THREADS", "")
    if not text:
        return _usable_cores()
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"MININET_NUM_THREADS must be an integer of at least 1, got {text!r}")
    return int(text)


_count = _initial_count()
_blas_limit = threadpoolctl.threadpool_limits(limits=1, user_api="blas")


def get_num_threads():
    """How many threads mininet computes on."""
    return _count


def set_num_threads(count):
    """Compute on `count` threads, at least 1.

    At the start it is the number of cores this process may use, or the environment variable ``MININET_NUM_THREADS``.
    Results do not depend on it.
    """
    global _count, _pool
    count = operator.index(count)
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    with _lock:
        old, _pool, _count = _pool, None, count
    if old is not None:
        old.shutdown()


def _forget_pool():
    """A forked child has no threads: it starts a pool of its own when it needs one."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _get_pool():
    global _pool
    with _lock:
        if _pool is None:
            _pool = concurrent.futures.ThreadPoolExecutor(_count - 1, thread_name_prefix="mininet")
        return _pool


def for_each_piece(work, total, piece):
    """Call ``work(first, last)`` for consecutive ranges of at most `piece` that cover ``range(total)``.

    Pieces run at the same time on several threads; the call returns when all have ended, also after an error or Ctrl-C.

    Parameters
    ----------
    work : callable
        Must write to places that no other piece touches.
    total, piece : int
        Number of items, and how many of them make one piece of work: some 100 microseconds' worth, so that handing it
        over (about 20 microseconds) does not matter.
    """
    ranges = [(first, min(first + piece, total)) for first in range(0, total, piece)]
    helpers = min(_count, len(ranges)) - 1
    if helpers <= 0 or getattr(_inside_worker, "yes", False):
        for first, last in ranges:
            work(first, last)
        return
    remaining = iter(ranges)
    next_range = threading.Lock()

    def take_pieces():
        _inside_worker.yes = True
        try:
            while True:
                with next_range:
                    first_and_last = next(remaining, None)
                if first_and_last is None:
                    return
                work(*first_and_last)
        finally:
            _inside_worker.yes = False

    pool = _get_pool()
    futures = [pool.submit(take_pieces) for _ in range(helpers)]
    try:
        take_pieces()
    finally:
        with next_range:
            remaining = itertools.chain()  # after an error here, the others stop at their next piece
        concurrent.futures.wait(futures)
    for future in futures:
        future.result()
