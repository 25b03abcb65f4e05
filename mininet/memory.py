"""Memory you can see: how many bytes are held, and for what.

Activation memory is what this project is about, so it is counted where it arises: the tape reports the arrays it
saves, the states of reversible networks report themselves, and so on.  An allocation counts from the moment it is first
reported, made or used by an operation, until NumPy frees it; once, however many arrays look at it.
"""

import functools
import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from .base import instruments

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
side information  the bits that multiplying by gamma would destroy: the packed remainders and the stack of spilled bits
checkpoints       copies of the state, kept at some layers to start again from
gradients         gradients on their way back, and those that have arrived in `.grad`
activations       arrays that a tape holds for the backward pass
workspace         scratch arrays of a kernel
transient         every other array of a tensor: inputs, outputs on their way to the next operation
idle buffers      memory that lies ready for the next array
"""

KEPT_FOR_BACKWARD = ("state", "side information", "checkpoints", "activations")
"""The kinds that are there because a backward pass is to come."""


class _Allocation:
    """One allocation: its size, what it was reported as and is counted as, and on how many tape records it stands."""

    __slots__ = ("counted", "kind", "nbytes", "on_tape", "watch")

    def __init__(self, nbytes: int, kind: str, watch: weakref.ref[NDArray[Any]]) -> None:
        self.nbytes, self.kind, self.watch = nbytes, kind, watch
        self.counted, self.on_tape = kind, 0

    def counts_as(self) -> str:
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

    Examples
    --------
    >>> with track_memory() as memory:
    ...     x = Tensor(np.zeros(1000))
    >>> memory.peak_bytes, memory.at_peak["transient"]
    (8000, 8000)
    """

    def __init__(self) -> None:
        self._allocations: dict[int, _Allocation] = {}
        self.current_bytes = self.peak_bytes = 0
        self.current_by_kind = dict.fromkeys(KINDS, 0)
        self.by_kind = dict.fromkeys(KINDS, 0)
        self.at_peak = dict.fromkeys(KINDS, 0)
        self.kept_for_backward = 0

    # Ctrl-C comes where a function begins or has returned: not between lines that belong together and call nothing

    def _raise_peaks(self, kind: str) -> None:
        """After `kind` has grown."""
        self.by_kind[kind] = max(self.by_kind[kind], self.current_by_kind[kind])
        kept = sum(self.current_by_kind[name] for name in KEPT_FOR_BACKWARD)
        self.kept_for_backward = max(self.kept_for_backward, kept)
        if self.current_bytes > self.peak_bytes:
            self.peak_bytes = self.current_bytes
            self.at_peak = dict(self.current_by_kind)

    def _move(self, allocation: _Allocation) -> None:
        old, new = allocation.counted, allocation.counts_as()
        if new != old:
            allocation.counted = new
            self.current_by_kind[old] -= allocation.nbytes
            self.current_by_kind[new] += allocation.nbytes
            self._raise_peaks(new)

    def _find(self, owner: NDArray[Any], kind: str) -> _Allocation:
        """The allocation of the array `owner`, counted from now on if it is new."""
        key = id(owner)
        allocation = self._allocations.get(key)
        if allocation is not None and allocation.watch() is not owner:  # Ctrl-C came when that array died
            self.forget(key)
            allocation = None
        if allocation is None:
            allocation = _Allocation(owner.nbytes, kind, weakref.ref(owner, functools.partial(self._forget_dead, key)))
            self._allocations[key] = allocation
            self.current_by_kind[kind] += allocation.nbytes
            self.current_bytes += allocation.nbytes
            self._raise_peaks(kind)
        return allocation

    def _forget_dead(self, key: int, _: object, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not is_finalizing():  # then modules have lost their contents
            self.forget(key)

    def forget(self, key: int) -> None:
        """Count an array no longer.

        Parameters
        ----------
        key
            The `id` of the array.
        """
        with instruments.lock:
            if key in self._allocations:
                allocation = self._allocations[key]
                del self._allocations[key]
                self.current_by_kind[allocation.counted] -= allocation.nbytes
                self.current_bytes -= allocation.nbytes

    def note(self, owner: NDArray[Any], kind: str) -> None:
        """Count an array as held for something.

        Parameters
        ----------
        owner
            The array that owns the memory.
        kind
            One of `KINDS`; what comes first there takes precedence over what was noted before.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        allocation = self._find(owner, kind)
        if KINDS.index(kind) < KINDS.index(allocation.kind):
            allocation.kind = kind
        self._move(allocation)

    def hold_on_tape(self, owner: NDArray[Any], change: int) -> None:
        """Count an array as standing on more records of the tape, or on fewer.

        Parameters
        ----------
        owner
            The array that owns the memory.
        change
            How many more records hold it; negative if fewer do.
        """
        allocation = self._find(owner, "transient")
        allocation.on_tape = max(0, allocation.on_tape + change)
        self._move(allocation)


class track_memory:
    """Count what is allocated inside a `with` block; see `MemoryTracker` for what can be asked of it.

    Every array that outlives an operation is counted, and so is the workspace of convolutions.  Temporaries of user
    code, and of some elementwise operations while they run, are not.  Tests pin the total to `tracemalloc` within 4 %.
    Trackers may be nested; each counts what is reported while it is open.  Cyclic garbage is collected first, so that
    counts are the same from run to run.

    Examples
    --------
    >>> net, x = nn.Linear(2, 2), np.ones((3, 2), np.float32)
    >>> with track_memory() as memory:
    ...     net(x).sum().backward()
    >>> memory.by_kind["gradients"] > 0
    True
    """

    def __init__(self) -> None:
        self._entered: list[MemoryTracker] = []

    def __enter__(self) -> MemoryTracker:
        gc.collect()
        tracker = MemoryTracker()
        self._entered.append(tracker)
        with instruments.lock:
            instruments.trackers.append(tracker)
        return tracker

    def __exit__(self, *exception: object) -> None:
        with instruments.lock:
            instruments.trackers.remove(self._entered.pop())
