"""Adam, and Adam with weight decay of its own."""

from typing import Any

from ..base.checks import number, shown
from ..base.types import FloatArray
from ..kernels import adam
from .optimizer import Memories, Optimizer
from .parameters import Parameters


class Adam(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015), with weight decay added to the gradient as in PyTorch.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Different leaves, or groups of them with settings of their own: ``[{"params": leaves, "lr": 0.1}, ...]``.
    lr : float
        The learning rate, at least 0.
    betas : (float, float)
        Decay rates of the running means of gradients and squared gradients, at least 0 and below 1.
    eps : float
        Added to the root of the mean square, at least 0.
    weight_decay : float
        At least 0.

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
        self, value: FloatArray, gradient: FloatArray, memories: Memories, *, weight_decay: float, **settings: Any
    ) -> None:
        if weight_decay:
            gradient = gradient + weight_decay * value
        self._move(value, gradient, memories, **settings)

    def _move(
        self, value: FloatArray, gradient: FloatArray, memories: Memories, *,
        lr: float, betas: tuple[float, float], eps: float, shrink: float = 1.0,
    ) -> None:  # fmt: skip
        """Multiply the parameter by `shrink`, and then change it by Adam's rule."""
        mean, square = (self._remembered(memories, name, value) for name in ("mean", "square"))
        memories["steps"] = steps = memories.get("steps", 0) + 1
        mean_beta, square_beta = betas
        adam.step(
            value, gradient, mean, square, mean_beta, 1 - mean_beta, square_beta, 1 - square_beta,
            1 - square_beta**steps, eps, lr / (1 - mean_beta**steps), shrink,
        )  # fmt: skip


class AdamW(Adam):
    """Adam with weight decay of its own, p <- (1 - lr weight_decay) p (Loshchilov and Hutter, ICLR 2019).

    Parameters
    ----------
    parameters, lr, betas, eps
        As for `Adam`.
    weight_decay : float
        At least 0.

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

    def _update(
        self, value: FloatArray, gradient: FloatArray, memories: Memories, *, weight_decay: float, **settings: Any
    ) -> None:
        self._move(value, gradient, memories, shrink=1 - settings["lr"] * weight_decay, **settings)
