"""Optimisers, and schedules for their learning rate."""

import math
import operator

import numpy as np

from . import memory
from .autodiff import Tensor
from .profiling import measured_as


def _number(name, value, lowest=0.0, below=math.inf):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value < below:
        limit = "" if below == math.inf else f" and below {below:g}"
        raise ValueError(f"{name} must be a finite number of at least {lowest:g}{limit}, got {value!r}")
    return float(value)


class Optimizer:
    """Base class: a list of parameters, a learning rate, and arrays remembered for each parameter.

    Parameters
    ----------
    parameters : iterable of Tensor
        Those without a gradient, frozen or unused, are left as they are by `step`.
    lr : float
        Learning rate.
    """

    def __init__(self, parameters, lr):
        self.parameters = list(parameters)
        for parameter in self.parameters:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"parameters must be tensors, got {type(parameter).__name__}")
        if not self.parameters:
            raise ValueError("parameters must hold at least one tensor")
        self.lr = _number("lr", lr)
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
        raise NotImplementedError

    def state_dict(self):
        """{"lr": ..., "0.velocity": ..., ...}: all that `load_state_dict` needs to go on with the same bits."""
        state = {"lr": self.lr}
        for number, memories in enumerate(self._memories):
            state.update((f"{number}.{name}", np.copy(value)) for name, value in memories.items())
        return state

    def load_state_dict(self, state):
        """Take over what `state_dict` of an optimiser of the same kind and parameters gave.

        Raises
        ------
        ValueError
            If an entry does not fit; nothing is changed then.
        """
        memories = [{} for _ in self.parameters]
        for key, value in state.items():
            if key == "lr":
                continue
            number, _, name = key.partition(".")
            if not number.isdecimal() or int(number) >= len(memories) or name not in self._memory_names:
                raise ValueError(
                    f"state has an entry {key!r} that does not fit {type(self).__name__} with "
                    f"{len(memories)} parameters"
                )
            array, like = np.array(value), self.parameters[int(number)]
            if name == "steps":
                memories[int(number)][name] = _count(f"state entry {key!r}", array.item(), 0)
                continue
            if (array.shape, array.dtype) != (like.shape, like.dtype):
                raise ValueError(
                    f"state entry {key!r} must have shape {like.shape} and dtype {like.dtype}, got "
                    f"{array.shape} and {array.dtype}"
                )
            memories[int(number)][name] = array
        self.lr = _number("lr in state", float(state["lr"]) if "lr" in state else None)
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
        self.momentum = _number("momentum", momentum, below=1)
        self.nesterov = bool(nesterov)
        self.weight_decay = _number("weight_decay", weight_decay)
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
        if len(betas) != 2:
            raise ValueError(f"betas must be two numbers, got {betas!r}")
        self.betas = tuple(_number("betas", beta, below=1) for beta in betas)
        self.eps = _number("eps", eps)
        self.weight_decay = _number("weight_decay", weight_decay)

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
        self.optimizer = optimizer
        self.initial_lr = optimizer.lr
        self.steps = 0
        self._apply()

    def factor(self, steps):
        """What the initial learning rate is multiplied with after `steps` steps."""
        raise NotImplementedError

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
        """Take over what `state_dict` gave."""
        self.initial_lr = _number("initial_lr in state", float(state["initial_lr"]))
        self.steps = _count("steps in state", state["steps"], 0)
        self._apply()


def _count(name, value, lowest=1):
    count = operator.index(value)
    if count < lowest:
        raise ValueError(f"{name} must be at least {lowest}, got {count}")
    return count


class MultiStepDecay(Schedule):
    """Multiply the learning rate by `decay` at each of the `milestones`, given in steps."""

    def __init__(self, optimizer, milestones, decay=0.1):
        self.milestones = sorted(_count("milestones", milestone) for milestone in milestones)
        self.decay = _number("decay", decay)
        super().__init__(optimizer)

    def factor(self, steps):
        """What the initial learning rate is multiplied with after `steps` steps."""
        return self.decay ** sum(milestone <= steps for milestone in self.milestones)


class CosineDecay(Schedule):
    """Rise linearly during `warmup` steps, then fall along half a cosine (Loshchilov and Hutter, ICLR 2017) to 0."""

    def __init__(self, optimizer, total, warmup=0):
        self.total, self.warmup = _count("total", total), _count("warmup", warmup, 0)
        if self.warmup >= self.total:
            raise ValueError(f"warmup must be below total {self.total}, got {self.warmup}")
        super().__init__(optimizer)

    def factor(self, steps):
        """What the initial learning rate is multiplied with after `steps` steps."""
        if steps < self.warmup:
            return (steps + 1) / (self.warmup + 1)
        done = min(1.0, (steps - self.warmup) / (self.total - self.warmup))
        return 0.5 * (1 + math.cos(math.pi * done))
