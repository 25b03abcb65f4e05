"""One pool of threads for everything.

Numba's thread pools and the BLAS library's fight when they take turns: the workers of one spin on the cores that the
other needs.  So mininet has a single pool of plain Python threads.  Each gets a share of the work that runs without
Python's lock: compiled kernels and matrix products.  Importing mininet therefore limits the process's BLAS library to
one thread.  That of NumPy on macOS, Accelerate, cannot be limited once it is loaded: there `mininet/__init__.py` sets a
variable, which helps if mininet is imported before NumPy.

A share is a single call, because a thread that returns to Python may have to wait for the lock, for as long as many
kernels run.  Results do not depend on how work is shared out: every item is computed the same way in any share, and
sums are taken within groups that depend on sizes only, then added up in order.  So any number of threads gives the same
bits.
"""

import functools
import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import threadpoolctl

from ..base.checks import integer
from .flags import Flag

_pool: "list[_Worker] | None" = None
_pool_lock = threading.Lock()
_inside_share = threading.local()


def usable_cores() -> int:
    """Count the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _initial_count() -> int:
    text = os.environ.get("MININET_NUM_THREADS") or str(usable_cores())
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"MININET_NUM_THREADS must be an integer of at least 1, got {text!r}")
    return int(text)


_count = _initial_count()
_blas_limit = threadpoolctl.threadpool_limits(limits=1, user_api="blas")


def get_num_threads() -> int:
    """Return how many threads mininet computes on.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    return _count


def set_num_threads(count: int) -> None:
    """Choose how many threads compute; results do not depend on it.

    The initial number is the environment variable ``MININET_NUM_THREADS``, or else the number of cores this process may
    use.

    Parameters
    ----------
    count
        At least 1; more than there are cores brings nothing.

    Examples
    --------
    >>> set_num_threads(2)
    >>> get_num_threads()
    2
    """
    global _count, _pool
    count = integer("count", count, 1)
    with _pool_lock:
        for worker in _pool or ():
            worker.hand_over(None)
        _pool, _count = None, count


def _forget_pool() -> None:
    """Let a forked child, which has no threads, start a pool of its own when it needs one."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class _Share:
    """A share of the work, done by the caller or by the worker that it was handed to, whichever takes it first."""

    def __init__(self, work: Callable[..., object], first: int, last: int) -> None:
        self._work, self._range = work, (first, last)
        self._taken: dict[str, str] = {}
        self.error: BaseException | None = None
        self.ended, self.lock = Flag(), threading.Lock()
        self.lock.acquire()

    def taken_by(self, who: str) -> str:
        """Take it for `who`, "caller" or "worker", unless it is taken; return who has it."""
        return self._taken.setdefault("by", who)  # a single operation, which no other thread can split

    def do(self) -> None:
        """Do it and keep no arrays alive: a share done by the caller still waits until its worker looks at it."""
        work = self._work
        del self._work
        _inside_share.yes = True
        try:
            work(*self._range)
        finally:
            _inside_share.yes = False

    def wait(self) -> None:
        """Wait for the worker."""
        self.ended.watch(raised_from_python=False)
        self.lock.acquire()


class _Worker:
    """A thread that waits for work; an executor of the standard library takes ten times as long to hand it over."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[_Share | None] = queue.SimpleQueue()
        self._called = Flag()
        threading.Thread(target=self._serve, name="mininet", daemon=True).start()

    def _serve(self) -> None:
        ended = Flag()
        while True:
            self._called.watch(raised_from_python=True, raising=ended)  # raised once Python's lock is free
            share = self._waiting.get()
            self._called.lower()
            if not self._waiting.empty():  # or a share that came while this thread slept would wait for the next call
                self._called.raise_()
            if share is None:
                return
            if share.taken_by("worker") == "worker":
                try:
                    share.do()
                except BaseException as error:  # for the caller of `for_each_share`
                    share.error = error
                share.lock.release()
                ended = share.ended
            del share  # keep no arrays alive while waiting

    def hand_over(self, share: _Share | None) -> None:
        """Offer `share` to this thread; None ends the thread after that."""
        self._waiting.put(share)
        self._called.raise_()


def _hand_over(shares: Sequence[_Share]) -> None:
    """Offer each of `shares` to a thread of the pool."""
    global _pool
    with _pool_lock:  # so that nobody ends the pool in between
        if _pool is None:
            _pool = [_Worker() for _ in range(_count - 1)]
        for worker, share in zip(_pool, shares, strict=False):
            worker.hand_over(share)


def for_each_share(work: Callable[..., object], total: int, least: int = 1, *arguments: Any) -> None:
    """Call ``work(*arguments, first, last)`` for consecutive ranges that cover ``range(total)``, one per thread.

    They run at the same time.  The call returns when all have ended, even after an error or Ctrl-C.

    work : writes where no other share does, and computes each item alike wherever a share begins or ends
    least : the fewest items in a share.  Handing one over takes about 15 microseconds, or 100 if the thread must be
        woken up, so a share should be as much work.
    """
    count = min(_count, total // max(1, least))
    if count < 2 or getattr(_inside_share, "yes", False):
        if total:
            work(*arguments, 0, total)
        return
    work = functools.partial(work, *arguments)
    bounds = [total * i // count for i in range(count + 1)]
    shares = [_Share(work, *bounds[i : i + 2]) for i in range(count)]
    try:
        _hand_over(shares[1:])
        for share in shares:
            if share.taken_by("caller") == "caller":  # the first share, and those whose thread is not awake yet
                share.do()
    finally:
        for share in [share for share in shares if share.taken_by("caller") == "worker"]:
            share.wait()
    for share in shares:
        if share.error is not None:
            raise share.error


ELEMENTS_WORTH_SHARING = 2**17
"""About as long as handing over a share takes, where one element takes 0.1 nanoseconds."""


def share_elements(kernel: Callable[..., object], *arguments: Any, cost: int = 1) -> None:
    """Call `kernel` for ranges of elements of the arrays among `arguments`, which it gets flat.

    cost : how many times as long one element takes
    """
    for_each_share(kernel, arguments[0].size, ELEMENTS_WORTH_SHARING // cost, *map(_flat, arguments))


def _flat(argument: Any) -> Any:
    return argument.ravel() if isinstance(argument, np.ndarray) else argument


def items_worth_sharing(operations: int) -> int:
    """Say how many items, of so many multiplications and additions each, are worth handing to another thread."""
    return max(1, OPERATIONS_PER_SHARE // max(1, operations))


OPERATIONS_PER_SHARE = 2**24
"""About 80 microseconds of matrix products."""
