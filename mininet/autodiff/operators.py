"""Gives tensors their operators and methods: what `a + b` and `a.sum()` mean."""

from . import elementary, shapes
from .tensor import Tensor

Tensor.__add__ = Tensor.__radd__ = elementary.add
Tensor.__sub__ = elementary.subtract
Tensor.__rsub__ = lambda a, b: elementary.subtract(b, a)
Tensor.__mul__ = Tensor.__rmul__ = elementary.multiply
Tensor.__truediv__ = elementary.divide
Tensor.__rtruediv__ = lambda a, b: elementary.divide(b, a)
Tensor.__pow__ = elementary.power
Tensor.__neg__ = elementary.negative
Tensor.__abs__ = elementary.absolute
Tensor.__matmul__ = elementary.matmul
Tensor.__rmatmul__ = lambda a, b: elementary.matmul(b, a)
Tensor.__getitem__ = shapes.getitem
for _module, _names in ((elementary, "exp log sqrt tanh relu sigmoid"), (shapes, "sum mean max reshape transpose")):
    for _name in _names.split():
        setattr(Tensor, _name, getattr(_module, _name))
