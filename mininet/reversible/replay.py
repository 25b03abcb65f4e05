"""Evaluating a function again exactly as before.

The backward pass evaluates residual functions a second time.  The gradients are only right if that computes what the
first time did.  So all evaluations, the first too, go through `Replay.value`.  A later one draws the same random
numbers, finds the same modules in training and the same parameters frozen, and it is silent: batch normalisation does
not move its running statistics twice.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from .. import seeding
from ..autodiff import Tensor
from ..autodiff.tape import GradientSums, OutsideTape, Slot, backpropagate, next_number, switches
from ..autodiff.tensor import slot_of
from ..base.changes import Change, changed
from ..base.instruments import measured
from ..base.types import FloatArray
from ..nn import Module, Parameter


class ResidualFunction(Protocol):
    """f(x, *inputs, **keywords), a module or any other callable, from a tensor to one of the same shape and dtype.

    Examples
    --------
    >>> functions: list[ResidualFunction] = [nn.Linear(8, 8), F.tanh]
    """

    def __call__(self, x: Tensor, /, *inputs: Any, **keywords: Any) -> Tensor:
        """The value at x."""
        ...


PullBack: TypeAlias = Callable[..., FloatArray]
"""The vector-Jacobian product of one evaluation: pull_back(dL/df, sums, keep_tape=False) is (df/dx)^T dL/df.

It holds the tape of that evaluation, and adds the gradients of parameters and extra inputs to `sums`.
"""


class Replay:
    """The functions of a `Call`, by layer.  The first evaluation of each is remembered, and later ones repeat it.

    First evaluations come in the order of the layers.  Remembered are an integer per layer and lists per function.

    Parameters
    ----------
    name : str
        What the functions are called in messages, with {} for the layer.
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
        Inputs that require a gradient.  Functions get leaves with their data instead, so that tapes end there.
    detects_captured : bool
        Whether `value` records although nothing is known to need a gradient, so that a tensor which a function has
        captured shows itself, and raises RuntimeError.
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
        self._parameters, self.detects_captured = parameters, False
        keywords = keywords or {}
        self.tensors = [
            value for value in (*inputs, *keywords.values()) if isinstance(value, Tensor) and value.requires_grad
        ]
        leaves = {tensor: Tensor(tensor.data, requires_grad=True) for tensor in self.tensors}
        self._outer = {slot_of(leaf): slot_of(tensor) for tensor, leaf in leaves.items()}

        def as_leaf(value: Any) -> Any:
            return leaves.get(value, value) if isinstance(value, Tensor) else value

        self.inputs = tuple(map(as_leaf, inputs))
        self.keywords = {key: as_leaf(value) for key, value in keywords.items()}
        self._draws = array("Q")  # where the random numbers stood before each layer's first evaluation
        self._contents: dict[int, tuple[list[Module], list[Parameter]]] = {}
        self._modes: dict[int, list[tuple[int, int, Any]]] = {}  # by function: (layer, seed and modes from it on)

    def value(self, layer: int, x: FloatArray, pull_backs: list[PullBack] | None = None) -> FloatArray:
        """f_layer(x); with a list `pull_backs` it is evaluated on a tape, and its pull-back is put there."""
        changes: list[Change] = [(switches, "recording", self.detects_captured or pull_backs is not None)]
        if layer == len(self._draws):
            self._remember(layer)
        else:
            changes += self._as_the_first_time(layer)
        with changed(changes), measured("residual functions"):
            since, leaf = next_number(), Tensor(x, requires_grad=pull_backs is not None)
            output = self._evaluated(layer, leaf)
        if pull_backs is not None:
            pull_backs.append(self._pull_back(layer, since, slot_of(leaf), output.slot))
        elif self.detects_captured and output.requires_grad:
            raise self._captured(layer, "somewhere inside")
        return output.data

    def _pull_back(self, layer: int, since: int, x: Slot, output: Slot | None) -> PullBack:
        """The pull-back of a tape from `x` to `output`; of that evaluation it keeps alive what the operations saved."""

        def pull_back(gradient: FloatArray, sums: GradientSums, keep_tape: bool = False) -> FloatArray:
            if output is None:
                return np.zeros_like(gradient)
            try:
                found = backpropagate(output, gradient, keep_tape, since)
            except OutsideTape as error:
                raise self._captured(layer, f"the result of {error}") from None
            by_x = found.pop(x)
            for slot in list(found):
                if slot not in self._outer and slot not in self._parameters:
                    raise self._captured(layer, f"of shape {slot.shape}")
                sums.add(self._outer.get(slot, slot), found.pop(slot))
            return np.zeros_like(gradient) if by_x is None else by_x

        return pull_back

    def _remember(self, layer: int) -> None:
        """Note how the layer's function is evaluated now, the first time."""
        versions, (seed, draw) = self._modes.setdefault(id(self._functions[layer]), []), seeding.position()
        now = self._modes_now(layer)
        if not versions or versions[-1][1:] != (seed, now):
            versions.append((layer, seed, now))
        self._draws.append(draw)

    def _as_the_first_time(self, layer: int) -> list[Change]:
        """What to change so that a later evaluation of the layer's function repeats the first."""
        versions, now = self._modes[id(self._functions[layer])], self._modes_now(layer)
        seed, then = next((seed, modes) for first, seed, modes in reversed(versions) if first <= layer)
        changes = [(switches, "replaying", True), *seeding.at_position((seed, self._draws[layer]))]
        if then != now:
            modules, parameters = self._contents[id(self._functions[layer])]
            changes += [(module, "training", value) for module, value in zip(modules, then[0], strict=True)]
            changes += [(parameter, "slot", slot) for parameter, slot in zip(parameters, then[1], strict=True)]
        return changes

    def _modes_now(self, layer: int) -> tuple[list[bool], list[Slot | None]]:
        """Which of the function's modules are in training, and which of its parameters have a slot."""
        function = self._functions[layer]
        if id(function) not in self._contents:  # searched once, however many layers share it
            self._contents[id(function)] = function.contents() if isinstance(function, Module) else ([], [])
        modules, parameters = self._contents[id(function)]
        return [module.training for module in modules], [parameter.slot for parameter in parameters]

    def _evaluated(self, layer: int, x: Tensor) -> Tensor:
        output = self._functions[layer](x, *self.inputs, **self.keywords)
        if not isinstance(output, Tensor):
            raise TypeError(f"{self._name.format(layer)} must return a Tensor, got {type(output).__name__}")
        if output.shape != x.shape or output.dtype != x.dtype:
            raise ValueError(
                f"{self._name.format(layer)} must return what it got, shape {x.shape} and dtype {x.dtype}, "
                f"got {output.shape} and {output.dtype}"
            )
        return output if self._is_residual else output - x

    def _captured(self, layer: int, what: str) -> RuntimeError:
        """The error for a function that got at a tensor by itself, so that its gradient would be lost."""
        return RuntimeError(
            f"{self._name.format(layer)} used a tensor ({what}) that requires a gradient but is neither a parameter of "
            "the net nor an input: pass it as an extra input, net(x, tensor); if a lambda or a bound method hides its "
            "module, pass the module instead"
        )
