"""Learning rates that depend on the number of steps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.checks import instance, integer, number, shown
from ..base.types import IntegerArray
from .optimizer import Optimizer
from .states import plain, rates_in, require_mapping


class Schedule:
    """Base class: sets the optimiser's learning rates to the initial ones times a factor that depends on the steps.

    The attribute `steps` counts the calls of `step`.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rates at this moment are the initial ones.

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
        """Compute the factor of the initial learning rate.

        Parameters
        ----------
        steps
            How many have been taken; 0 before the first.
        """
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

        Parameters
        ----------
        state
            From a schedule of as many groups of parameters.

        Raises
        ------
        ValueError
            If an entry does not fit; nothing is changed then.
        """
        require_mapping(state)
        if state.keys() != self.state_dict().keys():
            raise ValueError(f"state must have {', '.join(self.state_dict())}, got {', '.join(map(repr, state))}")
        rates = rates_in("initial_lr", state, len(self.initial_lrs))
        steps = integer("steps in state", plain(state.get("steps")), 0)
        self.initial_lrs, self.steps = rates, steps
        self._apply()


class MultiStepDecay(Schedule):
    """Multiply the learning rate by `decay` at each of the `milestones`, given in steps.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rates at this moment are the initial ones.
    milestones : sequence of int
        Counts of steps, at least 1.
    decay : float
        At least 0.

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

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rates at this moment are the initial ones.
    total : int
        After how many steps the rate is 0.
    warmup : int
        Below `total`.

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
