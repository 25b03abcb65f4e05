"""Calling a function again exactly as before.

The backward pass evaluates residual functions a second time.  The gradients are only right if the second call computes
what the first one did.  So it draws the same random numbers, finds the same modules in training and the same parameters
frozen, and it is silent: batch normalisation does not move its running statistics twice.
"""

import contextlib
import copy
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from .. import seeding
from ..autodiff import Tensor, enable_grad, no_grad, replaying
from ..autodiff.tape import GradientSums, OutsideTape, Slot, backpropagate, next_number
from ..autodiff.tensor import slot_of
from ..base.instruments import measured
from ..base.types import FloatArray
from ..nn import Module, Parameter


class ResidualFunction(Protocol):
    """f(x, *inputs, **keywords), a module or any other callable, from a tensor to one of the same shape and dtype."""

    def __call__(self, x: Tensor, /, *inputs: Any, **keywords: Any) -> Tensor:
        """The value at x."""
        ...


PullBack: TypeAlias = Callable[..., FloatArray]
"""The vector-Jacobian product of one evaluation: pull_back(dL/df, sums, keep_tape=False) is (df/dx)^T dL/df.

It holds the tape of that evaluation, and adds the gradients of parameters and extra inputs to `sums`.
"""


class _Settings(NamedTuple):
    """What a first call found, apart from where the random numbers stood."""

    seed: int
    training: list[bool]
    slots: list[Slot | None]


class Replay:
    """The functions of a run, layer by layer.  The first call for a layer is remembered, and later ones repeat it.

    First calls must come in the order of the layers.  What is remembered grows by one integer per layer.

    Parameters
    ----------
    name : str
        What the functions are called in messages.
    functions : sequence of callables
    parameters : frozenset of Slot
        The parameters that they may use.
    inputs, keywords
        What they get beside x.
    is_residual : bool
        False if they compute a whole block, so that f(x) = function(x) - x.

    Attributes
    ----------
    tensors : list of Tensor
        Inputs that require a gradient.
    detects_captured : bool
        Whether `value` records, so that a tensor which a function has captured shows itself, and raises RuntimeError.
    """

    def __init__(
        self,
        name: str,
        functions: Sequence[Callable[..., Tensor]],
        parameters: frozenset[Slot] = frozenset(),
        inputs: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
        is_residual: bool = True,
    ) -> None:
        self._name, self._functions, self._is_residual = name, list(functions), is_residual
        self._parameters = parameters
        self._inputs, self._keywords = inputs, keywords or {}
        everything = (*inputs, *self._keywords.values())
        self.tensors = [value for value in everything if isinstance(value, Tensor) and value.requires_grad]
        self.detects_captured = False
        self._draws = array("Q")  # where the random numbers stood at the first call of each layer
        self._contents: dict[int, tuple[list[Module], list[Parameter]]] = {}
        self._settings: dict[int, list[tuple[int, _Settings]]] = {}  # by function: (layer, settings from there on)

    def value(self, layer: int, x: FloatArray) -> FloatArray:
        """f_layer(x), without a tape."""
        recording = contextlib.nullcontext() if self.detects_captured else no_grad()
        with self._as_the_first_time(layer), recording, measured("residual functions"):
            output = self._call(layer, Tensor(x), self._inputs, self._keywords)
        if self.detects_captured and output.requires_grad:
            raise self._captured(layer, "somewhere inside")
        return output.data

    def value_and_pull_back(self, layer: int, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """f_layer(x), and its pull-back, which keeps nothing alive but what the operations saved."""
        with self._as_the_first_time(layer), enable_grad(), measured("residual functions"):
            begin = next_number()
            leaf = Tensor(x, requires_grad=True)
            inputs, keywords, leaves = self._as_leaves()
            output = self._call(layer, leaf, inputs, keywords)
        x_slot, end = slot_of(leaf), output.slot
        outer_of = {slot_of(local): slot_of(tensor) for tensor, local in zip(self.tensors, leaves, strict=True)}

        def pull_back(gradient: FloatArray, sums: GradientSums, keep_tape: bool = False) -> FloatArray:
            if end is None:
                return np.zeros_like(gradient)
            try:
                found = backpropagate(end, gradient, keep_tape, begin)
            except OutsideTape as error:
                raise self._captured(layer, f"the result of {error}") from None
            by_x = found.pop(x_slot)
            for slot in list(found.slots()):
                outer = outer_of.get(slot, slot)
                if outer is slot and slot not in self._parameters:
                    raise self._captured(layer, f"of shape {slot.shape}")
                sums.add(outer, found.take(slot))
            return np.zeros_like(gradient) if by_x is None else by_x

        return output.data, pull_back

    def with_inputs(self, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> "Replay":
        """The calls again, with other objects for the same inputs."""
        other = copy.copy(self)
        other._inputs, other._keywords = inputs, keywords
        return other

    # How the first call was made

    def _as_the_first_time(self, layer: int) -> contextlib.AbstractContextManager[Any]:
        function = self._functions[layer]
        if id(function) not in self._contents:  # searched once, however many layers share it
            self._contents[id(function)] = function.contents() if isinstance(function, Module) else ([], [])
        modules, parameters = self._contents[id(function)]
        versions = self._settings.setdefault(id(function), [])
        if layer == len(self._draws):  # it is the first time
            seed, draw = seeding.position()
            settings = _Settings(
                seed, [module.training for module in modules], [parameter.slot for parameter in parameters]
            )
            if not versions or versions[-1][1] != settings:
                versions.append((layer, settings))
            self._draws.append(draw)
            return contextlib.nullcontext()
        seed, training, slots = next(settings for first, settings in reversed(versions) if first <= layer)
        return replaying((seed, self._draws[layer]), [
            *((module, "training", value) for module, value in zip(modules, training, strict=True)),
            *((parameter, "slot", slot) for parameter, slot in zip(parameters, slots, strict=True)),
        ])  # fmt: skip

    # The call itself

    def _call(self, layer: int, x: Tensor, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Tensor:
        """The residual function's value, which must be like x."""
        output = self._functions[layer](x, *inputs, **keywords)
        if not isinstance(output, Tensor):
            raise TypeError(f"{self._named(layer)} must return a Tensor, got {type(output).__name__}")
        if output.shape != x.shape or output.dtype != x.dtype:
            raise ValueError(
                f"{self._named(layer)} must return what it got, shape {x.shape} and dtype {x.dtype}, "
                f"got {output.shape} and {output.dtype}"
            )
        return output if self._is_residual else output - x

    def _as_leaves(self) -> tuple[tuple[Any, ...], dict[str, Any], list[Tensor]]:
        """Inputs and keywords with leaves of the same data in the place of `tensors`, and these leaves."""
        leaves = {tensor: Tensor(tensor.data, requires_grad=True) for tensor in self.tensors}
        if not leaves:
            return self._inputs, self._keywords, []

        def replaced(value: Any) -> Any:
            return leaves.get(value, value) if isinstance(value, Tensor) else value

        inputs = tuple(replaced(value) for value in self._inputs)
        keywords = {name: replaced(value) for name, value in self._keywords.items()}
        return inputs, keywords, [leaves[tensor] for tensor in self.tensors]

    def _named(self, layer: int) -> str:
        return self._name.format(layer)

    def _captured(self, layer: int, what: str) -> RuntimeError:
        """The error for a function that got at a tensor by itself, so that its gradient would be lost."""
        return RuntimeError(
            f"{self._named(layer)} used a tensor ({what}) that requires a gradient but is neither a parameter of the "
            "net nor an input: pass it as an extra input, net(x, tensor)"
        )
