"""The residual network run back approximately, by the function of its neighbour (Sander, Ablin, Peyré, NeurIPS 2022).

    x_{n+1} = x_n + f_n(x_n)        and back        x_n = x_{n+1} - f_n(x_{n+1}), approximately

f_n is evaluated at x_{n+1}, because x_n is not known.  If the N functions are of size 1/N and smooth, a layer is off by
1/N^2 and gradients by 1/N: the deeper, the better.  Functions that do not shrink with depth give useless gradients.
"""

from collections.abc import Iterable

import numpy as np

from ..base.types import Backprop, FloatArray
from .network import LayeredNet, Pull
from .replay import ResidualFunction
from .residual import PlainState, plain_adjoint
from .state import ArrayFunction


class AdjointResNet(LayeredNet["NeighbourState", FloatArray]):
    """A residual network in floating point, with approximate gradients that need no stored activations.

    It is used like `MomentumNet`, but what `invert` returns is near x_0 only if every f_n is small and smooth.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions, as for `MomentumNet`; about 1/N in size for useful gradients.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    backprop : {"reversible", "stored", "checkpointed"}
        What is kept for the backward pass: the final state, for approximate gradients; or as for `ResidualNet`.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it.

    Examples
    --------
    >>> net = AdjointResNet([lambda x: 0.01 * x] * 100)
    >>> net.invert(net.run([1.0])).round(3)
    array([0.99], dtype=float32)
    """

    ARITHMETICS = ("float",)
    SETTINGS = ("is_residual", "backprop")

    def __init__(
        self, functions: Iterable[ResidualFunction], is_residual: bool = True, backprop: Backprop = "reversible"
    ) -> None:  # fmt: skip
        super().__init__(functions, is_residual, "float", backprop)

    def start(self, x: FloatArray, invertible: bool) -> "NeighbourState":
        """x_0 = x."""
        return NeighbourState(x)

    def adjoint(self, gradient: FloatArray, pulls: Iterable[Pull]) -> tuple[FloatArray, None]:
        """dL/dx_0 from dL/dx_N, with functions differentiated at the approximate x_n."""
        return plain_adjoint(gradient, pulls), None


class NeighbourState(PlainState):
    """x as floats, which comes back approximately."""

    def undo(self, function: ArrayFunction, continues: bool = False) -> None:
        """x = x - f(x), with f evaluated at the x of the layer after."""
        x = np.asarray(self.position - function(self.position))
        function(x)  # for its tape, at the input of the layer
        self.position, self.layer = x, self.layer - 1
