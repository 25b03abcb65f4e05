"""One pool of threads for everything.

Numba's own pools and the one inside the BLAS library fight when they take turns: the workers of one spin on the cores
that the other needs.  So mininet has a single pool, of plain Python threads, and gives it pieces of work that run
without Python's lock: compiled kernels and matrix products, each piece on one core.  Importing mininet therefore limits
the BLAS library of the process to one thread.

How work is cut into pieces depends on its size only, never on the number of threads, and results are combined in the
order of the pieces.  So the same bits come out for any number of threads.
"""

import operator
import os
import queue
import threading

import threadpoolctl

_pool = None
_pool_lock = threading.Lock()
_inside_piece = threading.local()


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
    with _pool_lock:
        if _pool is not None:
            _pool.dismiss()
        _pool, _count = None, count


def _forget_pool():
    """A forked child has no threads: it starts a pool of its own when it needs one."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class _Pool:
    """Threads that wait for jobs.  (An executor of the standard library takes three times as long to hand one over.)"""

    def __init__(self, size):
        self._size = size
        self._waiting = queue.SimpleQueue()
        for _ in range(size):
            threading.Thread(target=self._serve, name="mininet", daemon=True).start()

    def _serve(self):
        while (entry := self._waiting.get()) is not None:
            job, help_ = entry
            job.help()
            del entry, job  # hold on to nobody's arrays while waiting
            help_.end()
            del help_

    def hand_over(self, job):
        """Let a thread of the pool help with `job`; returns its `_Help`."""
        help_ = _Help()
        self._waiting.put((job, help_))
        return help_

    def dismiss(self):
        """End the threads when they have done what is waiting."""
        for _ in range(self._size):
            self._waiting.put(None)


class _Help:
    """A thread's help with a job, which ends at some time."""

    def __init__(self):
        self._has_ended = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def end(self):
        """Say that it has ended."""
        self._has_ended = True
        self._lock.release()

    def wait(self):
        """Wait for the end; returns the last KeyboardInterrupt that came meanwhile, or None."""
        interruption = None
        while not self._has_ended:  # an interruption may come when the lock is ours already
            try:
                self._lock.acquire()
            except KeyboardInterrupt as error:
                interruption = error
        return interruption


class _Job:
    """Pieces of work, taken by several threads until none is left or one has failed."""

    def __init__(self, work, ranges):
        self._work = work
        self._ranges = iter(ranges)
        self._lock = threading.Lock()
        self.error = None

    def take_pieces(self):
        """Work on pieces until there are no more."""
        _inside_piece.yes = True
        try:
            while True:
                with self._lock:
                    first_and_last = next(self._ranges, None)
                if first_and_last is None:
                    return
                self._work(*first_and_last)
        finally:
            _inside_piece.yes = False

    def stop(self):
        """Let nobody take another piece."""
        with self._lock:
            self._ranges = iter(())

    def help(self):
        """`take_pieces`, keeping an error for the caller of `for_each_piece`."""
        try:
            self.take_pieces()
        except BaseException as error:
            self.stop()
            self.error = error


def _hand_over(job, helpers):
    """Let at most `helpers` threads of the pool help with `job`; returns their `_Help`s."""
    global _pool
    with _pool_lock:  # so that nobody dismisses the pool in between
        if _pool is None and _count > 1:
            _pool = _Pool(_count - 1)
        return [_pool.hand_over(job) for _ in range(helpers)] if _pool else []


OPERATIONS_PER_PIECE = 2**25
"""Multiplications and additions of a piece of work that is worth handing over: some 150 microseconds."""


def even_pieces(total, operations):
    """The piece size that cuts `total` items, together `operations` multiplications and additions, into even pieces.

    One piece if the work is small, else 2 or a multiple of 4, so that 2 or 4 threads end together.
    """
    count = operations // OPERATIONS_PER_PIECE
    count = 1 + (count >= 1) if count < 3 else -(-count // 4) * 4
    return max(1, -(-total // count))


def for_each_piece(work, total, piece):
    """Call ``work(first, last)`` for consecutive ranges of at most `piece` that cover ``range(total)``.

    Pieces run at the same time on several threads; the call returns when all have ended, also after an error or Ctrl-C.

    Parameters
    ----------
    work : callable
        Must write to places that no other piece touches.
    total, piece : int
        Number of items, and how many of them make one piece of work: some 200 microseconds' worth, so that waking a
        thread (up to 100 microseconds) pays.
    """
    ranges = [(first, min(first + piece, total)) for first in range(0, total, piece)]
    helpers = min(_count, len(ranges)) - 1
    if helpers <= 0 or getattr(_inside_piece, "yes", False):
        for first, last in ranges:
            work(first, last)
        return
    job = _Job(work, ranges)
    helps = _hand_over(job, helpers)
    try:
        job.take_pieces()
    finally:
        job.stop()
        _wait_for(helps)
    if job.error is not None:
        raise job.error


def _wait_for(helps):
    """Wait for all; a Ctrl-C in the meantime is raised afterwards, when no thread writes any more."""
    interruptions = [help_.wait() for help_ in helps]
    for interruption in interruptions:
        if interruption is not None:
            raise interruption
