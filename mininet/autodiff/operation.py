"""Operations: two functions on arrays, made into one on tensors.

``forward(*arrays, **settings)`` returns the output and what must be saved of the computation.
``vjp(saved, gradient, needs)`` is the vector-Jacobian product: it takes dL/d(output) to dL/d(input) for each input.

Both stand beside each other, and the operation is what users call; `operation` has an example.
"""

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, overload

import numpy as np

from ..base import instruments
from ..base.interrupts import raise_if_interrupted
from ..base.types import FloatArray
from .tape import Record, Slot, switches
from .tensor import FLOATS, Tensor, TensorLike, as_tensor

_KEYWORD = inspect.Parameter.KEYWORD_ONLY

Computed: TypeAlias = tuple[Any, Any]
"""What a forward function returns: the output, and what its vjp will need."""

Needs: TypeAlias = tuple[bool, ...]
"""Which inputs need a gradient."""

Gradients: TypeAlias = Sequence[FloatArray | None]


class Operation:
    """An operation on tensors, made of two functions on arrays.

    Parameters
    ----------
    name : str
        What messages and profiles call it.
    forward : callable
        ``forward(*arrays, **settings)`` returns (output, saved); `saved` is a tuple of arrays and constants, or None.
    vjp : callable
        ``vjp(saved, gradient, needs)`` returns one gradient for each input; None where ``needs`` is False or the
        gradient is zero.
    broadcasts : bool
        Whether inputs are broadcast against each other: only then may a gradient have a larger shape than its input,
        and is summed to fit.
    consumes_saved : bool
        Whether the vjp uses up what was saved, part by part.  It is then called with a fourth argument, `keep_tape`; if
        that is true, it must leave `saved` whole.

    Examples
    --------
    >>> F.exp
    <Operation exp>
    """

    vjp: Callable[..., Gradients]

    def __init__(
        self,
        name: str,
        forward: Callable[..., Computed],
        vjp: Callable[..., Gradients] | None = None,
        broadcasts: bool = False,
        consumes_saved: bool = False,
    ) -> None:
        functools.update_wrapper(self, forward)
        self.name, self.forward = name, forward
        self.broadcasts, self.consumes_saved = broadcasts, consumes_saved
        if vjp is not None:
            self.vjp = vjp

    def defines_vjp(self, vjp: Callable[..., Gradients]) -> Callable[..., Gradients]:
        """A decorator for the function that becomes the vjp."""
        self.vjp = vjp
        return vjp

    def __repr__(self) -> str:
        return f"<Operation {self.name}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method of tensors, an operation takes the tensor as its first input."""
        return self if instance is None else types.MethodType(self, instance)

    def __call__(self, *inputs: TensorLike, **settings: Any) -> Tensor:
        """Compute the output from tensors, arrays and numbers, and record it if an input requires a gradient.

        Beside a tensor or an array of floats, numbers take its dtype, and booleans count as 0 and 1.

        The values do not depend on whether they are recorded.

        Raises
        ------
        TypeError
            If dtypes are mixed.
        """
        raise_if_interrupted()
        tensors = [value if isinstance(value, Tensor) else _beside(inputs, value) for value in inputs]
        arrays = [tensor._data for tensor in tensors]
        if len(arrays) > 1:
            self.require_one_dtype(*tensors)
        if instruments.trackers:
            for tensor in tensors:
                instruments.note(tensor._data, tensor.memory_kind)
        slots = tuple([tensor.slot for tensor in tensors])  # before a function can freeze one of them
        with instruments.measured(self.name), np.errstate(under="ignore"):  # 0 will do, whatever users ask for
            output, saved = self.forward(*arrays, **settings)
        output = np.asarray(output)
        is_recorded = any(slots) and switches.recording
        return Tensor.computed(output, Slot(output, Record(self, slots, saved, output.shape)) if is_recorded else None)

    def require_one_dtype(self, *tensors: Tensor) -> None:
        """Raise TypeError, and say what to convert, unless all inputs have the same dtype.

        Parameters
        ----------
        tensors
            In the order of the arguments of `forward`, whose names the message tells.
        """
        if len({tensor._data.dtype for tensor in tensors}) < 2:
            return
        names = [name for name, each in inspect.signature(self.forward).parameters.items() if each.kind != _KEYWORD]
        wanted = next((tensor.dtype for tensor in tensors if tensor.memory_kind == "parameters"), FLOATS[0])
        odd = next(place for place, tensor in enumerate(tensors) if tensor.dtype != wanted)
        found = " and ".join(dict.fromkeys(str(tensor.dtype) for tensor in tensors))
        raise TypeError(
            f"{self.name} got {found}: dtypes are not mixed, convert {names[min(odd, len(names) - 1)]} with "
            f".astype(np.{wanted})"
        )


def _beside(inputs: tuple[TensorLike, ...], value: TensorLike) -> Tensor:
    """`value` as a tensor, in the dtype of the first of `inputs` that has one."""
    like: Any = next(filter(_has_float_dtype, inputs), None)
    return as_tensor(value, like)


def _has_float_dtype(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype in FLOATS)


@overload
def operation(forward: Callable[..., Computed], /) -> Operation: ...
@overload
def operation(*, broadcasts: bool) -> Callable[[Callable[..., Computed]], Operation]: ...
def operation(forward: Any = None, /, *, broadcasts: bool = False) -> Any:
    """Declare an operation: decorates its forward function, whose name and docstring it takes; see `Operation`.

    Examples
    --------
    >>> @operation
    ... def square(a):
    ...     return a * a, (a,)
    >>> square.vjp = lambda saved, gradient, needs: (2 * saved[0] * gradient,)
    >>> x = Tensor([3.0], requires_grad=True)
    >>> square(x).backward()
    >>> x.grad
    array([6.], dtype=float32)
    """
    if forward is None:
        return functools.partial(_declared, broadcasts)
    return _declared(broadcasts, forward)


def _declared(broadcasts: bool, forward: Callable[..., Computed]) -> Operation:
    return Operation(forward.__name__.removeprefix("_"), forward, broadcasts=broadcasts)
