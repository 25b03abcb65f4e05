"""Tensors: arrays that remember how they were computed."""

import numpy as np

from .. import memory
from ..changes import takes_back
from ..checks import array as array_of
from ..checks import flag, instance
from .tape import Slot, backpropagate, records_behind

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class Tensor:
    """An array of floats through which gradients can flow.

    Parameters
    ----------
    array : array_like
        An ndarray is used as it is, without a copy, and must be float32 or float64; Python numbers and lists become
        float32.
    requires_grad : bool
        Whether `backward` shall accumulate a gradient in `grad`.

    Raises
    ------
    TypeError
        If the array holds something else than float32 or float64: nothing is converted silently.
    ValueError
        If lists differ in length.
    """

    __slots__ = ("__weakref__", "_data", "_frozen_slot", "slot")
    memory_kind = "transient"
    """What `track_memory` counts the array of such a tensor as."""
    __array_ufunc__ = None  # lets `ndarray + tensor` become Tensor.__radd__

    def __init__(self, array, requires_grad=False):
        if isinstance(array, Tensor):
            array = array.data
        self._data = _as_float_array(array)
        self.slot = Slot(self._data) if requires_grad is not False and flag("requires_grad", requires_grad) else None
        self._frozen_slot = None
        memory.note(self._data, self.memory_kind)

    @classmethod
    def _of_operation(cls, array, slot):
        """The tensor of an operation's output."""
        tensor = cls(array)
        tensor.slot = slot
        return tensor

    # What it is

    @property
    def data(self):
        """The ndarray.  It may be written to in place; assigning another one keeps `requires_grad`, of a leaf only."""
        return self._data

    @data.setter
    def data(self, array):
        self._refuse_unless_leaf("data")
        array = _as_float_array(array)
        if self.slot is not None and (array.shape, array.dtype) != (self.slot.shape, self.slot.dtype):
            self.slot = Slot(array)
        self._data = array

    @property
    def requires_grad(self):
        """Whether gradients flow to or through this tensor; can be set on leaves, which drops their gradient."""
        return self.slot is not None

    @requires_grad.setter
    def requires_grad(self, value):
        self._refuse_unless_leaf("requires_grad")
        if value and self.slot is None:
            slot = self._frozen_slot  # a tape from before may lead to it
            fits = slot is not None and (slot.shape, slot.dtype) == (self.shape, self.dtype)
            self.slot, self._frozen_slot = slot if fits else Slot(self._data), None
        elif not value and self.slot is not None:
            self.slot.gradient = None
            self.slot, self._frozen_slot = None, self.slot

    @property
    def grad(self):
        """The accumulated gradient, an ndarray, or None.  Only leaves that require a gradient have one."""
        return None if self.slot is None else self.slot.gradient

    @grad.setter
    def grad(self, value):
        fits = isinstance(value, np.ndarray) and (value.shape, value.dtype) == (self.shape, self.dtype)
        if value is not None and not fits:
            raise ValueError(
                f"grad must be None or an ndarray of shape {self.shape} and {self.dtype}, got {_described(value)}"
            )
        if self.slot is None:
            if value is not None:
                raise ValueError("grad can be set only where requires_grad is True")
            return
        self.slot.gradient = value

    def _refuse_unless_leaf(self, name):
        if self.slot is not None and self.slot.record is not None:
            raise RuntimeError(f"{name} can be set on leaves only; this tensor was computed: use detach()")

    shape = property(lambda self: self._data.shape, doc="Lengths of the axes.")
    dtype = property(lambda self: self._data.dtype, doc="float32 or float64.")
    ndim = property(lambda self: self._data.ndim, doc="Number of axes.")
    size = property(lambda self: self._data.size, doc="Number of elements.")
    T = property(lambda self: self.transpose(), doc="The axes in reverse order.")

    def __len__(self):
        return len(self._data)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype=None, copy=None):
        return np.array(self._data, dtype=dtype, copy=copy)

    def item(self):
        """The value of a tensor with one element, as a Python float."""
        return self._data.item()

    __float__ = item

    def __bool__(self):
        return bool(self._data)

    def __repr__(self):
        values = np.array2string(self._data, prefix="Tensor(", separator=", ", threshold=20)
        return f"Tensor({values}, dtype={self.dtype}{', requires_grad=True' if self.requires_grad else ''})"

    def detach(self):
        """A tensor with the same array through which no gradient flows."""
        return Tensor(self._data)

    def numpy(self):
        """The ndarray; the same as `data`."""
        return self._data

    # Backward

    @takes_back
    def backward(self, gradient=None, keep_tape=False):
        """Compute the gradients of all leaves this tensor depends on, and add them to their `grad`.

        Parameters
        ----------
        gradient : array_like, optional
            dL/d(this tensor), of its shape and dtype; 1 for a tensor with one element.
        keep_tape : bool
            Without it, every record of the tape lets go of what it saved as the walk passes it, and a second call
            raises RuntimeError.
        """
        if self.slot is None:
            raise RuntimeError("backward needs a tensor that requires a gradient; this one depends on none that does")
        gradient = self._checked_gradient(gradient)
        backpropagate(self.slot, gradient, keep_tape).accumulate(gradient)

    def _checked_gradient(self, gradient):
        if gradient is None:
            if self.size != 1:
                raise ValueError(
                    f"backward needs a gradient for a tensor of shape {self.shape}; only a tensor with one "
                    "element has the default 1"
                )
            return np.ones(self.shape, dtype=self.dtype)
        gradient = array_of("gradient", gradient)
        if gradient.shape != self.shape or gradient.dtype != self.dtype:
            raise ValueError(
                f"gradient must have shape {self.shape} and dtype {self.dtype}, got {_described(gradient)}"
            )
        return gradient

    def tape(self):
        """The `Record` objects behind this tensor, in order of execution."""
        return [] if self.slot is None else records_behind(self.slot)

    @property
    def saved_bytes(self):
        """Bytes that the tape behind this tensor keeps alive; an array saved by several records counts once."""
        arrays = {id(array): array.nbytes for record in self.tape() for array in record.saved_arrays()}
        return sum(arrays.values())

    # Comparisons give boolean arrays; == stays identity, so that tensors can be keys.

    def __lt__(self, other):
        return self._data < np.asarray(other)

    def __le__(self, other):
        return self._data <= np.asarray(other)

    def __gt__(self, other):
        return self._data > np.asarray(other)

    def __ge__(self, other):
        return self._data >= np.asarray(other)


@takes_back
def gradients(output, gradient, wrt):
    """Gradients of `output` with respect to given leaves, returned instead of accumulated; the tape is used up.

    Parameters
    ----------
    output : Tensor
    gradient : ndarray
        dL/d(output), of its shape and dtype.
    wrt : sequence of Tensor
        Leaves that require a gradient.

    Returns
    -------
    list of ndarray or None
        For each tensor of `wrt`; None if the output does not depend on it.
    """
    instance("output", output, Tensor)
    for tensor in wrt:
        if not isinstance(tensor, Tensor) or not tensor.requires_grad or tensor.slot.record is not None:
            raise ValueError(f"wrt must be leaves that require a gradient, got {tensor!r}")
    if not output.requires_grad:
        return [None] * len(wrt)
    leaves = backpropagate(output.slot, output._checked_gradient(gradient))
    return [leaves.pop(tensor.slot) for tensor in wrt]


def as_tensor(value, like=None):
    """`value` as a tensor; Python numbers take the dtype of the tensor `like`."""
    if isinstance(value, Tensor):
        return value
    if like is not None and isinstance(value, (int, float)):
        return Tensor(np.asarray(value, dtype=like.dtype))
    return Tensor(value)


def require_one_dtype(name, tensors):
    """Raise TypeError if the `tensors` that the operation `name` got differ in dtype."""
    for tensor in tensors:
        if tensor.dtype != tensors[0].dtype:
            raise TypeError(
                f"{name} got {tensors[0].dtype} and {tensor.dtype}: convert one of them, dtypes are not mixed"
            )


def require_rank(name, array, rank, axes):
    """Raise ValueError unless the argument `name` has `rank` axes, which are called `axes`."""
    if array.ndim != rank:
        raise ValueError(f"{name} must have {rank} axes {axes}, got shape {array.shape}")


def apply(operation, *inputs, **settings):
    """Run an `Operation` on tensors, arrays and Python numbers, and record it if an input requires a gradient.

    Raises
    ------
    TypeError
        If dtypes are mixed.
    """
    like = next((value for value in inputs if isinstance(value, (Tensor, np.ndarray))), None)
    tensors = [as_tensor(value, like) for value in inputs]
    require_one_dtype(operation.name, tensors)
    for tensor in tensors:
        memory.note(tensor.data, tensor.memory_kind)
    slots = [tensor.slot for tensor in tensors]
    output, slot = operation.run([tensor.data for tensor in tensors], slots, settings)
    return Tensor._of_operation(np.asarray(output), slot)


def _as_float_array(array):
    of_numpy = isinstance(array, (np.ndarray, np.generic))
    array = array_of("array", array)
    if not of_numpy and array.dtype.kind in "biuf":
        array = array.astype(np.float32)
    if array.dtype not in FLOATS:
        raise TypeError(f"a Tensor holds float32 or float64, got {array.dtype}")
    return array


def _described(value):
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else repr(type(value).__name__)
