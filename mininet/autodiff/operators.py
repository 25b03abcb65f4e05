"""Gives tensors their operators and methods: what `a + b` and `a.sum()` mean."""

from collections.abc import Callable
from typing import Any

from . import arithmetic, elementary, linear, reductions, shapes
from .tensor import Tensor


def _reflected(operation: Callable[..., Tensor]) -> Any:
    return lambda a, b: operation(b, a)


_METHODS = {
    "__add__": arithmetic.add,
    "__radd__": arithmetic.add,
    "__sub__": arithmetic.subtract,
    "__rsub__": _reflected(arithmetic.subtract),
    "__mul__": arithmetic.multiply,
    "__rmul__": arithmetic.multiply,
    "__truediv__": arithmetic.divide,
    "__rtruediv__": _reflected(arithmetic.divide),
    "__matmul__": linear.matmul,
    "__rmatmul__": _reflected(linear.matmul),
    "__pow__": arithmetic.power,
    "__rpow__": _reflected(arithmetic.power),
    "__neg__": arithmetic.negative,
    "__abs__": elementary.absolute,
    "__getitem__": shapes.getitem,
    **{name: getattr(elementary, name) for name in ("exp", "log", "sqrt", "tanh", "relu", "sigmoid")},
    **{name: getattr(reductions, name) for name in ("sum", "mean", "max")},
    **{name: getattr(shapes, name) for name in ("reshape", "transpose")},
}

for _name, _function in _METHODS.items():
    setattr(Tensor, _name, _function)
