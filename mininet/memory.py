"""Memory you can see: how many bytes are held, and for what.

Activation memory is what this project is about, so it is counted where it arises: the tape reports the arrays it
saves, the states of reversible networks report themselves, and so on.  A buffer counts from the moment it is first
reported, made or used by an operation, until NumPy frees it; once, however many arrays look at it.

>>> with track_memory() as memory:
...     loss = net(x).sum()
...     loss.backward()
>>> memory.peak_bytes, memory.by_kind["activations"]
"""

import os
import threading
import weakref

import numpy as np

KINDS = (
    "parameters",
    "optimizer",
    "state",
    "side information",
    "checkpoints",
    "gradients",
    "activations",
    "workspace",
    "transient",
    "idle buffers",
)
"""What a byte can be held for.

parameters        arrays that are trained, and batch-norm's running statistics
optimizer         what an optimiser remembers between steps
state             position x and velocity v of a momentum network
side information  the bits that multiplying by gamma would destroy: buffer words and the stack of spilled bits
checkpoints       copies of the state, kept at some layers to start again from
gradients         gradients on their way back, and those that have arrived in `.grad`
activations       arrays that a tape holds for the backward pass
workspace         scratch arrays of a kernel
transient         every other array of a tensor: inputs, outputs on their way to the next operation
idle buffers      memory that lies ready for the next array
"""

KEPT_FOR_BACKWARD = ("state", "side information", "checkpoints", "activations")
"""The kinds that are there because a backward pass is to come."""

_trackers = []
lock = threading.RLock()
"""Held by who counts memory or lends it (`mininet.kernels.buffers`).  One for both, because the garbage collector may
run at any moment, and an array that dies then is both counted and brought back."""


def _renew_lock():
    """A forked child may find the lock held by a thread that it does not have."""
    global lock
    lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class _Buffer:
    """One allocation: its size, what it was reported as, and on how many tape records it stands."""

    __slots__ = ("kind", "nbytes", "on_tape", "watch")

    def __init__(self, nbytes, kind, watch):
        self.nbytes, self.kind, self.watch = nbytes, kind, watch
        self.on_tape = 0

    def counts_as(self):
        if self.on_tape and self.kind in ("transient", "workspace"):
            return "activations"
        return self.kind


class MemoryTracker:
    """Bytes held now and at most, in total and by kind.

    Attributes
    ----------
    current_bytes, peak_bytes : int
        Bytes of all reported arrays, now and at the highest point.
    by_kind : dict of str to int
        For each of `KINDS` its own highest point in bytes.  Different kinds peak at different times, so these add up
        to `peak_bytes` or more.
    kept_for_backward : int
        The highest point of the kinds `KEPT_FOR_BACKWARD` together.
    at_peak : dict of str to int
        What `peak_bytes` was made of at the moment it was reached.
    current_by_kind : dict of str to int
        What is held now.
    """

    def __init__(self):
        self._buffers = {}
        self.current_bytes = self.peak_bytes = 0
        self.current_by_kind = dict.fromkeys(KINDS, 0)
        self.by_kind = dict.fromkeys(KINDS, 0)
        self.at_peak = dict.fromkeys(KINDS, 0)
        self.kept_for_backward = 0

    def _count(self, kind, nbytes):
        self.current_by_kind[kind] += nbytes
        self.current_bytes += nbytes
        self._raise_peaks(kind)

    def _raise_peaks(self, kind):
        """After `kind` has grown."""
        self.by_kind[kind] = max(self.by_kind[kind], self.current_by_kind[kind])
        kept = sum(self.current_by_kind[name] for name in KEPT_FOR_BACKWARD)
        self.kept_for_backward = max(self.kept_for_backward, kept)
        if self.current_bytes > self.peak_bytes:
            self.peak_bytes = self.current_bytes
            self.at_peak = dict(self.current_by_kind)

    def _move(self, buffer, old):
        new = buffer.counts_as()
        if new != old:
            self.current_by_kind[old] -= buffer.nbytes
            self.current_by_kind[new] += buffer.nbytes
            self._raise_peaks(new)

    def _find(self, owner, kind):
        """The buffer of the array `owner`, counted from now on if it is new."""
        key = id(owner)
        buffer = self._buffers.get(key)
        if buffer is None:
            buffer = _Buffer(owner.nbytes, kind, weakref.ref(owner, lambda _: self._forget(key)))
            self._buffers[key] = buffer
            self._count(kind, buffer.nbytes)
        return buffer

    def _forget(self, key):
        with lock:
            buffer = self._buffers.pop(key, None)
            if buffer is not None:
                self.current_by_kind[buffer.counts_as()] -= buffer.nbytes
                self.current_bytes -= buffer.nbytes

    def _note(self, owner, kind):
        buffer = self._find(owner, kind)
        old = buffer.counts_as()
        if KINDS.index(kind) < KINDS.index(buffer.kind):
            buffer.kind = kind
        self._move(buffer, old)

    def _hold_on_tape(self, owner, change):
        buffer = self._find(owner, "transient")
        old = buffer.counts_as()
        buffer.on_tape = max(0, buffer.on_tape + change)
        self._move(buffer, old)


class track_memory:
    """Count what is allocated inside a `with` block; see `MemoryTracker` for what can be asked of it.

    Every array that outlives an operation is counted, and so is the workspace of convolutions; what is not are the
    temporaries of user code, and of some elementwise operations while they run (a mask, an intermediate product).
    Tests pin the total to `tracemalloc` within 4 %.  Trackers may be nested; each counts what is reported while it is
    open.
    """

    def __enter__(self):
        self._tracker = MemoryTracker()
        with lock:
            _trackers.append(self._tracker)
        return self._tracker

    def __exit__(self, *exception):
        with lock:
            _trackers.remove(self._tracker)


def _owner(array):
    """The array that owns the memory which `array` looks at."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def note(array, kind):
    """Report that `array` is held for `kind` (one of `KINDS`); costs nothing while nobody is counting."""
    if _trackers and array.nbytes:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        with lock:
            for tracker in _trackers:
                tracker._note(_owner(array), kind)


def forget(array):
    """Report that `array` is not held any more, though it still exists."""
    if _trackers:
        for tracker in list(_trackers):
            tracker._forget(id(_owner(array)))


def hold(arrays):
    """Report that a tape record has saved `arrays`."""
    if _trackers:
        with lock:
            for array in arrays:
                for tracker in _trackers:
                    tracker._hold_on_tape(_owner(array), +1)


def let_go(arrays):
    """Report that a tape record has released `arrays`."""
    if _trackers:
        with lock:
            for array in arrays:
                for tracker in _trackers:
                    tracker._hold_on_tape(_owner(array), -1)
