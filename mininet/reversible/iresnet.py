"""The invertible residual network (Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen, ICML 2019).

    y = x + f(x)      with the Lipschitz constant of f below 1

Then f is a contraction, and so is x -> y - f(x), whose fixed point is the x that y came from: the inverse is an
iteration (the publication's algorithm 1), with an error that falls by the Lipschitz constant c each time:

    x <- y            x <- y - f(x), again and again            |error after k iterations| <= c^k / (1 - c) |f(y)|

Functions are kept contractive by `limit_lipschitz`: a constraint on training that `MomentumNet` and `RevNet` do not
have.
"""

import math
import numbers

import numpy as np

from .. import memory
from ..profiling import measured_as
from .network import LayeredNet, network_operation
from .residual import PlainState, ResidualRule

SMALLEST_STEP = 64
"""Iterations stop, unless told otherwise, at a step of so many epsilons of the largest |y|.  Below, they may go on for
ever in rounding errors: those of Winograd's convolutions were seen to keep x moving by 2 to 18."""


class IResNet(LayeredNet):
    """A residual network of contractive functions, inverted by fixed-point iteration, in floating point.

    Called as ``net(x, *inputs, **keywords)``; ``run(x)`` gives the final state, an `IteratedState`, ``invert(state)``
    returns x_0, ``check_inversion(x)`` reports how nearly all x_n come back.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions, as for `MomentumNet`, each with a Lipschitz constant below 1 in x (see
        `limit_lipschitz`).
    backprop : {"reversible", "stored", "checkpointed"}
        What is kept for the backward pass: the final state, which takes as many evaluations more as the iterations
        need; all activations; the state every sqrt(N) layers.
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
    """

    ARITHMETICS = ("float",)
    _operation = network_operation("i_res_net")

    def __init__(self, functions, backprop="reversible", iterations=500, tolerance=None):
        super().__init__(functions, True, "float", backprop)
        self.iterations, self.tolerance = iterations, tolerance
        self._check_settings()

    def _check_settings(self):
        super()._check_settings()
        if not self.is_residual:
            raise ValueError("is_residual must be True for an IResNet, got False: a whole block is no contraction")
        is_integer = isinstance(self.iterations, numbers.Integral) and not isinstance(self.iterations, bool)
        if not (is_integer and self.iterations >= 1):
            raise ValueError(f"iterations must be an integer of at least 1, got {self.iterations!r}")
        is_number = isinstance(self.tolerance, numbers.Real) and not isinstance(self.tolerance, bool)
        if self.tolerance is not None and not (is_number and 0 < self.tolerance < 1):
            raise ValueError(f"tolerance must be None or a number between 0 and 1, got {self.tolerance!r}")

    def described(self):
        """The settings of this net, for `repr`."""
        return (
            f"depth={len(self.functions)}, backprop={self.backprop!r}, iterations={self.iterations}, "
            f"tolerance={self.tolerance}"
        )

    def rule(self):
        """x + f(x), inverted with the settings of now."""
        return IteratedRule(self.iterations, self.tolerance)


class IteratedRule(ResidualRule):
    """x -> x + f(x), inverted by iteration."""

    def __init__(self, iterations, tolerance):
        self._iterations, self._tolerance = iterations, tolerance

    def state(self, x, invertible):
        """x_0."""
        tolerance = SMALLEST_STEP * float(np.finfo(x.dtype).eps) if self._tolerance is None else self._tolerance
        return IteratedState(x, self._iterations, tolerance)


class IteratedState(PlainState):
    """x as floats, which finds its way back by fixed-point iteration.

    Attributes
    ----------
    position : ndarray
    evaluations : list of int
        For every layer undone so far, last one first, how many times its function was evaluated.
    """

    def __init__(self, position, iterations, tolerance):
        super().__init__(position)
        self._iterations, self._tolerance = iterations, tolerance
        self.evaluations = []

    def _copy_arrays(self):
        super()._copy_arrays()
        self.evaluations = list(self.evaluations)

    @measured_as("fixed-point iteration")
    def undo_input(self, function):
        """First half of undoing a layer: iterate until x is what the function was evaluated at.

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
                step = float(np.abs(x - before).max(initial=0))
            if count == 1:  # a scale from the beginning: x may leave all bounds
                allowed = self._tolerance * max(largest, float(np.abs(x).max(initial=0)))
            if step <= allowed < math.inf:
                self.position = x
                memory.note(x, "state")
                self.evaluations.append(count)
                self.layer -= 1
                return
            if not math.isfinite(step):
                break
        raise RuntimeError(
            f"the fixed-point iteration x <- y - f(x) did not converge in layer {self.layer - 1}: after {count} of "
            f"{self._iterations} iterations x still moves by {step:.3g}, where {allowed:.3g} is allowed; the "
            "residual function is not a contraction there (see limit_lipschitz), or so nearly none that it needs more "
            "iterations"
        )

    def undo_rest(self, residual, go_on=False):
        """Nothing is left to be done: x is all."""
