"""The reversible residual network of Gomez, Ren, Urtasun and Grosse (NeurIPS 2017): two streams, x = (a, b).

    (a, b) -> (b, a + f_n(b))

Two such layers are the block of the publication, y_1 = x_1 + F(x_2), y_2 = x_2 + G(y_1).  The inverse,
here with (a', b') for the layer's result, is closed and divides by nothing:

    b = a'      a = b' - f_n(b)

so integers come back exactly without side information.  The price: functions see and compute half of the channels, so
they are not those of a residual network, and the layers keep volume (their Jacobian has determinant +-1, whatever f),
so that no fixed point attracts.
"""

import zlib
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from ..base.types import AnyArray, Arithmetic, Backprop, FloatArray
from ..kernels import exact, momentum
from ..kernels.elementwise import in_shares
from .network import LayeredNet, Pull
from .replay import ResidualFunction
from .state import ArrayFunction, State


class RevNet(LayeredNet["CoupledState", FloatArray]):
    """A residual network of two coupled streams, the halves of x along its last axis, trained like `MomentumNet`.

    ``net.run(x)`` gives the final state, a `CoupledState`.  At layer n it is x_n = (a_n, b_n); the network returns x_N.

    Parameters
    ----------
    functions : sequence of callables
        As for `MomentumNet`, but each of half of the channels: ``f(b, *inputs, **keywords)`` returns a tensor like b.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(b) = function(b) - b.
    arithmetic : {"exact", "float"}
        Whether a and b are integers, in units of 2^-40 (9.1e-13) and up to 2,097,152, and the inversion exact to the
        last bit; or floats, which come back nearly.
    backprop : {"reversible", "stored", "checkpointed"}
        As for `MomentumNet`.  In exact arithmetic the reversible way notices, by a checksum of x_0, if what it runs
        back through was changed, except in one case of 2^32.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it, or if x cannot be split.

    Examples
    --------
    >>> RevNet([lambda b: 2 * b])([1.0, 2.0])
    Tensor([2., 5.], dtype=float32)
    """

    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        is_residual: bool = True,
        arithmetic: Arithmetic = "exact",
        backprop: Backprop = "reversible",
    ) -> None:
        super().__init__(functions, is_residual, arithmetic, backprop)

    def start(self, x: FloatArray, invertible: bool) -> "CoupledState":
        """x_0 in two halves."""
        if x.ndim == 0 or x.shape[-1] % 2:
            raise ValueError(f"x must have an even number of elements on its last axis, its halves, got {x.shape}")
        return ExactCoupledState(x, invertible) if self.arithmetic == "exact" else FloatCoupledState(x)

    def adjoint(self, gradient: FloatArray, pulls: Iterable[Pull]) -> tuple[FloatArray, None]:
        """dL/dx_0 from dL/dx_N.  With p = dL/da and q = dL/db, for the layer (a, b) -> (b, a + f(b)):

            dL/df_n = q_{n+1}      p_n = q_{n+1}      q_n = p_{n+1} + (df_n/db)^T q_{n+1}
        """  # fmt: skip
        p, q = _halves(gradient)
        for pull in pulls:
            p, q = q, in_shares(np.add, p, pull(q))  # a new array: q was handed out
        return np.concatenate([p, q], axis=-1), None


class CoupledState(State):
    """Two streams, `first` = a and `second` = b: as floats, or as integers in units of 2^-40."""

    variables: ClassVar = {"first": "x", "second": "x"}
    first: AnyArray
    second: AnyArray


class FloatCoupledState(CoupledState):
    """a and b as floats.  Going back rounds once per layer, as going forward does."""

    step_name = "float coupled step"

    def __init__(self, x: FloatArray) -> None:
        self.first, self.second = _halves(x)

    def input(self, lasting: bool = False) -> FloatArray:
        """b; the step after the next overwrites the array, unless it must be `lasting`."""
        return self.second.copy() if lasting else self.second

    def output(self) -> FloatArray:
        """(a, b) in one array."""
        return np.concatenate([self.first, self.second], axis=-1)

    def step(self, residual: FloatArray) -> None:
        """(a, b) = (b, a + f(b))."""
        momentum.add(self.first, residual)
        self.first, self.second = self.second, self.first
        self.layer += 1

    def undo(self, function: ArrayFunction, continues: bool = False) -> None:
        """(a, b) = (b - f(a), a)."""
        np.subtract(self.second, function(self.first), out=self.second)
        self.first, self.second = self.second, self.first
        self.layer -= 1


class ExactCoupledState(CoupledState):
    """a and b as integers.  Functions see the nearest floats, going forward and going back.

    invertible : whether a checksum of x_0 is kept, by which `can_be_start` knows it again
    """

    step_name = "exact coupled step"

    def __init__(self, x: FloatArray, invertible: bool = True) -> None:
        self._dtype: np.dtype[Any] = x.dtype
        self.first, self.second = _halves(exact.to_units("x", x))
        self._floats: list[FloatArray | None] = [None, None]  # of a and b, where they are at hand
        self._checksum = self._sum() if invertible else None

    def input(self, lasting: bool = False) -> FloatArray:
        """b as floats, in an array that no later step overwrites."""
        first, second = self._floats
        if second is None:
            second = exact.to_floats(self.second, self._dtype)
            self._floats = [first, second]
        return second

    def output(self) -> FloatArray:
        """(a, b) as floats, in one array."""
        b, self._floats[1] = self.input(), None
        return np.concatenate([exact.to_floats(self.first, self._dtype), b], axis=-1)

    def step(self, residual: FloatArray) -> None:
        """(a, b) = (b, a + f(b))."""
        self._floats = [None, exact.add(self.first, residual)]
        self.first, self.second = self.second, self.first
        self.layer += 1

    def undo(self, function: ArrayFunction, continues: bool = False) -> None:
        """(a, b) = (b - f(a), a); with `continues`, a is kept as floats for the layer before."""
        x = exact.to_floats(self.first, self._dtype) if self._floats[0] is None else self._floats[0]
        self._floats = [x, None]
        floats = exact.add(self.second, function(x), sign=-1)
        self.first, self.second = self.second, self.first
        self._floats = [floats if continues else None, x]
        self.layer -= 1

    def copy(self) -> "ExactCoupledState":
        """An independent state."""
        other = super().copy()
        other._floats = [None, None]
        return other

    def can_be_start(self, velocity: FloatArray | None) -> bool:
        """Whether the checksum is that of x_0."""
        return self._sum() == self._checksum

    def _sum(self) -> int:
        return zlib.crc32(self.second.data, zlib.crc32(self.first.data))


def _halves(array: AnyArray) -> tuple[AnyArray, AnyArray]:
    """The two halves along the last axis, as arrays of their own."""
    middle = array.shape[-1] // 2
    return np.array(array[..., :middle], order="C"), np.array(array[..., middle:], order="C")
