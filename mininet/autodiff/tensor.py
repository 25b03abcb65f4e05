"""Tensors: arrays that remember how they were computed."""

from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ..base import instruments
from ..base.checks import alike, flag, instance
from ..base.checks import array as array_of
from ..base.interrupts import interruptible_between_operations
from ..base.types import FloatArray
from .tape import Record, Slot, backpropagate, records_behind

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

_Row: TypeAlias = Sequence[float]
_Numbers: TypeAlias = Sequence[float | Sequence[float | Sequence[float | _Row]]]
"""Lists of numbers, up to four deep: if any depth were allowed, a string would be one, too."""

_Scalar: TypeAlias = float | np.floating[Any] | np.integer[Any] | np.bool_

TensorLike: TypeAlias = Union["Tensor", FloatArray, NDArray[np.bool_], _Scalar, _Numbers]
"""What operations take: an array of integers is not among it, as nothing is converted silently."""

Axes: TypeAlias = int | tuple[int, ...] | list[int] | None
_Entry: TypeAlias = Union[
    SupportsIndex,
    "slice[Any, Any, Any]",
    EllipsisType,
    NDArray[np.integer[Any]],
    NDArray[np.bool_],
    Sequence[int],
    None,
]
Index: TypeAlias = _Entry | tuple[_Entry, ...]


class Tensor:
    """An array of floats through which gradients can flow.

    Parameters
    ----------
    array : array_like
        An ndarray is used as it is, without a copy, and must be float32 or float64; so must what lists of arrays, or
        objects with an array inside, become.  Python numbers and lists of numbers become float32.
    requires_grad : bool
        Whether `backward` shall accumulate a gradient in `grad`.

    Raises
    ------
    TypeError
        If the array holds something else than float32 or float64: nothing is converted silently.  Also if it is a list
        with tensors that require a gradient, which would be cut off.
    ValueError
        If lists differ in length.

    Examples
    --------
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_data", "_frozen_slot", "slot")
    memory_kind: str = "transient"
    """What `track_memory` counts the array of such a tensor as."""
    __array_ufunc__ = None  # lets `ndarray + tensor` become Tensor.__radd__

    def __init__(self, array: TensorLike, requires_grad: bool = False) -> None:
        self._data = _as_float_array(array.data if isinstance(array, Tensor) else array)
        needs_slot = requires_grad is not False and flag("requires_grad", requires_grad)
        self.slot: Slot | None = Slot(self._data) if needs_slot else None
        self._frozen_slot: Slot | None = None
        instruments.note(self._data, self.memory_kind)

    @classmethod
    def computed(cls, array: FloatArray, slot: Slot | None) -> "Tensor":
        """The tensor of an operation's output."""
        tensor = cls.__new__(cls)
        tensor._data, tensor.slot, tensor._frozen_slot = _as_float_array(array), slot, None
        instruments.note(array, cls.memory_kind)
        return tensor

    # What it is

    @property
    def data(self) -> FloatArray:
        """The ndarray.  It may be written to in place; assigning another one keeps `requires_grad`, of a leaf only."""
        return self._data

    @data.setter
    def data(self, array: FloatArray) -> None:
        self._refuse_unless_leaf("data")
        array = _as_float_array(array)
        if self.slot is not None and (array.shape, array.dtype) != (self.slot.shape, self.slot.dtype):
            self.slot = Slot(array)
        self._data = array

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor; can be set on leaves, which drops their gradient."""
        return self.slot is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self._refuse_unless_leaf("requires_grad")
        if value and self.slot is None:
            slot = self._frozen_slot  # a tape from before may lead to it
            fits = slot is not None and (slot.shape, slot.dtype) == (self.shape, self.dtype)
            self.slot, self._frozen_slot = slot if fits else Slot(self._data), None
        elif not value and self.slot is not None:
            self.slot.gradient = None
            self.slot, self._frozen_slot = None, self.slot

    @property
    def grad(self) -> FloatArray | None:
        """The accumulated gradient, an ndarray, or None.  Only leaves that require a gradient have one."""
        return None if self.slot is None else self.slot.gradient

    @grad.setter
    def grad(self, value: FloatArray | None) -> None:
        if value is not None:
            alike("grad", value, self.shape, self.dtype)
        if self.slot is not None:
            self.slot.gradient = value
        elif value is not None:
            raise ValueError("grad can be set only where requires_grad is True")

    def _refuse_unless_leaf(self, name: str) -> None:
        if self.slot is not None and self.slot.record is not None:
            raise RuntimeError(f"{name} can be set on leaves only; this tensor was computed: use detach()")

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """float32 or float64."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._data.size

    @property
    def T(self) -> "Tensor":
        """The axes in reverse order."""
        return self.transpose()

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        return np.array(self._data, dtype=dtype, copy=copy)

    def item(self) -> float:
        """The value of a tensor with one element, as a Python float."""
        return self._data.item()

    def __float__(self) -> float:
        return self.item()

    def __bool__(self) -> bool:
        return bool(self._data)

    def __repr__(self) -> str:
        values = np.array2string(self._data, prefix="Tensor(", separator=", ", threshold=20)
        return f"Tensor({values}, dtype={self.dtype}{', requires_grad=True' if self.requires_grad else ''})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.size != 1:
            raise TypeError(f"the format {spec!r} needs a tensor with one element, got shape {self.shape}")
        return format(self.item(), spec)

    def __copy__(self) -> Self:
        other = type(self).__new__(type(self))
        other._data, other.slot, other._frozen_slot = self._data, self.slot, self._frozen_slot
        return other

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.slot is not None and self.slot.record is not None:
            raise RuntimeError("a computed tensor holds its tape, which cannot be copied or pickled: use detach()")
        return super().__reduce_ex__(protocol)

    def detach(self) -> "Tensor":
        """A tensor with the same array through which no gradient flows."""
        return Tensor(self._data)

    def numpy(self) -> FloatArray:
        """The ndarray; the same as `data`."""
        return self._data

    # Backward

    @interruptible_between_operations
    def backward(self, gradient: FloatArray | Sequence[float] | float | None = None, keep_tape: bool = False) -> None:
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

    def _checked_gradient(self, gradient: Any) -> FloatArray:
        if gradient is None:
            if self.size != 1:
                raise ValueError(
                    f"backward needs a gradient for a tensor of shape {self.shape}; only a tensor with one "
                    "element has the default 1"
                )
            return np.ones(self.shape, dtype=self.dtype)
        return alike("gradient", array_of("gradient", gradient), self.shape, self.dtype)

    def tape(self) -> list[Record]:
        """The `Record` objects behind this tensor, in order of execution."""
        return [] if self.slot is None else records_behind(self.slot)

    @property
    def saved_bytes(self) -> int:
        """Bytes that the tape behind this tensor keeps alive; an array saved by several records counts once."""
        arrays = {id(array): array.nbytes for record in self.tape() for array in record.saved_arrays()}
        return sum(arrays.values())

    # Operations, which `operators` attaches: functions whose first argument is called a

    if TYPE_CHECKING:

        def exp(a) -> "Tensor": ...
        def log(a) -> "Tensor": ...
        def sqrt(a) -> "Tensor": ...
        def tanh(a) -> "Tensor": ...
        def relu(a) -> "Tensor": ...
        def sigmoid(a) -> "Tensor": ...
        def sum(a, axis: Axes = None, keepdims: bool = False) -> "Tensor": ...
        def mean(a, axis: Axes = None, keepdims: bool = False) -> "Tensor": ...
        def max(a, axis: Axes = None, keepdims: bool = False) -> "Tensor": ...
        def reshape(a, *shape: int | tuple[int, ...] | list[int]) -> "Tensor": ...
        def transpose(a, *axes: int | tuple[int, ...] | list[int]) -> "Tensor": ...
        def __add__(self, other: TensorLike, /) -> "Tensor": ...
        def __radd__(self, other: TensorLike, /) -> "Tensor": ...
        def __sub__(self, other: TensorLike, /) -> "Tensor": ...
        def __rsub__(self, other: TensorLike, /) -> "Tensor": ...
        def __mul__(self, other: TensorLike, /) -> "Tensor": ...
        def __rmul__(self, other: TensorLike, /) -> "Tensor": ...
        def __truediv__(self, other: TensorLike, /) -> "Tensor": ...
        def __rtruediv__(self, other: TensorLike, /) -> "Tensor": ...
        def __matmul__(self, other: TensorLike, /) -> "Tensor": ...
        def __rmatmul__(self, other: TensorLike, /) -> "Tensor": ...
        def __pow__(self, exponent: "Tensor | FloatArray | float", /) -> "Tensor": ...
        def __rpow__(self, base: TensorLike, /) -> "Tensor": ...
        def __neg__(self) -> "Tensor": ...
        def __abs__(self) -> "Tensor": ...
        def __getitem__(self, index: Index, /) -> "Tensor": ...

    # Comparisons give boolean arrays.  Not so ==: tensors can be keys, and those are compared by identity.

    def __eq__(self, other: object) -> bool:
        if self is other or other is None:
            return self is other
        raise TypeError(
            f"== and != do not compare the elements of tensors, got {type(other).__name__}: "
            "use np.array_equal(t.data, other), t.data == other, or `is` for identity"
        )

    __hash__ = object.__hash__

    def __lt__(self, other: TensorLike) -> NDArray[np.bool_]:
        return self._data < np.asarray(other)

    def __le__(self, other: TensorLike) -> NDArray[np.bool_]:
        return self._data <= np.asarray(other)

    def __gt__(self, other: TensorLike) -> NDArray[np.bool_]:
        return self._data > np.asarray(other)

    def __ge__(self, other: TensorLike) -> NDArray[np.bool_]:
        return self._data >= np.asarray(other)


@interruptible_between_operations
def gradients(output: Tensor, gradient: FloatArray, wrt: Sequence[Tensor]) -> list[FloatArray | None]:
    """Gradients of `output` with respect to given leaves, returned instead of accumulated; the tape is used up.

    Parameters
    ----------
    output : Tensor
    gradient : ndarray
        dL/d(output), of its shape and dtype.
    wrt : sequence of Tensor
        Leaves that require a gradient; one may stand there several times.

    Returns
    -------
    list of ndarray or None
        For each tensor of `wrt`; None if the output does not depend on it.
    """
    instance("output", output, Tensor)
    for tensor in wrt:
        if not isinstance(tensor, Tensor) or tensor.slot is None or tensor.slot.record is not None:
            raise ValueError(f"wrt must be leaves that require a gradient, got {tensor!r}")
    if output.slot is None:
        return [None] * len(wrt)
    leaves = backpropagate(output.slot, output._checked_gradient(gradient))
    found = {slot: leaves.pop(slot) for slot in {slot_of(tensor): None for tensor in wrt}}
    return [found[slot_of(tensor)] for tensor in wrt]


def as_tensor(value: TensorLike, like: Tensor | FloatArray | None = None) -> Tensor:
    """`value` as a tensor; numbers, and arrays of booleans as 0 and 1, take the dtype of the tensor `like`."""
    if isinstance(value, Tensor):
        return value
    if like is not None and (is_plain_number(value) or (isinstance(value, np.ndarray) and value.dtype == np.bool_)):
        with np.errstate(under="ignore"):
            return Tensor(np.asarray(value, dtype=like.dtype))
    return Tensor(value)


def slot_of(tensor: Tensor) -> Slot:
    """The slot of a tensor that requires a gradient."""
    assert tensor.slot is not None
    return tensor.slot


def require_rank(name: str, array: Tensor | NDArray[Any], rank: int, axes: str) -> None:
    """Raise ValueError unless the argument `name` has `rank` axes, which are called `axes`."""
    if array.ndim != rank:
        raise ValueError(f"{name} must have {rank} axes {axes}, got shape {array.shape}")


def _as_float_array(array: Any) -> FloatArray:
    if type(array) is np.ndarray and array.dtype in FLOATS:
        return array
    entries = list(_entries(array)) if isinstance(array, (list, tuple)) else [array]
    if any(isinstance(entry, Tensor) and entry.requires_grad for entry in entries):
        raise TypeError(
            "array must not be a list with tensors that require a gradient, which would be cut off: "
            "use F.stack or F.concatenate"
        )
    found: FloatArray = array_of("array", array)
    are_numbers = isinstance(array, range) or all(map(is_plain_number, entries))
    if are_numbers and not isinstance(array, np.floating):
        found = found.astype(np.float32)
    if found.dtype not in FLOATS:
        raise TypeError(f"a Tensor holds float32 or float64, got {found.dtype}")
    return found


def is_plain_number(value: object) -> bool:
    """Whether it is a Python number, or a NumPy scalar, which counts as one."""
    return isinstance(value, (int, float, np.integer, np.floating, np.bool_))


def _entries(value: Any) -> Iterator[Any]:
    """What lists in lists hold."""
    for entry in value:
        if isinstance(entry, (list, tuple)):
            yield from _entries(entry)
        else:
            yield entry
