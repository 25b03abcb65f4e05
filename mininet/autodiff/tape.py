"""The tape: what was computed, what must be remembered of it, and the walk back.

An operation is two functions on arrays: ``forward(*arrays, **settings) -> (output, saved)`` and
``vjp(saved, gradient, needs) -> gradients``, the vector-Jacobian product.  Calling it on tensors leaves a `Record`,
which holds the arrays in `saved`, the vjp, and a `Slot` for each input that needs a gradient; it never holds a tensor.
So what the tape keeps alive is exactly what vjps asked for, and can be counted.

Records are numbered as they are made, so every record has a larger number than those it depends on, and walking in
falling order meets each once, after everything that used its output.  There is no recursion.
"""

import heapq
import itertools

import numpy as np

from .. import memory
from ..profiling import measured
from .modes import is_recording

_numbers = itertools.count()


def next_number():
    """A number larger than those of all records made so far, and smaller than those of all to come."""
    return next(_numbers)


class Slot:
    """The place of one array in the computation: where its gradient belongs.

    Attributes
    ----------
    shape, dtype
        Those of the array, and so of its gradient.
    record : Record or None
        What computed the array; None for a leaf, something that was given (a parameter, an input).
    gradient : ndarray or None
        For a leaf, the gradient that has been accumulated.
    """

    __slots__ = ("dtype", "gradient", "record", "shape")

    def __init__(self, array, record=None):
        self.shape, self.dtype = array.shape, array.dtype
        self.record = record
        self.gradient = None


class Record:
    """One executed operation.

    Attributes
    ----------
    operation : Operation
    inputs : tuple of Slot or None
        None for an input that needs no gradient.
    saved : object
        What the vjp needs; a tuple of arrays, or None, but for operations that say otherwise.
    number : int
        Order of execution.
    """

    __slots__ = ("inputs", "number", "operation", "output_shape", "released", "saved")

    def __init__(self, operation, inputs, saved, output_shape):
        self.operation, self.inputs, self.saved = operation, inputs, saved
        self.output_shape = output_shape
        self.number = next_number()
        self.released = False
        memory.hold(self.saved_arrays())

    def __repr__(self):
        return f"<Record {self.number} {self.operation.name} -> {self.output_shape}, holds {self.saved_bytes} bytes>"

    def saved_arrays(self):
        """The arrays in `saved`."""
        items = self.saved if isinstance(self.saved, tuple) else ()
        return [item for item in items if isinstance(item, np.ndarray)]

    @property
    def saved_bytes(self):
        """Bytes of the saved arrays, views counted in full."""
        return sum(array.nbytes for array in self.saved_arrays())

    def take_saved(self, keep):
        """What was saved, for the vjp; without `keep` the record lets go of it."""
        if self.released:
            raise RuntimeError(
                f"the tape was already used and released at operation {self.operation.name!r}: "
                "call backward(keep_tape=True) the first time to go backward twice"
            )
        if keep:
            return self.saved
        memory.let_go(self.saved_arrays())
        saved, self.saved, self.released = self.saved, None, True
        return saved


class Operation:
    """An operation on tensors, made of two functions on arrays.

    Parameters
    ----------
    name : str
    forward : callable(*arrays, **settings) -> (output, saved)
        `saved` is a tuple of arrays and constants, or None.
    vjp : callable(saved, gradient, needs) -> sequence of ndarray or None
        One gradient for each input; may be None where ``needs`` is False or the gradient is zero.
    broadcasts : bool
        Whether inputs are broadcast against each other: only then may a gradient have a larger shape than its input,
        and is summed to fit.
    consumes_saved : bool
        Whether the vjp uses up what was saved, part by part; it is then called with `keep_tape` as a fourth argument,
        which forbids that.
    """

    def __init__(self, name, forward, vjp, broadcasts=False, consumes_saved=False):
        self.name, self.forward, self.vjp = name, forward, vjp
        self.broadcasts, self.consumes_saved = broadcasts, consumes_saved

    def __repr__(self):
        return f"<Operation {self.name}>"

    def run(self, arrays, slots, settings):
        """Compute, and record if some slot is given; returns the output array and its slot, or None."""
        with measured(self.name):
            output, saved = self.forward(*arrays, **settings)
        return output, self.record(output, slots, saved)

    def record(self, output, slots, saved):
        """The slot of `output`, with the record of how it was computed; None if nothing is to be recorded."""
        if not is_recording() or not any(slots):
            return None
        return Slot(output, Record(self, tuple(slots), saved, output.shape))


class GradientSums:
    """Gradients by slot, added up in the order in which they arrive.

    The first array to arrive is kept as it is, without a copy, and is not written to: it may belong to somebody else.
    """

    def __init__(self):
        self._sums = {}
        self._ours = set()

    def __len__(self):
        return len(self._sums)

    def add(self, slot, gradient):
        """Add `gradient`; returns whether it is the first for this slot."""
        memory.note(gradient, "gradients")
        if slot not in self._sums:
            self._sums[slot] = gradient
            return True
        if slot in self._ours:
            self._sums[slot] += gradient
        else:
            self._sums[slot] = total = np.asarray(self._sums[slot] + gradient)
            memory.note(total, "gradients")
            self._ours.add(slot)
        return False

    def pop(self, slot):
        """Take the sum for `slot` out; None if nothing has arrived."""
        self._ours.discard(slot)
        return self._sums.pop(slot, None)

    def slots(self):
        """The slots for which something has arrived."""
        return self._sums.keys()

    def accumulate(self, seed):
        """Add every sum to the gradient that its slot, a leaf, has accumulated; no sums are left.

        A leaf owns its gradient, so an array that is `seed`, a view, or meant for several leaves is copied.
        """
        taken = {id(seed)}
        for slot in list(self._sums):
            total = self._sums.pop(slot)  # so that what is copied goes at once
            if slot.gradient is not None:
                slot.gradient += total
            else:
                slot.gradient = total.copy() if total.base is not None or id(total) in taken else total
                taken.add(id(total))
                memory.note(slot.gradient, "gradients")


def backpropagate(slot, gradient, keep_tape=False, since=-1):
    """Walk the tape back from `slot`, and return the gradients of all leaves that it was computed from.

    Parameters
    ----------
    slot : Slot
    gradient : ndarray
        dL/d(array of slot).
    keep_tape : bool
        Keep what the records saved, for another walk.
    since : int
        Records with smaller numbers may not be reached: they belong to an outer tape.

    Returns
    -------
    GradientSums
        By leaf.
    """
    leaves, inner = GradientSums(), GradientSums()
    queue = []

    def deliver(slot, gradient):
        if slot.record is None:
            leaves.add(slot, gradient)
        elif slot.record.number < since:
            raise OutsideTape(slot.record.operation.name)
        elif inner.add(slot, gradient):
            heapq.heappush(queue, (-slot.record.number, slot))

    deliver(slot, gradient)
    while queue:
        _, slot = heapq.heappop(queue)
        record = slot.record
        needs = tuple(entry is not None for entry in record.inputs)
        extra = (keep_tape,) if record.operation.consumes_saved else ()
        saved, gradient = record.take_saved(keep_tape), inner.pop(slot)
        with measured(f"{record.operation.name}, backward"):
            gradients = record.operation.vjp(saved, gradient, needs, *extra)
        gradients = [None if array is None else np.asarray(array) for array in gradients]
        for array in gradients:
            if array is not None:
                memory.note(array, "gradients")  # while `saved` is still held, as it was when they were computed
        saved = gradient = array = None
        for entry, array in zip(record.inputs, gradients, strict=True):
            if entry is not None and array is not None:
                deliver(entry, _fitted(array, entry, record.operation))
        gradients = array = None
        if not keep_tape:
            record.inputs = ()
    return leaves


class OutsideTape(RuntimeError):
    """A walk over a local tape has left it."""


def _fitted(gradient, slot, operation):
    """`gradient` in the shape of `slot`: the one place where broadcasting is undone and vjps are held to their word."""
    if gradient.dtype != slot.dtype:
        raise TypeError(f"the vjp of {operation.name!r} returned {gradient.dtype} for an input of {slot.dtype}")
    if gradient.shape == slot.shape:
        return gradient
    extra = gradient.ndim - len(slot.shape)
    if operation.broadcasts and extra >= 0:
        stretched = (i + extra for i, size in enumerate(slot.shape) if size == 1)
        total = np.asarray(gradient.sum(axis=(*range(extra), *stretched), keepdims=True))
        if total.shape[extra:] == slot.shape:
            return total.reshape(slot.shape)
    raise ValueError(f"the vjp of {operation.name!r} returned shape {gradient.shape} for an input of {slot.shape}")


def records_behind(slot):
    """All records that `slot` was computed from, in order of execution: its tape."""
    found, waiting = {}, [slot]
    while waiting:
        record = waiting.pop().record
        if record is not None and record.number not in found:
            found[record.number] = record
            waiting.extend(entry for entry in record.inputs if entry is not None)
    return [found[number] for number in sorted(found)]
