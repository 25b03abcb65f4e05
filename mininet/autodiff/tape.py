"""The tape: what was computed, what must be remembered of it, and the walk back.

An operation on tensors leaves a `Record` if an input needs a gradient, unless recording is off.  It holds what the
operation saved for its vector-Jacobian product, and a `Slot` for each such input, a node of the graph, but never a
tensor.  So what the tape keeps alive is exactly what the products will need, and can be counted.

Records are numbered as they are made, so every record has a larger number than those it depends on.  Walking in falling
order meets each record once, after everything that used its output.  There is no recursion.
"""

import heapq
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import seeding
from ..base import instruments
from ..base.changes import changed
from ..base.interrupts import raise_if_interrupted
from ..base.types import AnyArray, FloatArray
from ..kernels.sums import sum_over


class _Switches(threading.local):
    recording, replaying = True, False


switches = _Switches()
"""Of each thread: whether operations are put on the tape, and whether a function is evaluated again."""


def is_recording() -> bool:
    """Whether operations are put on the tape."""
    return switches.recording


def is_replaying() -> bool:
    """Whether a function is evaluated again to recover what was not stored: side effects must then be left out."""
    return switches.replaying


def no_grad() -> changed:
    """Leave no tape behind inside this context, or in a function so decorated.

    Examples
    --------
    >>> x = Tensor(1.0, requires_grad=True)
    >>> with no_grad():
    ...     (2 * x).requires_grad
    False
    """
    return changed([(switches, "recording", False)])


def enable_grad() -> changed:
    """Record operations inside this context, also within a `no_grad` block.

    Examples
    --------
    >>> x = Tensor(1.0, requires_grad=True)
    >>> with no_grad(), enable_grad():
    ...     (2 * x).requires_grad
    True
    """
    return changed([(switches, "recording", True)])


def replaying(random_position: tuple[int, int]) -> changed:
    """Evaluate functions again inside this context: without side effects, and with the random numbers from then.

    random_position : what `seeding.position()` was before the first evaluation
    """
    return changed([(switches, "replaying", True), *seeding.at_position(seeding.checked(random_position))])


class Slot:
    """The place of one array in the computation: where its gradient, of that shape and dtype, belongs.

    Attributes
    ----------
    record : Record or None
        What computed the array; None for a leaf, something that was given (a parameter, an input).
    gradient : ndarray or None
        For a leaf, the gradient that has been accumulated.
    """

    __slots__ = ("dtype", "gradient", "record", "shape")

    def __init__(self, array: FloatArray, record: "Record | None" = None) -> None:
        self.shape, self.dtype, self.record = array.shape, array.dtype, record
        self.gradient: FloatArray | None = None


_numbers = itertools.count()


def next_number() -> int:
    """A number larger than those of all records made so far, and smaller than those of all to come."""
    return next(_numbers)


class Record:
    """One executed operation.

    Attributes
    ----------
    operation : Operation
    inputs : tuple of Slot or None
        None for an input that needs no gradient.
    saved : object
        What the vector-Jacobian product needs: a tuple of arrays, or None, unless the operation says otherwise.
    number : int
        Order of execution.
    """

    __slots__ = ("inputs", "number", "operation", "output_shape", "released", "saved")

    def __init__(
        self, operation: Any, inputs: tuple[Slot | None, ...], saved: Any, output_shape: tuple[int, ...]
    ) -> None:
        self.operation, self.inputs, self.saved, self.output_shape = operation, inputs, saved, output_shape
        self.number, self.released = next_number(), False
        instruments.hold(self.saved_arrays())

    def __repr__(self) -> str:
        return f"<Record {self.number} {self.operation.name} -> {self.output_shape}, holds {self.saved_bytes} bytes>"

    def saved_arrays(self) -> list[AnyArray]:
        """The arrays in `saved`."""
        return [item for item in self.saved if isinstance(item, np.ndarray)] if isinstance(self.saved, tuple) else []

    @property
    def saved_bytes(self) -> int:
        """Bytes of the saved arrays, views counted in full; what a network keeps is for `track_memory` to count."""
        return sum(array.nbytes for array in self.saved_arrays())

    def pull_back(self, gradient: FloatArray, keep_tape: bool) -> list[FloatArray | None]:
        """The gradients of the inputs, by the operation's vjp; without `keep_tape` what was saved is let go."""
        if self.released:
            raise RuntimeError(
                f"the tape was already used and released at operation {self.operation.name!r}: "
                "call backward(keep_tape=True) the first time to go backward twice"
            )
        raise_if_interrupted()
        saved = self.saved
        if not keep_tape:
            instruments.hold(self.saved_arrays(), -1)
            self.saved, self.released = None, True
        needs = tuple([slot is not None for slot in self.inputs])
        extra = (keep_tape,) if self.operation.consumes_saved else ()
        with instruments.measured(f"{self.operation.name}, backward"):
            gradients = self.operation.vjp(saved, gradient, needs, *extra)
        gradients = [None if array is None else np.asarray(array) for array in gradients]
        for array in gradients:
            if array is not None:
                instruments.note(array, "gradients")  # while `saved` is still held, as it was when they were computed
        return gradients


class GradientSums:
    """Gradients by slot, added up in the order in which they arrive.

    The first array to arrive is kept without a copy and not written to, because others may own it.
    """

    def __init__(self) -> None:
        self._sums: dict[Slot, FloatArray] = {}
        self._ours: set[Slot] = set()

    def add(self, slot: Slot, gradient: FloatArray) -> bool:
        """Add `gradient`; returns whether it is the first for this slot."""
        instruments.note(gradient, "gradients")
        if slot not in self._sums:
            self._sums[slot] = gradient
            return True
        if slot in self._ours:
            self._sums[slot] += gradient
        else:
            self._sums[slot] = total = np.asarray(self._sums[slot] + gradient)
            instruments.note(total, "gradients")
            self._ours.add(slot)
        return False

    def pop(self, slot: Slot) -> Any:
        """Take the sum for `slot` out; None if nothing has arrived."""
        self._ours.discard(slot)
        return self._sums.pop(slot, None)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._sums)

    def accumulate(self, seed: FloatArray) -> None:
        """Add every sum to the gradient that its slot, a leaf, has accumulated; no sums are left.

        A leaf owns its gradient, so an array that is `seed`, a view, or meant for several leaves is copied.
        """
        taken = {id(seed)}
        for slot in list(self):
            total = self.pop(slot)  # so that what is copied goes at once
            if slot.gradient is not None:
                slot.gradient += total
            else:
                slot.gradient = total.copy() if total.base is not None or id(total) in taken else total
                taken.add(id(total))
                instruments.note(slot.gradient, "gradients")


@np.errstate(under="ignore")  # a gradient that vanishes is 0, whatever users ask for
def backpropagate(slot: Slot, gradient: FloatArray, keep_tape: bool = False, since: int = -1) -> GradientSums:
    """Walk the tape back from `slot`, whose gradient is given, and return those of all leaves that it came from.

    Parameters
    ----------
    keep_tape : bool
        Keep what the records saved, for another walk.
    since : int
        Records with smaller numbers belong to an outer tape: to reach one raises `OutsideTape`.
    """
    leaves, computed = GradientSums(), GradientSums()
    queue: list[tuple[int, Slot, Record]] = []

    def deliver(slot: Slot, gradient: FloatArray) -> None:
        if slot.record is None:
            leaves.add(slot, gradient)
        elif slot.record.number < since:
            raise OutsideTape(slot.record.operation.name)
        elif computed.add(slot, gradient):
            heapq.heappush(queue, (-slot.record.number, slot, slot.record))

    def pass_record(slot: Slot, record: Record) -> None:
        # a function of its own, so that it holds on to no gradient while the next one runs
        gradients = record.pull_back(computed.pop(slot), keep_tape)
        for entry, array in zip(record.inputs, gradients, strict=True):
            if entry is not None and array is not None:
                deliver(entry, _fitted(array, entry, record.operation))
        if not keep_tape:
            record.inputs = ()

    deliver(slot, gradient)
    while queue:
        pass_record(*heapq.heappop(queue)[1:])
    return leaves


class OutsideTape(RuntimeError):
    """A walk over a local tape has left it."""


def _fitted(gradient: FloatArray, slot: Slot, operation: Any) -> FloatArray:
    """`gradient` in the shape of `slot`: the one place where broadcasting is undone and vjps are held to their word."""
    if gradient.dtype != slot.dtype:
        raise TypeError(f"the vjp of {operation.name!r} returned {gradient.dtype} for an input of {slot.dtype}")
    if gradient.shape == slot.shape:
        return gradient
    extra = gradient.ndim - len(slot.shape)
    if operation.broadcasts and extra >= 0:
        stretched = (i + extra for i, size in enumerate(slot.shape) if size == 1)
        total = sum_over(gradient, (*range(extra), *stretched), keepdims=True)
        if total.shape[extra:] == slot.shape:
            return total.reshape(slot.shape)
    raise ValueError(f"the vjp of {operation.name!r} returned shape {gradient.shape} for an input of {slot.shape}")


def records_behind(slot: Slot) -> list[Record]:
    """All records that `slot` was computed from, in order of execution: its tape."""
    found: dict[int, Record] = {}
    waiting = [slot]
    while waiting:
        record = waiting.pop().record
        if record is not None and record.number not in found:
            found[record.number] = record
            waiting.extend(entry for entry in record.inputs if entry is not None)
    return [found[number] for number in sorted(found)]
