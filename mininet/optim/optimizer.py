"""What optimisers have in common: groups of parameters, and arrays remembered for each parameter."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from ..base import instruments
from ..base.checks import alike, integer, number, shown
from ..base.checks import array as array_of
from ..base.interrupts import interruptible_between_operations
from ..base.types import FloatArray
from .parameters import Parameters, groups, leaves
from .states import plain, rates_in, require_mapping

Memories: TypeAlias = dict[str, Any]
"""What an optimiser remembers about a parameter, by name."""


class Optimizer:
    """Base class: parameters, their settings, and arrays remembered for each of them.

    `step` leaves parameters without a gradient as they are.  A subclass defines ``_update(value, gradient, memories,
    **settings)``, which changes the array of a parameter in place.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Different leaves, or groups of them with settings of their own: ``[{"params": leaves, "lr": 0.1}, ...]``.
    lr : float
        The learning rate, at least 0.
    settings : numbers
        What `_update` takes besides; groups may have their own.

    Attributes
    ----------
    param_groups : list of dict
        "params" and the settings of each group of parameters; they may be changed.
    lr : float
        The learning rate of the first group; setting it sets that of all.

    Examples
    --------
    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=0.5)
    >>> optimizer.lr, len(optimizer.parameters)
    (0.5, 1)
    """

    def __init__(self, parameters: Parameters, lr: float, **settings: Any) -> None:
        settings = {"lr": lr, **settings}
        self.param_groups: list[dict[str, Any]] = []
        for group in groups(parameters):
            if unknown := group.keys() - settings.keys() - {"params"}:
                names = ", ".join(settings)
                raise ValueError(f"parameters: a group may have its own {names}, got {', '.join(sorted(unknown))}")
            own = {name: group.get(name, value) for name, value in settings.items()}
            self.param_groups.append({"params": group["params"], **self._checked(**own)})
        self.parameters = leaves(parameter for group in self.param_groups for parameter in group["params"])
        self._memories: list[Memories] = [{} for _ in self.parameters]

    @staticmethod
    def _checked(**settings: Any) -> dict[str, Any]:
        return {"lr": number("lr", settings["lr"], 0)}

    @property
    def lr(self) -> float:
        """The learning rate."""
        rate: float = self.param_groups[0]["lr"]
        return rate

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.param_groups:
            group["lr"] = value

    @interruptible_between_operations
    @np.errstate(under="ignore")
    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        memories = iter(self._memories)
        with instruments.measured("optimizer step"):
            for group in self.param_groups:
                settings = {name: value for name, value in group.items() if name != "params"}
                for parameter, own in zip(group["params"], memories, strict=False):
                    if parameter.grad is not None:
                        self._update(parameter.data, parameter.grad, own, **settings)

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def _update(self, *arguments: Any, **settings: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define _update; use SGD or Adam")

    def state_dict(self) -> dict[str, Any]:
        """Copy {"lr": ..., "parameters": how many, "0.velocity": ..., ...}: all that continues with the same bits."""
        rates = [group["lr"] for group in self.param_groups]
        state: dict[str, Any] = {"lr": rates, "parameters": len(self.parameters)}
        for place, memories in enumerate(self._memories):
            state.update((f"{place}.{name}", np.copy(value)) for name, value in memories.items())
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict`.

        Parameters
        ----------
        state
            From an optimiser of the same kind and parameters.

        Raises
        ------
        ValueError
            If an entry does not fit; then nothing changes.
        """
        require_mapping(state)
        memories: list[Memories] = [{} for _ in self.parameters]
        for key, value in state.items():
            if key in ("lr", "parameters"):
                continue
            place, _, name = key.partition(".")
            if not place.isdecimal() or int(place) >= len(memories) or name not in self._memory_names:
                raise ValueError(
                    f"state has an entry {key!r} that does not fit {type(self).__name__} with "
                    f"{len(memories)} parameters"
                )
            array, like = np.array(array_of(f"state entry {key!r}", value)), self.parameters[int(place)]
            if name == "steps":
                memories[int(place)][name] = integer(f"state entry {key!r}", plain(array), 0)
            else:
                memories[int(place)][name] = alike(f"state entry {key!r}", array, like.shape, like.dtype)
        for which, found in enumerate(memories):
            if missing := found and [name for name in self._memory_names if name not in found]:
                raise ValueError(f"state must have all of parameter {which}, its {', '.join(missing)} is missing")
        rates = rates_in("lr", state, len(self.param_groups))
        if (count := plain(state.get("parameters"))) != len(memories):
            raise ValueError(f"state must be of {len(memories)} parameters, got {shown(count)}")
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate
        self._memories = memories

    _memory_names: tuple[str, ...] = ()

    def _remembered(self, memories: Memories, name: str, like: FloatArray) -> FloatArray:
        """Get the array remembered under `name`, which starts as zeros."""
        if name not in memories:
            memories[name] = np.zeros_like(like)
            instruments.note(memories[name], "optimizer")
        array: FloatArray = memories[name]
        if array.dtype != like.dtype:
            raise TypeError(f"a parameter has become {like.dtype} since the first step: make a new optimiser for it")
        return array
