"""Optimisers, and schedules for their learning rate."""

import math
from collections.abc import Mapping

import numpy as np

from . import memory
from .autodiff import Tensor
from .checks import array as array_of
from .checks import flag, instance, integer, number, shown
from .profiling import measured_as


class Optimizer:
    """Base class: a list of parameters, a learning rate, and arrays remembered for each parameter.

    Parameters
    ----------
    parameters : iterable of Tensor
        Different leaves.  Those without a gradient, frozen or unused, are left as they are by `step`.
    lr : float
        Learning rate.
    """

    def __init__(self, parameters, lr):
        self.parameters = _leaves(parameters)
        self.lr = number("lr", lr, 0)
        self._memories = [{} for _ in self.parameters]

    @measured_as("optimizer step")
    def step(self):
        """Change every parameter that has a gradient, in place."""
        for parameter, memories in zip(self.parameters, self._memories, strict=True):
            if parameter.grad is not None:
                self._update(parameter.data, parameter.grad, memories)

    def zero_grad(self):
        """Drop the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def _update(self, value, gradient, memories):
        raise NotImplementedError(f"{type(self).__name__} does not define _update; use SGD or Adam")

    def state_dict(self):
        """{"lr": ..., "0.velocity": ..., ...}: all that `load_state_dict` needs to go on with the same bits."""
        state = {"lr": self.lr}
        for place, memories in enumerate(self._memories):
            state.update((f"{place}.{name}", np.copy(value)) for name, value in memories.items())
        return state

    def load_state_dict(self, state):
        """Take over what `state_dict` of an optimiser of the same kind and parameters gave.

        Raises
        ------
        ValueError
            If an entry does not fit; nothing is changed then.
        """
        _require_mapping(state)
        memories = [{} for _ in self.parameters]
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
        self.lr = number("lr in state", _plain(state.get("lr")), 0)
        self._memories = memories

    _memory_names = ()

    def _remembered(self, memories, name, like):
        """The array remembered under `name`, zeros at first."""
        if name not in memories:
            memories[name] = np.zeros_like(like)
            memory.note(memories[name], "optimizer")
        if memories[name].dtype != like.dtype:
            raise TypeError(f"a parameter has become {like.dtype} since the first step: make a new optimiser for it")
        return memories[name]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum as in PyTorch:

        g <- g + weight_decay p         u <- momentum u + g         p <- p - lr u

    and with Nesterov's momentum (Sutskever et al., ICML 2013) p <- p - lr (g + momentum u).

    Parameters
    ----------
    parameters : iterable of Tensor
    lr : float
    momentum : float
        At least 0 and below 1.  Not the gamma of a momentum network, which is part of the network.
    nesterov : bool
    weight_decay : float
    """  # fmt: skip

    _memory_names = ("velocity",)

    def __init__(self, parameters, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        super().__init__(parameters, lr)
        self.momentum = number("momentum", momentum, 0, below=1)
        self.nesterov = flag("nesterov", nesterov)
        self.weight_decay = number("weight_decay", weight_decay, 0)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")

    def _update(self, value, gradient, memories):
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
    parameters : iterable of Tensor
    lr : float
    betas : (float, float)
        Decay rates of the running means of gradients and squared gradients, at least 0 and below 1.
    eps : float
    weight_decay : float
    """

    _memory_names = ("mean", "square", "steps")

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas must be two numbers, got {shown(betas)}")
        self.betas = tuple(number("betas", beta, 0, below=1) for beta in betas)
        self.eps = number("eps", eps, 0)
        self.weight_decay = number("weight_decay", weight_decay, 0)

    def _update(self, value, gradient, memories):
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
    """Base class: sets `optimizer.lr` to its initial value times a factor of the number of steps so far.

    Parameters
    ----------
    optimizer : Optimizer

    Attributes
    ----------
    steps : int
        How often `step` was called.
    """

    def __init__(self, optimizer):
        self.optimizer = instance("optimizer", optimizer, Optimizer)
        self.initial_lr = optimizer.lr
        self.steps = 0
        self._apply()

    def factor(self, steps):
        """What the initial learning rate is multiplied with after `steps` steps."""
        raise NotImplementedError(f"{type(self).__name__} does not define factor")

    def step(self):
        """Go on by one step."""
        self.steps += 1
        self._apply()

    def _apply(self):
        self.optimizer.lr = self.initial_lr * self.factor(self.steps)

    def state_dict(self):
        """What `load_state_dict` needs."""
        return {"initial_lr": self.initial_lr, "steps": self.steps}

    def load_state_dict(self, state):
        """Take over what `state_dict` gave.

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
    """Multiply the learning rate by `decay` at each of the `milestones`, given in steps."""

    def __init__(self, optimizer, milestones, decay=0.1):
        if not isinstance(milestones, (tuple, list, range, np.ndarray)):
            raise TypeError(f"milestones must be a sequence of integers, got {shown(milestones)}")
        self.milestones = sorted(integer("milestones", milestone, 1) for milestone in milestones)
        self.decay = number("decay", decay, 0)
        super().__init__(optimizer)

    def factor(self, steps):
        """What the initial learning rate is multiplied with after `steps` steps."""
        return self.decay ** sum(milestone <= steps for milestone in self.milestones)


class CosineDecay(Schedule):
    """Rise linearly during `warmup` steps, then fall along half a cosine (Loshchilov and Hutter, ICLR 2017) to 0."""

    def __init__(self, optimizer, total, warmup=0):
        self.total, self.warmup = integer("total", total, 1), integer("warmup", warmup, 0)
        if self.warmup >= self.total:
            raise ValueError(f"warmup must be below total {self.total}, got {self.warmup}")
        super().__init__(optimizer)

    def factor(self, steps):
        """What the initial learning rate is multiplied with after `steps` steps."""
        if steps < self.warmup:
            return (steps + 1) / (self.warmup + 1)
        done = min(1.0, (steps - self.warmup) / (self.total - self.warmup))
        return 0.5 * (1 + math.cos(math.pi * done))


def _leaves(parameters):
    """The parameters as a list of different leaves."""
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


def _require_mapping(state):
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be a mapping, as state_dict gives it, got {type(state).__name__}")


def _plain(value):
    """An array with one element, as files have them, as a plain number."""
    return value.item() if isinstance(value, (np.ndarray, np.generic)) and value.size == 1 else value
