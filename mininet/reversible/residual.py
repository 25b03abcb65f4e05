"""The residual network (He et al., CVPR 2016), x_{n+1} = x_n + f_n(x_n): what all the others are compared with.

It has no inverse in closed form and may have none at all, so its activations are stored, or computed again from
checkpoints, every sqrt(N) layers, which takes memory of order sqrt(N) and one more forward pass (Chen, Xu, Zhang,
Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016).
"""

from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np

from ..base.types import FloatArray
from ..kernels import momentum
from ..kernels.elementwise import in_shares
from .network import LayeredNet, Pull
from .replay import ResidualFunction
from .state import State


class ResidualNet(LayeredNet["PlainState", FloatArray]):
    """A residual network in floating point, with stored or checkpointed backpropagation.

    It is used like `MomentumNet`, but `invert` and `check_inversion` raise ValueError.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions, as for `MomentumNet`.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    backprop : {"stored", "checkpointed"}
        What is kept for the backward pass: all activations; x every sqrt(N) layers.  The checkpointed way notices if
        parameters have changed in between.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it.

    Examples
    --------
    >>> ResidualNet([lambda x: 2 * x, lambda x: x + 1])([1.0])
    Tensor([7.], dtype=float32)
    """

    ARITHMETICS = ("float",)
    BACKPROPS = ("stored", "checkpointed")
    SETTINGS = ("is_residual", "backprop")

    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        is_residual: bool = True,
        backprop: Literal["stored", "checkpointed"] = "stored",
    ) -> None:
        super().__init__(functions, is_residual, "float", backprop)

    def start(self, x: FloatArray, invertible: bool) -> "PlainState":
        """x_0 = x."""
        return PlainState(x)

    def adjoint(self, gradient: FloatArray, pulls: Iterable[Pull]) -> tuple[FloatArray, None]:
        """dL/dx_0 from dL/dx_N."""
        return plain_adjoint(gradient, pulls), None

    def _require_invertible(self) -> None:
        raise ValueError(
            "a ResidualNet cannot be inverted: x + f(x) has no inverse in closed form; use MomentumNet or RevNet, "
            "or IResNet if f is a contraction"
        )


class PlainState(State):
    """x as floats, `position`."""

    variables: ClassVar = {"position": "x"}
    step_name = "residual step"

    def __init__(self, position: FloatArray) -> None:
        self.position = np.array(position, order="C")

    def input(self, lasting: bool = False) -> FloatArray:
        """x; the next step overwrites the array, unless it must be `lasting`."""
        return self.position.copy() if lasting else self.position

    def step(self, residual: FloatArray) -> None:
        """x = x + f(x)."""
        momentum.add(self.position, residual)
        self.layer += 1


def plain_adjoint(gradient: FloatArray, pulls: Iterable[Pull]) -> FloatArray:
    """With p = dL/dx:  dL/df = p,  dL/dtheta = (df/dtheta)^T p,  p = p + (df/dx)^T p."""
    p = gradient
    for pull in pulls:
        p = np.asarray(in_shares(np.add, p, pull(p)))  # a new array: the old one was handed out
    return p
