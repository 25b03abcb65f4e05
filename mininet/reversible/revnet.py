"""The reversible residual network of Gomez, Ren, Urtasun and Grosse (NeurIPS 2017): two streams, x = (a, b).

    (a, b) -> (b, a + f_n(b))

Two such layers are the block of the publication, y_1 = x_1 + F(x_2), y_2 = x_2 + G(y_1).  The inverse,
here with (a', b') for the layer's result, is closed and divides by nothing:

    b = a'      a = b' - f_n(b)

so integers come back exactly without side information.  The price: functions see and compute half of the channels, so
they are not those of the residual network with the same x, and the layers keep volume (their Jacobian has determinant
+-1, whatever f), so that no fixed point attracts.
"""

import zlib

import numpy as np

from .. import memory
from ..kernels import exact
from ..kernels.elementwise import in_shares
from ..kernels.momentum import add
from ..profiling import measured_as
from .network import LayeredNet, network_operation
from .protocol import Adjoint, IntegerState, Rule, State, not_repeated, require_in_range, to_units


class RevNet(LayeredNet):
    """A residual network of two coupled streams, trained without storing activations.

    x is split into two halves along its last axis.  Called as ``net(x, *inputs, **keywords)``; ``run(x)`` gives the
    final state, a `CoupledState`, ``invert(state)`` returns x_0 as floats, ``check_inversion(x)`` reports how exactly
    all x_n come back.  At layer n the state is x_n = (a_n, b_n), and x_N is what the network returns.

    Parameters
    ----------
    functions : sequence of callables
        f_0, ..., f_{N-1}, each of half of the channels: ``f(b, *inputs, **keywords)`` returns a tensor like b.
        Otherwise as for `MomentumNet`.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(b) = function(b) - b.
    arithmetic : {"exact", "float"}
        Whether a and b are integers, in units of 2^-40 (9.1e-13) and up to 2,097,152, and the inversion exact to the
        last bit; or floats, which come back nearly.
    backprop : {"reversible", "stored", "checkpointed"}
        As for `MomentumNet`.  In exact arithmetic, the reversible way notices (but for one case in 2^32, by a checksum
        of x_0) if what it runs back through was changed.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it, or if x cannot be split.
    """

    _operation = network_operation("rev_net")

    def __init__(self, functions, is_residual=True, arithmetic="exact", backprop="reversible"):
        super().__init__(functions, is_residual, arithmetic, backprop)
        self._check_settings()

    def described(self):
        """The settings of this net, for `repr`."""
        return (
            f"depth={len(self.functions)}, is_residual={self.is_residual}, "
            f"arithmetic={self.arithmetic!r}, backprop={self.backprop!r}"
        )

    def rule(self):
        """Coupled streams in the arithmetic of now."""
        return CoupledRule(self.arithmetic)


class CoupledRule(Rule):
    """(a, b) -> (b, a + f(b))."""

    def __init__(self, arithmetic):
        self._is_exact = arithmetic == "exact"

    def state(self, x, invertible):
        """x_0 in two halves."""
        if x.ndim == 0 or x.shape[-1] % 2:
            raise ValueError(f"x must have an even number of elements on its last axis, its halves, got {x.shape}")
        return ExactCoupledState(x, invertible) if self._is_exact else FloatCoupledState(x)

    def adjoint(self, gradient):
        """dL/da_N and dL/db_N, the halves of `gradient`."""
        return CoupledAdjoint(gradient)


class CoupledState(State):
    """Two streams.

    Attributes
    ----------
    first, second : ndarray
        a and b, the halves of x; as floats, or as integers in units of 2^-40.
    """

    def arrays(self):
        """(a, b) themselves."""
        return self.first, self.second

    def _copy_arrays(self):
        self.first, self.second = self.first.copy(), self.second.copy()

    def _swap(self):
        self.first, self.second = self.second, self.first


class FloatCoupledState(CoupledState):
    """a and b as floats.  Going back rounds once a layer, as going forward does."""

    def __init__(self, x):
        self.first, self.second = _halves(x)
        self._note("state")

    def value(self):
        """b; the array is overwritten by the step after the next, or by undoing."""
        return self.second

    def output(self):
        """(a, b) in one array."""
        return np.concatenate([self.first, self.second], axis=-1)

    @measured_as("float coupled step")
    def step(self, residual):
        """Run one layer, given f(b)."""
        add(self.first, residual)
        self._swap()
        self.layer += 1

    def undo_input(self, function):
        """First half of undoing a layer: b, which has become the first of the streams; the function is not needed."""
        self._swap()
        self.layer -= 1

    @measured_as("float coupled step undone")
    def undo_rest(self, residual, go_on=False):
        """Second half of undoing a layer, given f(b); `go_on` makes no difference."""
        np.subtract(self.first, residual, out=self.first)


class ExactCoupledState(IntegerState, CoupledState):
    """a and b as integers in units of 2^-40.  Functions see the nearest floats, going forward and going back.

    Parameters
    ----------
    x : ndarray
        x_0 as floats.
    invertible : bool
        Whether a checksum of x_0 is kept, by which `verify_start` knows it again.
    """

    def __init__(self, x, invertible=True):
        self._dtype = x.dtype
        self.first, self.second = _halves(to_units("x", x))
        self._first_value = None  # of a as floats, where they are at hand, as `_value` of b
        self._checksum = self._sum() if invertible else None
        self._note("state")

    def units(self):
        """b itself."""
        return self.second

    def output(self):
        """(a, b) as floats, in one array; b's floats are not kept."""
        return np.concatenate([exact.to_floats(self.first, self._dtype), self.kept_value()], axis=-1)

    @measured_as("exact coupled step")
    def step(self, residual):
        """Run one layer, given f(b).

        Raises
        ------
        FloatingPointError
            If the value has a NaN.
        OverflowError
            If it is infinite, or a + f(b) leaves the range of exact arithmetic.
        """
        status, self._value = exact.add(self.first, residual)
        require_in_range(status, self.layer, "x")
        self._first_value = None
        self._swap()
        self.layer += 1

    def undo_input(self, function):
        """First half of undoing a layer: b, which has become the first of the streams; the function is not needed."""
        self._swap()
        self._value, self._first_value = self._first_value, None
        self.layer -= 1

    @measured_as("exact coupled step undone")
    def undo_rest(self, residual, go_on=False):
        """Second half of undoing a layer, given f(b); with `go_on`, a as floats is kept for the layer before."""
        _, value = exact.add(self.first, residual, sign=-1)  # if out of range, it is not what it was: `verify_start`
        self._first_value = value if go_on else None

    def _copy_arrays(self):
        super()._copy_arrays()
        self._value = self._first_value = None

    def verify_start(self, start_value):
        """Raise RuntimeError unless the state, run back to layer 0, is that from which it was run."""
        if self._sum() != self._checksum:
            raise not_repeated("running back did not end where the run began")

    def _sum(self):
        return zlib.crc32(self.second, zlib.crc32(self.first))


class CoupledAdjoint(Adjoint):
    """With p = dL/da and q = dL/db: for the layer (a, b) -> (b, a + f(b)) and p', q' behind it,

        dL/df = q'      dL/dtheta = (df/dtheta)^T q'      p = q'      q = p' + (df/db)^T q'
    """  # fmt: skip

    def __init__(self, gradient):
        self._p, self._q = _halves(gradient)
        memory.note(self._p, "gradients")
        memory.note(self._q, "gradients")

    def by_residual(self):
        """Let the streams change places; returns dL/df, which is p now and never overwritten."""
        self._p, self._q = self._q, self._p
        return self._p

    def add(self, by_x):
        """q <- q + by_x, as a new array: the old one was handed out as the gradient of the layer behind."""
        self._q = in_shares(np.add, self._q, by_x)
        memory.note(self._q, "gradients")

    def by_x(self):
        """dL/dx_0: both halves."""
        return np.concatenate([self._p, self._q], axis=-1)


def _halves(array):
    """The two halves along the last axis, as arrays of their own."""
    middle = array.shape[-1] // 2
    return tuple(np.array(half, order="C") for half in (array[..., :middle], array[..., middle:]))
