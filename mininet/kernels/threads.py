"""One pool of threads for everything.

Numba's own pools and the one inside the BLAS library fight when they take turns: the workers of one spin on the cores
that the other needs.  So mininet has a single pool, of plain Python threads, and gives each thread a share of the work
that runs without Python's lock: compiled kernels and matrix products.  Importing mininet therefore limits the BLAS
library of the process to one thread.

A share is one call, because whenever a thread comes back to Python it may have to wait for the lock, which takes as
long as many a kernel.  Results must not depend on how work is shared out: every item is computed in the same way in
whichever share it is, and sums are taken over groups that depend on sizes only and then added up in order.  So the same
bits come out for any number of threads.
"""

import os
import queue
import threading

import threadpoolctl

from ..checks import integer
from .flags import Flag

_pool = None
_pool_lock = threading.Lock()
_inside_share = threading.local()


def usable_cores():
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _initial_count():
    text = os.environ.get("MININET_NUM_THREADS", "")
    if not text:
        return usable_cores()
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
    count = integer("count", count, 1)
    with _pool_lock:
        for worker in _pool or ():
            worker.dismiss()
        _pool, _count = None, count


def _forget_pool():
    """A forked child has no threads: it starts a pool of its own when it needs one."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class _Worker:
    """A thread that waits for work.  (An executor of the standard library takes ten times as long to hand it over.)"""

    def __init__(self):
        self._waiting = queue.SimpleQueue()
        self._called = Flag()
        threading.Thread(target=self._serve, name="mininet", daemon=True).start()

    def _serve(self):
        ended = Flag()
        while True:
            self._called.watch(raised_from_python=True, raising=ended)
            share = self._waiting.get()
            self._called.lower()
            if share is None:
                return
            if share.taken_by("worker") == "worker":
                share.try_to_do()
                ended = share.end()
            del share  # hold on to nobody's arrays while waiting

    def hand_over(self, share):
        """Let this thread do `share`, unless somebody else takes it first."""
        self._waiting.put(share)
        self._called.raise_()

    def dismiss(self):
        """End the thread when it has done what is waiting."""
        self.hand_over(None)


class _Share:
    """A share of the work; the caller or a worker takes it."""

    def __init__(self, work, first, last):
        self._work, self._range = work, (first, last)
        self._taken = {}
        self._ended, self._has_ended = Flag(), False
        self._lock = threading.Lock()
        self._lock.acquire()
        self.error = None

    def taken_by(self, who):
        """Take it for `who`, "caller" or "worker", unless it is taken; returns who has it."""
        return self._taken.setdefault("by", who)  # one operation, which nothing can come between

    def do(self):
        """Do it, and hold on to nobody's arrays: done by the caller, it still waits for its worker to look at it."""
        work, self._work = self._work, None
        _inside_share.yes = True
        try:
            work(*self._range)
        finally:
            _inside_share.yes = False

    def try_to_do(self):
        """Do it, keeping an error for the caller of `for_each_share`."""
        try:
            self.do()
        except BaseException as error:
            self.error = error

    def end(self):
        """Say that the worker has done it; returns a flag to be raised as soon as Python's lock is free."""
        self._has_ended = True
        self._lock.release()
        return self._ended

    def wait(self):
        """Wait for the worker; returns the last KeyboardInterrupt that came meanwhile, or None."""
        interruption = None
        try:
            self._ended.watch(raised_from_python=False)
        except KeyboardInterrupt as error:
            interruption = error
        while not self._has_ended:  # an interruption may come when the lock is ours already
            try:
                self._lock.acquire()
            except KeyboardInterrupt as error:
                interruption = error
        return interruption


def _hand_over(shares):
    """Offer each of `shares` to a thread of the pool."""
    global _pool
    with _pool_lock:  # so that nobody dismisses the pool in between
        if _pool is None:
            _pool = [_Worker() for _ in range(_count - 1)]
        for worker, share in zip(_pool, shares, strict=False):
            worker.hand_over(share)


def for_each_share(work, total, least=1):
    """Call ``work(first, last)`` for consecutive ranges that cover ``range(total)``: an even share for each thread.

    They run at the same time; the call returns when all have ended, also after an error or Ctrl-C.

    Parameters
    ----------
    work : callable
        Must write to places that no other share touches, and compute each item in a way that does not depend on where
        a share begins or ends.
    total : int
        Number of items.
    least : int
        How many items a share has at least, unless there are fewer: handing it over takes some 15 microseconds (100, if
        the thread has to be woken up), so this should be as much work.
    """
    count = max(1, min(_count, total // max(1, least)))
    if count == 1 or getattr(_inside_share, "yes", False):
        if total:
            work(0, total)
        return
    bounds = [total * i // count for i in range(count + 1)]
    shares = [_Share(work, *bounds[i : i + 2]) for i in range(count)]
    try:
        _hand_over(shares[1:])
        for share in shares:
            if share.taken_by("caller") == "caller":  # the first one, and those whose thread is not awake yet
                share.do()
    finally:
        _wait_for([share for share in shares if share.taken_by("caller") == "worker"])
    for share in shares:
        if share.error is not None:
            raise share.error


def items_worth_sharing(operations):
    """How many items, each of so many multiplications and additions, make a share worth handing to another thread."""
    return max(1, OPERATIONS_PER_SHARE // max(1, operations))


OPERATIONS_PER_SHARE = 2**24
"""Some 80 microseconds' worth of matrix products."""


def _wait_for(shares):
    """Wait for all; a Ctrl-C in the meantime is raised afterwards, when no thread writes any more."""
    interruptions = [share.wait() for share in shares]
    for interruption in interruptions:
        if interruption is not None:
            raise interruption
