"""Stochastic gradient descent."""

from typing import Any

from ..base.checks import flag, number
from ..base.types import FloatArray
from .optimizer import Memories, Optimizer
from .parameters import Parameters


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as in PyTorch.

        g <- g + weight_decay p         u <- momentum u + g         p <- p - lr u

    and with Nesterov's momentum (Sutskever et al., ICML 2013) p <- p - lr (g + momentum u).

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Different leaves, or groups of them with settings of their own: ``[{"params": leaves, "lr": 0.1}, ...]``.
    lr : float
        The learning rate, at least 0.
    momentum : float
        At least 0 and below 1.  Not the gamma of a momentum network, which is part of the network.
    nesterov : bool
        Whether momentum is Nesterov's; needs a momentum above 0.
    weight_decay : float
        At least 0.

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
