"""Modules made of others."""

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self, overload

from ..autodiff import Tensor, as_tensor
from ..autodiff.tensor import TensorLike
from .activations import ReLU
from .module import Member, Module
from .normalization import BatchNorm2d


class ModuleList(Module):
    """Modules in a list, named ``0``, ``1``, ...

    Parameters
    ----------
    modules : iterable of callables
        Modules, or functions without parameters.

    Examples
    --------
    >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> [name for name, _ in layers[1:].named_parameters()]
    ['0.weight', '0.bias', '1.weight', '1.bias']
    """

    def __init__(self, modules: Iterable[Callable[..., Tensor]] = ()) -> None:
        self._modules: list[Callable[..., Tensor]] = []
        for module in modules:
            self.append(module)

    def append(self, module: Callable[..., Tensor]) -> Self:
        """Add a module at the end, and return the list.

        Parameters
        ----------
        module
            A module, or a function without parameters.
        """
        kind = type(self).__name__
        if isinstance(module, type):
            raise TypeError(f"{kind} takes modules, got the class {module.__name__}: {module.__name__}() makes one")
        if not callable(module):
            raise TypeError(f"{kind} takes modules, got {type(module).__name__}")
        self._modules.append(module)
        return self

    def _members(self) -> list[Member]:
        return [(name.removeprefix("_modules."), value) for name, value in super()._members()]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules)

    @overload
    def __getitem__(self, index: "slice[Any, Any, Any]") -> Self: ...
    @overload
    def __getitem__(self, index: int) -> Any: ...
    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return self._modules[index]
        part = copy.copy(self)
        part._modules = self._modules[index]
        return part


class Sequential(ModuleList):
    """Modules one after the other, named ``0``, ``1``, ...

    A `ReLU` right after a `BatchNorm2d` is computed in the same pass over memory, with the same result.

    Parameters
    ----------
    modules : callables
        Each is called with what the one before it returned.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> [name for name, _ in net.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *modules: Callable[[Tensor], Tensor]) -> None:
        super().__init__(modules)

    def forward(self, x: TensorLike) -> Tensor:
        x = as_tensor(x)
        modules = iter(itertools.zip_longest(self._modules, self._modules[1:]))
        for module, following in modules:
            if type(module) is BatchNorm2d and type(following) is ReLU:
                x = module(x, relu=True)
                next(modules)
            else:
                x = module(x)
        return x
