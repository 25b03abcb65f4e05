"""Memory you can see: how many bytes are held, and for what.

Activation memory is what this project is about, so it is counted where it arises: the tape reports the arrays it
saves, the states of reversible networks report themselves, and so on.  A buffer counts from the moment it is first
reported, made or used by an operation, until NumPy frees it; once, however many arrays look at it.

>>> with track_memory() as memory:
...     loss = net(x).sum()
...     loss.backward()
>>> memory.peak_bytes, memory.by_kind["activations"]
"""

import gc
import os
import threading
import weakref

import numpy as np

from .interrupts import interrupt_soon

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
    """One allocation: its size, what it was reported as and is counted as, and on how many tape records it stands."""

    __slots__ = ("counted", "kind", "nbytes", "on_tape", "watch")

    def __init__(self, nbytes, kind, watch):
        self.nbytes, self.kind, self.watch = nbytes, kind, watch
        self.counted, self.on_tape = kind, 0

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

    # Ctrl-C comes where a function begins or has returned: not between lines that belong together and call nothing

    def _raise_peaks(self, kind):
        """After `kind` has grown."""
        self.by_kind[kind] = max(self.by_kind[kind], self.current_by_kind[kind])
        kept = sum(self.current_by_kind[name] for name in KEPT_FOR_BACKWARD)
        self.kept_for_backward = max(self.kept_for_backward, kept)
        if self.current_bytes > self.peak_bytes:
            self.peak_bytes = self.current_bytes
            self.at_peak = dict(self.current_by_kind)

    def _move(self, buffer):
        old, new = buffer.counted, buffer.counts_as()
        if new != old:
            buffer.counted = new
            self.current_by_kind[old] -= buffer.nbytes
            self.current_by_kind[new] += buffer.nbytes
            self._raise_peaks(new)

    def _find(self, owner, kind):
        """The buffer of the array `owner`, counted from now on if it is new."""
        key = id(owner)
        buffer = self._buffers.get(key)
        if buffer is not None and buffer.watch() is not owner:  # Ctrl-C came when that array died
            self._forget(key)
            buffer = None
        if buffer is None:
            buffer = _Buffer(owner.nbytes, kind, weakref.ref(owner, lambda _: self._forget_dead(key)))
            self._buffers[key] = buffer
            self.current_by_kind[kind] += buffer.nbytes
            self.current_bytes += buffer.nbytes
            self._raise_peaks(kind)
        return buffer

    def _forget(self, key):
        with lock:
            if key in self._buffers:
                buffer = self._buffers[key]
                del self._buffers[key]
                self.current_by_kind[buffer.counted] -= buffer.nbytes
                self.current_bytes -= buffer.nbytes

    def _forget_dead(self, key):
        try:
            self._forget(key)
        except KeyboardInterrupt:
            interrupt_soon()
            self._forget(key)

    def _note(self, owner, kind):
        buffer = self._find(owner, kind)
        if KINDS.index(kind) < KINDS.index(buffer.kind):
            buffer.kind = kind
        self._move(buffer)

    def _hold_on_tape(self, owner, change):
        buffer = self._find(owner, "transient")
        buffer.on_tape = max(0, buffer.on_tape + change)
        self._move(buffer)


class track_memory:
    """Count what is allocated inside a `with` block; see `MemoryTracker` for what can be asked of it.

    Every array that outlives an operation is counted, and so is the workspace of convolutions; what is not are the
    temporaries of user code, and of some elementwise operations while they run (a mask, an intermediate product).
    Tests pin the total to `tracemalloc` within 4 %.  Trackers may be nested; each counts what is reported while it is
    open.  Cyclic garbage is collected first, so that arrays left in it (by an error's traceback, say) do not come back
    as idle buffers at some moment in the block: what is counted is the same from run to run.
    """

    def __init__(self):
        self._entered = []

    def __enter__(self):
        gc.collect()
        tracker = MemoryTracker()
        self._entered.append(tracker)
        with lock:
            _trackers.append(tracker)
        return tracker

    def __exit__(self, *exception):
        with lock:
            _trackers.remove(self._entered.pop())


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
        forget_owner(id(_owner(array)))


def forget_owner(key):
    """The same of an array that is about to go, by the `id` of the one that owns its memory."""
    for tracker in list(_trackers):
        tracker._forget(key)


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
