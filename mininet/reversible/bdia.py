"""BDIA for residual networks (Zhang, Lewis, Kleijn, arXiv 2407.09093, 2024): trained reversibly, used as a ResNet.

    x_1 = x_0 + f_0(x_0)        x_{n+1} = gamma x_{n-1} + (1 - gamma) x_n + (1 + gamma) f_n(x_n)

In training gamma is 1/2 or -1/2, drawn for each layer and sample.  In evaluation it is its mean, 0, which leaves the
residual network x_{n+1} = x_n + f_n(x_n) with the same parameters.  The layer has an inverse in closed form,

    x_{n-1} = (x_{n+1} - (1 - gamma) x_n - (1 + gamma) f_n(x_n)) / gamma

that doubles errors.  So positions are integers, and one bit per element and layer is kept: whether x_{n-1} is odd,
which halving it loses.  With p_n = dL/dx_n after layer n, and r_n for what layer n gives to dL/dx_{n-1}, the adjoint is

    dL/df_n = (1 + gamma) p_{n+1}        r_n = gamma p_{n+1}
    p_n = r_{n+1} + (1 - gamma) p_{n+1} + (df_n/dx)^T dL/df_n
"""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from .. import seeding
from ..base.instruments import note
from ..base.types import AnyArray, Backprop, FloatArray, IntegerArray
from ..kernels import bdia, exact
from .network import LayeredNet, Pull
from .replay import ResidualFunction
from .state import ArrayFunction, ExactPositionState


class BDIANet(LayeredNet["BDIAState", FloatArray]):
    """A residual network that is run back exactly in training, by one bit per element and layer.

    It is used like `MomentumNet`.  In evaluation mode it is a `ResidualNet` of the same functions, up to rounding to
    multiples of 2^-40, and cannot be run back.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions, as for `MomentumNet`.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    backprop : {"reversible", "stored", "checkpointed"}
        As for `MomentumNet`.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it, and in evaluation mode if it would have to be run back.

    Examples
    --------
    >>> net = BDIANet([lambda x: 0.5 * x] * 3)
    >>> net.invert(net.run([1.0, -2.0]))
    array([ 1., -2.], dtype=float32)
    >>> net.eval().trajectory([2.0])[-1]  # 1.5^3 times as much: no gamma in evaluation
    array([6.75], dtype=float32)
    """

    ARITHMETICS = ("exact",)
    SETTINGS = ("is_residual", "backprop")

    def __init__(
        self, functions: Iterable[ResidualFunction], is_residual: bool = True, backprop: Backprop = "reversible"
    ) -> None:  # fmt: skip
        super().__init__(functions, is_residual, "exact", backprop)

    def start(self, x: FloatArray, invertible: bool) -> "BDIAState":
        """x_0, and the signs of gamma, which this run's `adjoint` needs again."""
        if invertible and not self.training:
            raise ValueError(
                "a BDIANet in evaluation mode is a residual network and cannot be run back: call train(), or use "
                "no_grad() or backprop='stored'"
            )
        self._signs = np.zeros((len(self.functions), x.shape[0] if x.ndim else 1), np.int64)
        if self.training:
            random = seeding.generator_for(*seeding.next_draw())
            self._signs[1:] = random.choice((-1, 1), self._signs[1:].shape)
        return BDIAState(x, self._signs, invertible)

    def adjoint(self, gradient: FloatArray, pulls: Iterable[Pull]) -> tuple[FloatArray, None]:
        """dL/dx_0 from dL/dx_N."""
        p, r = gradient, np.zeros_like(gradient)
        gammas = (self._signs / 2).astype(gradient.dtype).reshape(-1, *gradient.shape[:1], *[1] * (gradient.ndim - 1))
        for gamma, pull in zip(gammas[::-1], pulls, strict=False):
            p, r = r + (1 - gamma) * p + pull((1 + gamma) * p), gamma * p
        return p, None


class BDIAState(ExactPositionState):
    """x_{n-1} and x_n as integers in units of 2^-40, `previous` and `position`; at layer 0 `previous` is 0.

    signs : those of gamma, an int64 for each layer and sample; 0 in layer 0, and in evaluation
    invertible : whether the bits that halving loses are kept
    """

    variables: ClassVar = {"previous": "x", "position": "x"}
    step_name = "BDIA step"

    def __init__(self, x: FloatArray, signs: IntegerArray, invertible: bool) -> None:
        super().__init__(x)
        self.previous = np.zeros_like(self.position)
        self._signs = signs
        self._odd: list[AnyArray] | None = [] if invertible else None
        self._began_here = True

    def step(self, residual: FloatArray) -> None:
        """x_{n+1}, and the bits that say which elements of x_{n-1} were odd."""
        signs = self._signs[self.layer]
        self._input, odd = bdia.step(self.previous, self.position, residual, signs, self._dtype)
        if self._odd is not None:
            self._odd.append(np.packbits(odd))
            note(self._odd[-1], "side information")
        self.previous, self.position = self.position, self.previous
        self.layer += 1

    def undo(self, function: ArrayFunction, continues: bool = False) -> None:
        """x_{n-1}; in layer 0, which knows x_0 already, whether x_1 - f(x_0) is x_0."""
        assert self._odd is not None
        self._input = None
        x = exact.to_floats(self.previous, self._dtype)
        residual, bits = function(x), self._odd.pop()
        self.layer, self._input = self.layer - 1, x
        self.previous, self.position = self.position, self.previous
        if self.layer:
            odd = np.unpackbits(bits, count=self.position.size)
            bdia.undo(self.previous, self.position, residual, odd, self._signs[self.layer])
        else:
            exact.add(self.previous, residual, sign=-1)
            self._began_here = bool(np.array_equal(self.previous, self.position))
            self.previous.fill(0)

    def copy(self) -> "BDIAState":
        """An independent state."""
        other = super().copy()
        other._odd = None if self._odd is None else list(self._odd)
        return other

    def can_be_start(self, velocity: FloatArray | None) -> bool:
        """Whether layer 0 led from x_0 to x_1."""
        return self._began_here
