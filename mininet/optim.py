"""Optimisers, and schedules for their learning rate."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from .autodiff import Tensor
from .base import instruments
from .base.checks import alike, flag, instance, integer, number, shown
from .base.checks import array as array_of
from .base.interrupts import interruptible_between_operations
from .base.types import FloatArray, IntegerArray

Memories: TypeAlias = dict[str, Any]
"""What an optimiser remembers about a parameter, by name."""

Parameters: TypeAlias = Iterable[Tensor | Mapping[str, Any]]
"""Different leaves, or groups of them with settings of their own: ``[{"params": leaves, "lr": 0.1}, ...]``."""


class Optimizer:
    """Base class: parameters, their settings, and arrays remembered for each of them.

    `step` leaves parameters without a gradient as they are.  A subclass defines ``_update(value, gradient, memories,
    **settings)``, which changes the array of a parameter in place.

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
        for group in _groups(parameters):
            if unknown := group.keys() - settings.keys() - {"params"}:
                names = ", ".join(settings)
                raise ValueError(f"parameters: a group may have its own {names}, got {', '.join(sorted(unknown))}")
            own = {name: group.get(name, value) for name, value in settings.items()}
            self.param_groups.append({"params": group["params"], **self._checked(**own)})
        self.parameters = _leaves(parameter for group in self.param_groups for parameter in group["params"])
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
        """Take over the `state_dict` of an optimiser of the same kind and parameters.

        Raises
        ------
        ValueError
            If an entry does not fit; then nothing changes.
        """
        _require_mapping(state)
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
                memories[int(place)][name] = integer(f"state entry {key!r}", _plain(array), 0)
            else:
                memories[int(place)][name] = alike(f"state entry {key!r}", array, like.shape, like.dtype)
        for which, found in enumerate(memories):
            if missing := found and [name for name in self._memory_names if name not in found]:
                raise ValueError(f"state must have all of parameter {which}, its {', '.join(missing)} is missing")
        rates = _rates("lr", state, len(self.param_groups))
        if (count := _plain(state.get("parameters"))) != len(memories):
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
        self, parameters: Parameters, lr: float, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)

    @staticmethod
    def _checked(**settings: Any) -> dict[str, Any]:
        found = Optimizer._checked(**settings) | {
            "momentum": number("momentum", settings["momentum"], 0, below=1),
            "nesterov": flag("nesterov", settings["nesterov"]),
            "weight_decay": number("weight_decay", settings["weight_decay"], 0),
        }
        if found["nesterov"] and found["momentum"] == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return found

    def _update(
        self, value: FloatArray, gradient: FloatArray, memories: Memories, *,
        lr: float, momentum: float, nesterov: bool, weight_decay: float,
    ) -> None:  # fmt: skip
        if weight_decay:
            gradient = gradient + weight_decay * value
        if momentum:
            velocity = self._remembered(memories, "velocity", value)
            velocity *= momentum
            velocity += gradient
            gradient = gradient + momentum * velocity if nesterov else velocity
        value -= lr * gradient


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
        self, parameters: Parameters, lr: float = 1e-3, betas: tuple[float, float] | list[float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay)

    @staticmethod
    def _checked(**settings: Any) -> dict[str, Any]:
        betas = settings["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas must be two numbers, got {shown(betas)}")
        return Optimizer._checked(**settings) | {
            "betas": tuple(number("betas", beta, 0, below=1) for beta in betas),
            "eps": number("eps", settings["eps"], 0),
            "weight_decay": number("weight_decay", settings["weight_decay"], 0),
        }

    def _update(
        self, value: FloatArray, gradient: FloatArray, memories: Memories, *,
        lr: float, betas: tuple[float, float], eps: float, weight_decay: float,
    ) -> None:  # fmt: skip
        if weight_decay:
            gradient = gradient + weight_decay * value
        mean, square = (self._remembered(memories, name, value) for name in ("mean", "square"))
        memories["steps"] = steps = memories.get("steps", 0) + 1
        mean_beta, square_beta = betas
        mean *= mean_beta
        mean += (1 - mean_beta) * gradient
        square *= square_beta
        square += (1 - square_beta) * np.square(gradient)
        deviation = np.sqrt(square / (1 - square_beta**steps)) + eps
        value -= (lr / (1 - mean_beta**steps)) * mean / deviation


class AdamW(Adam):
    """Adam with weight decay of its own, p <- (1 - lr weight_decay) p (Loshchilov and Hutter, ICLR 2019).

    Examples
    --------
    >>> layer = nn.Linear(8, 3)
    >>> groups = [{"params": [layer.weight]}, {"params": [layer.bias], "weight_decay": 0.0}]
    >>> optimizer = optim.AdamW(groups, lr=1e-3, weight_decay=0.1)
    """

    def __init__(
        self, parameters: Parameters, lr: float = 1e-3, betas: tuple[float, float] | list[float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.01,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _update(self, value: FloatArray, *arguments: Any, weight_decay: float, **settings: Any) -> None:
        value *= 1 - settings["lr"] * weight_decay
        super()._update(value, *arguments, weight_decay=0.0, **settings)


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients, in place, so that their norm together is at most `max_norm`, and return what it was.

    Examples
    --------
    >>> p = nn.Parameter([1.0, 2.0])
    >>> (p * [3.0, 4.0]).sum().backward()
    >>> clip_grad_norm([p], 1.0)
    5.0
    >>> p.grad
    array([0.6, 0.8], dtype=float32)
    """
    limit = number("max_norm", max_norm, 0)
    gradients = [parameter.grad for parameter in _leaves(parameters) if parameter.grad is not None]
    norm = math.hypot(*(float(np.linalg.norm(gradient.astype(np.float64))) for gradient in gradients))
    if norm > limit:
        for gradient in gradients:
            gradient *= limit / norm
    return norm


class Schedule:
    """Base class: sets the optimiser's learning rates to the initial ones times a factor that depends on the steps.

    The attribute `steps` counts the calls of `step`.

    Examples
    --------
    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=0.5)
    >>> optim.MultiStepDecay(optimizer, milestones=[1], decay=0.5).step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = instance("optimizer", optimizer, Optimizer)
        self.initial_lrs = [group["lr"] for group in optimizer.param_groups]
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
        for group, initial in zip(self.optimizer.param_groups, self.initial_lrs, strict=True):
            group["lr"] = initial * self.factor(self.steps)

    def state_dict(self) -> dict[str, Any]:
        """Copy what `load_state_dict` needs."""
        return {"initial_lr": self.initial_lrs, "steps": self.steps}

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
        rates = _rates("initial_lr", state, len(self.initial_lrs))
        steps = integer("steps in state", _plain(state.get("steps")), 0)
        self.initial_lrs, self.steps = rates, steps
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


def _groups(parameters: Any) -> list[dict[str, Any]]:
    """Make a list of groups of parameters: of one, if they are given without groups."""
    groups = list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, Tensor) else []
    if not groups or not all(isinstance(group, Mapping) for group in groups):
        return [{"params": _leaves(groups or parameters)}]
    if not all("params" in group for group in groups):
        raise ValueError('parameters: a group needs its "params"')
    return [{**group, "params": _leaves(group["params"])} for group in groups]


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


def _rates(name: str, state: Mapping[str, Any], count: int) -> list[float]:
    """Take the learning rates of `count` groups from a state."""
    rates = np.ravel(np.array(state.get(name), dtype=object)).tolist()
    if len(rates) != count:
        raise ValueError(f"{name} in state must be of {count} groups, got {shown(state.get(name))}")
    return [number(f"{name} in state", rate, 0) for rate in rates]
