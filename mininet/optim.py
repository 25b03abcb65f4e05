"""Optimisers, and schedules for their learning rate."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from .autodiff import Tensor
from .base import instruments
from .base.checks import array as array_of
from .base.checks import flag, instance, integer, number, shown
from .base.interrupts import interruptible_between_operations
from .base.types import FloatArray, IntegerArray

Memories: TypeAlias = dict[str, Any]
"""What an optimiser remembers about a parameter, by name."""


class Optimizer:
    """Base class: parameters, a learning rate `lr`, and arrays remembered for each parameter.

    `parameters` are different leaves.  `step` leaves those without a gradient as they are.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.parameters = _leaves(parameters)
        self.lr = number("lr", lr, 0)
        self._memories: list[Memories] = [{} for _ in self.parameters]

    @interruptible_between_operations
    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        with instruments.measured("optimizer step"):
            for parameter, memories in zip(self.parameters, self._memories, strict=True):
                if parameter.grad is not None:
                    self._update(parameter.data, parameter.grad, memories)

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def _update(self, value: FloatArray, gradient: FloatArray, memories: Memories) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define _update; use SGD or Adam")

    def state_dict(self) -> dict[str, Any]:
        """Copy {"lr": ..., "0.velocity": ..., ...}: all that `load_state_dict` needs to continue with the same bits."""
        state: dict[str, Any] = {"lr": self.lr}
        for place, memories in enumerate(self._memories):
            state.update((f"{place}.{name}", np.copy(value)) for name, value in memories.items())
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the `state_dict` of an optimiser of the same kind and parameters.

        Raises
        ------
        ValueError
            If an entry does not fit; then nothing changes.
        """
        _require_mapping(state)
        memories: list[Memories] = [{} for _ in self.parameters]
        for key, value in state.items():
            if key == "lr":
                continue
            place, _, name = key.partition(".")
            if not place.isdecimal() or int(place) >= len(memories) or name not in self._memory_names:
                raise ValueError(
                    f"state has an entry {key!r} that does not fit {type(self).__name__} with "
                    f"{len(memories)} parameters"
                )
            array, like = np.array(array_of(f"state entry {key!r}", value)), self.parameters[int(place)]
            if name == "steps":
                memories[int(place)][name] = integer(f"state entry {key!r}", _plain(array), 0)
                continue
            if (array.shape, array.dtype) != (like.shape, like.dtype):
                raise ValueError(
                    f"state entry {key!r} must have shape {like.shape} and dtype {like.dtype}, got "
                    f"{array.shape} and {array.dtype}"
                )
            memories[int(place)][name] = array
        for which, found in enumerate(memories):
            if missing := found and [name for name in self._memory_names if name not in found]:
                raise ValueError(f"state must have all of parameter {which}, its {', '.join(missing)} is missing")
        self.lr = number("lr in state", _plain(state.get("lr")), 0)
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


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum as in PyTorch:

        g <- g + weight_decay p         u <- momentum u + g         p <- p - lr u

    and with Nesterov's momentum (Sutskever et al., ICML 2013) p <- p - lr (g + momentum u).

    Parameters
    ----------
    momentum : float
        At least 0 and below 1.  Not the gamma of a momentum network, which is part of the network.

    Examples
    --------
    >>> p = nn.Parameter([1.0, 2.0])
    >>> (p * p).sum().backward()
    >>> optim.SGD([p], lr=0.25).step()
    >>> p.data
    array([0.5, 1. ], dtype=float32)
    """  # fmt: skip

    _memory_names = ("velocity",)

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr)
        self.momentum = number("momentum", momentum, 0, below=1)
        self.nesterov = flag("nesterov", nesterov)
        self.weight_decay = number("weight_decay", weight_decay, 0)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")

    def _update(self, value: FloatArray, gradient: FloatArray, memories: Memories) -> None:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * value
        if self.momentum:
            velocity = self._remembered(memories, "velocity", value)
            velocity *= self.momentum
            velocity += gradient
            gradient = gradient + self.momentum * velocity if self.nesterov else velocity
        value -= self.lr * gradient


class Adam(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015), with weight decay added to the gradient as in PyTorch.

    Parameters
    ----------
    betas : (float, float)
        Decay rates of the running means of gradients and squared gradients, at least 0 and below 1.

    Examples
    --------
    >>> optimizer = optim.Adam(nn.Linear(8, 3).parameters(), lr=1e-3)
    """

    _memory_names = ("mean", "square", "steps")

    def __init__(
        self, parameters: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] | list[float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas must be two numbers, got {shown(betas)}")
        self.betas = tuple(number("betas", beta, 0, below=1) for beta in betas)
        self.eps = number("eps", eps, 0)
        self.weight_decay = number("weight_decay", weight_decay, 0)

    def _update(self, value: FloatArray, gradient: FloatArray, memories: Memories) -> None:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * value
        mean, square = (self._remembered(memories, name, value) for name in ("mean", "square"))
        memories["steps"] = steps = memories.get("steps", 0) + 1
        mean_beta, square_beta = self.betas
        mean *= mean_beta
        mean += (1 - mean_beta) * gradient
        square *= square_beta
        square += (1 - square_beta) * np.square(gradient)
        deviation = np.sqrt(square / (1 - square_beta**steps)) + self.eps
        value -= (self.lr / (1 - mean_beta**steps)) * mean / deviation


class Schedule:
    """Base class: sets `optimizer.lr` to its initial value times a factor that depends on the steps so far.

    The attribute `steps` counts the calls of `step`.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = instance("optimizer", optimizer, Optimizer)
        self.initial_lr = optimizer.lr
        self.steps = 0
        self._apply()

    def factor(self, steps: int) -> float:
        """Compute the factor of the initial learning rate after `steps` steps."""
        raise NotImplementedError(f"{type(self).__name__} does not define factor")

    def step(self) -> None:
        """Set the learning rate of the next step."""
        self.steps += 1
        self._apply()

    def _apply(self) -> None:
        self.optimizer.lr = self.initial_lr * self.factor(self.steps)

    def state_dict(self) -> dict[str, float]:
        """Copy what `load_state_dict` needs."""
        return {"initial_lr": self.initial_lr, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict`.

        Raises
        ------
        ValueError
            If an entry does not fit; nothing is changed then.
        """
        _require_mapping(state)
        if state.keys() != self.state_dict().keys():
            raise ValueError(f"state must have {', '.join(self.state_dict())}, got {', '.join(map(repr, state))}")
        initial_lr = number("initial_lr in state", _plain(state.get("initial_lr")), 0)
        steps = integer("steps in state", _plain(state.get("steps")), 0)
        self.initial_lr, self.steps = initial_lr, steps
        self._apply()


class MultiStepDecay(Schedule):
    """Multiply the learning rate by `decay` at each of the `milestones`, given in steps.

    Examples
    --------
    >>> schedule = optim.MultiStepDecay(optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1), milestones=[50, 75])
    >>> [schedule.factor(steps) for steps in (0, 50, 60)]
    [1.0, 0.1, 0.1]
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int] | IntegerArray, decay: float = 0.1) -> None:
        if not isinstance(milestones, (tuple, list, range, np.ndarray)):
            raise TypeError(f"milestones must be a sequence of integers, got {shown(milestones)}")
        self.milestones = sorted(integer("milestones", milestone, 1) for milestone in milestones)
        self.decay = number("decay", decay, 0)
        super().__init__(optimizer)

    def factor(self, steps: int) -> float:
        """Compute the factor of the initial learning rate after `steps` steps."""
        return self.decay ** sum(milestone <= steps for milestone in self.milestones)


class CosineDecay(Schedule):
    """Rise linearly for `warmup` steps, then fall along half a cosine to 0 (Loshchilov and Hutter, ICLR 2017).

    Examples
    --------
    >>> schedule = optim.CosineDecay(optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1), total=100)
    >>> [round(schedule.factor(steps), 3) for steps in (0, 50, 100)]
    [1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total: int, warmup: int = 0) -> None:
        self.total, self.warmup = integer("total", total, 1), integer("warmup", warmup, 0)
        if self.warmup >= self.total:
            raise ValueError(f"warmup must be below total {self.total}, got {self.warmup}")
        super().__init__(optimizer)

    def factor(self, steps: int) -> float:
        """Compute the factor of the initial learning rate after `steps` steps."""
        if steps < self.warmup:
            return (steps + 1) / (self.warmup + 1)
        done = min(1.0, (steps - self.warmup) / (self.total - self.warmup))
        return 0.5 * (1 + math.cos(math.pi * done))


def _leaves(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Make a list of the parameters, which must be different leaves."""
    try:
        leaves = None if isinstance(parameters, Tensor) else list(parameters)  # a tensor would be taken row by row
    except TypeError:
        leaves = None
    if leaves is None:
        raise TypeError(f"parameters must be a sequence of tensors, got {type(parameters).__name__}")
    for parameter in leaves:
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameters must be tensors, got {type(parameter).__name__}")
        if parameter.slot is not None and parameter.slot.record is not None:
            raise ValueError(f"parameters must be leaves, got one of shape {parameter.shape} that was computed")
    if not leaves:
        raise ValueError("parameters must hold at least one tensor")
    if len(set(leaves)) < len(leaves):
        raise ValueError("parameters must differ, got one of them twice")
    return leaves


def _require_mapping(state: object) -> None:
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be a mapping, as state_dict gives it, got {type(state).__name__}")


def _plain(value: Any) -> Any:
    """Make a plain number of an array with one element, which is how files store numbers."""
    return value.item() if isinstance(value, (np.ndarray, np.generic)) and value.size == 1 else value
