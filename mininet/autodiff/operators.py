"""Gives tensors their operators and methods: what `a + b` and `a.sum()` mean."""

from typing import Any

from . import elementary, linear, shapes
from .operation import Operation
from .tensor import Tensor


def _reflected(operation: Operation) -> Any:
    return lambda a, b: operation(b, a)


_METHODS = {
    "__add__": elementary.add,
    "__radd__": elementary.add,
    "__sub__": elementary.subtract,
    "__rsub__": _reflected(elementary.subtract),
    "__mul__": elementary.multiply,
    "__rmul__": elementary.multiply,
    "__truediv__": elementary.divide,
    "__rtruediv__": _reflected(elementary.divide),
    "__matmul__": linear.matmul,
    "__rmatmul__": _reflected(linear.matmul),
    "__pow__": elementary.power,
    "__neg__": elementary.negative,
    "__abs__": elementary.absolute,
    "__getitem__": shapes.getitem,
    **{name: getattr(elementary, name) for name in ("exp", "log", "sqrt", "tanh", "relu", "sigmoid")},
    **{name: getattr(shapes, name) for name in ("sum", "mean", "max", "reshape", "transpose")},
}

for _name, _function in _METHODS.items():
    setattr(Tensor, _name, _function)
