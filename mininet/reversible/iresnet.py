"""The invertible residual network (Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen, ICML 2019).

    y = x + f(x)      with the Lipschitz constant of f below 1

Then f is a contraction, and so is x -> y - f(x), whose fixed point is the x that y came from: the inverse is an
iteration (the publication's algorithm 1), with an error that falls by the Lipschitz constant c each time:

    x <- y            x <- y - f(x), again and again            |error after k iterations| <= c^k / (1 - c) |f(y)|

Functions are kept contractive by `limit_lipschitz`: a constraint on training that `MomentumNet` and `RevNet` do not
have.
"""

import math
from collections.abc import Iterable

import numpy as np

from ..base.checks import integer, number
from ..base.types import Backprop, FloatArray
from .network import LayeredNet, Pull
from .replay import ResidualFunction
from .residual import PlainState, plain_adjoint
from .state import ArrayFunction

SMALLEST_MOVE = 64
"""Iterations stop by default at a move of this many machine epsilons of the largest |y|.  Below, rounding errors may
keep x moving forever: those of Winograd's convolutions do by 2 to 18."""


class IResNet(LayeredNet["IteratedState", FloatArray]):
    """A residual network of contractive functions, inverted by fixed-point iteration, in floating point.

    It is used like `MomentumNet`; ``net.run(x)`` gives the final state, an `IteratedState`.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions, as for `MomentumNet`, each with a Lipschitz constant below 1 in x (see
        `limit_lipschitz`).
    backprop : {"reversible", "stored", "checkpointed"}
        What is kept for the backward pass: the final state, which costs more evaluations, one per iteration; all
        activations; the state every sqrt(N) layers.
    iterations : int
        How many times a function is evaluated at most to undo its layer.
    tolerance : float, optional
        Iteration stops when no element moves by more than this, relative to the largest of y = x + f(x) and y - f(y).
        Above 0 and below 1; by default 64 machine epsilons of x.  The error that is left is at most c / (1 - c) times
        as large, c being the Lipschitz constant.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it.
    RuntimeError
        When a layer is undone, in `invert`, `check_inversion` or the reversible backward pass, whose iteration does not
        converge.

    Examples
    --------
    >>> net = IResNet([lambda x: 0.5 * x])
    >>> net([2.0])
    Tensor([3.], dtype=float32)
    >>> net.invert(net.run([2.0])).round(3)
    array([2.], dtype=float32)
    """

    ARITHMETICS = ("float",)
    SETTINGS = ("backprop", "iterations", "tolerance")

    iterations: int
    tolerance: float | None

    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        backprop: Backprop = "reversible",
        iterations: int = 500,
        tolerance: float | None = None,
    ) -> None:
        super().__init__(functions, True, "float", backprop, iterations=iterations, tolerance=tolerance)

    def _check_settings(self) -> None:
        super()._check_settings()
        if not self.is_residual:
            raise ValueError("is_residual must be True for an IResNet, got False: a whole block is no contraction")
        integer("iterations", self.iterations, 1)
        if self.tolerance is not None:
            number("tolerance", self.tolerance, above=0, below=1)

    def start(self, x: FloatArray, invertible: bool) -> "IteratedState":
        """x_0 = x."""
        tolerance = SMALLEST_MOVE * float(np.finfo(x.dtype).eps) if self.tolerance is None else self.tolerance
        return IteratedState(x, self.iterations, tolerance)

    def adjoint(self, gradient: FloatArray, pulls: Iterable[Pull]) -> tuple[FloatArray, None]:
        """dL/dx_0 from dL/dx_N."""
        return plain_adjoint(gradient, pulls), None


class IteratedState(PlainState):
    """x as floats, which finds its way back by fixed-point iteration.

    evaluations : for every layer undone so far, last one first, how many times its function was evaluated
    """

    def __init__(self, position: FloatArray, iterations: int, tolerance: float) -> None:
        super().__init__(position)
        self._iterations, self._tolerance = iterations, tolerance
        self.evaluations: list[int] = []

    def copy(self) -> "IteratedState":
        """An independent state."""
        other = super().copy()
        other.evaluations = list(self.evaluations)
        return other

    def undo(self, function: ArrayFunction, continues: bool = False) -> None:
        """Iterate x = y - f(x) from x = y = x_{n+1} until x stands still, at x_n.

        Raises
        ------
        RuntimeError
            If the iteration does not converge.
        """
        y = x = self.position
        largest = float(np.abs(y).max(initial=0))
        for count in range(1, self._iterations + 1):
            with np.errstate(over="ignore", invalid="ignore"):  # where it leaves all bounds, the error says so
                before, x = x, np.asarray(y - function(x))
                moved = float(np.abs(x - before).max(initial=0))
            if count == 1:  # a scale from the beginning: x may leave all bounds
                allowed = self._tolerance * max(largest, float(np.abs(x).max(initial=0)))
            if moved <= allowed < math.inf:
                function(x)  # for its tape, at the input of the layer
                self.evaluations.append(count)
                self.position, self.layer = x, self.layer - 1
                return
            if not math.isfinite(moved):
                break
        raise RuntimeError(
            f"the fixed-point iteration x <- y - f(x) did not converge in layer {self.layer - 1}: after {count} of "
            f"{self._iterations} iterations x still moves by {moved:.3g}, where {allowed:.3g} is allowed; the "
            "residual function is not a contraction there (see limit_lipschitz), or so nearly none that it needs more "
            "iterations"
        )
