"""What kinds of layered networks differ in: their rule, the state it moves and the adjoint that runs back through it.

A network evaluates residual functions one after the other.  What is done with their values is its `Rule`, which makes

- a `State`: where the network stands.  It moves one layer forward with `step`, given the function's value, and, if the
  network is invertible, back in two halves: `undo_input` finds what the function was evaluated at, and `undo_rest`
  takes the value there and recovers everything else.  States overwrite themselves, so running through any number of
  layers takes the memory of one.
- an `Adjoint`: the gradient with respect to the state, which moves back layer by layer.

Everything else, evaluating the functions, the three ways of backpropagation and the walk back, is the same for all of
them and written once: see `mininet.reversible.network`.
"""

import copy

import numpy as np

from .. import memory
from ..kernels import buffers, exact


class Rule:
    """How a network combines its functions' values: its settings, as they were when an evaluation began.

    Attributes
    ----------
    start_function : callable or None
        What gives the state's other half at layer 0 from x_0: the initial velocity, where there is one.
    """

    start_function = None

    def state(self, x, invertible):
        """The `State` at layer 0 for x, an ndarray of floats; `invertible`: whether it will be run back."""
        raise NotImplementedError

    def adjoint(self, gradient):
        """The `Adjoint` at the last layer, from dL/dx_N."""
        raise NotImplementedError


class State:
    """Where a network stands.

    Attributes
    ----------
    layer : int
        How many layers have been run.
    replay : Replay or None
        How `LayeredNet.invert` evaluates the functions as `LayeredNet.run` did.
    """

    replay = None
    layer = 0
    parts = "x"
    """What the arrays are called in messages."""

    def arrays(self):
        """The arrays that the state consists of, themselves."""
        raise NotImplementedError

    def by_variable(self):
        """The same, grouped by variable: those that x consists of, and, if there is one, those of the velocity v."""
        return (self.arrays(),)

    def value(self):
        """What the next function is evaluated at, as floats; the array may be overwritten by the next step."""
        raise NotImplementedError

    def kept_value(self):
        """The same in an array of its own."""
        return self.value().copy()

    def output(self):
        """x as floats, in an array of its own: what the network returns."""
        return self.kept_value()

    def values(self):
        """What `LayeredNet.invert` returns: x, or x and v, as floats in new arrays."""
        return self.output()

    def step(self, residual):
        """Run one layer, given the residual function's value at `value()`."""
        raise NotImplementedError

    def undo_input(self, function):
        """First half of undoing a layer: afterwards, `value()` is what the layer's function was evaluated at.

        function : callable(ndarray) -> ndarray, that function; only rules without a closed-form inverse need it here
        """
        raise NotImplementedError

    def undo_rest(self, residual, go_on=False):
        """Second half of undoing a layer, given the residual function's value at `value()`.

        go_on : whether the next layer is undone at once, so that its first half may be done along with this one
        """
        raise NotImplementedError

    def copy(self, kind="state"):
        """An independent state, whose memory counts as `kind`."""
        other = copy.copy(self)
        other._copy_arrays()
        other._note(kind)
        return other

    def _copy_arrays(self):
        """Replace the arrays, after a shallow copy, by copies."""
        raise NotImplementedError

    def _note(self, kind):
        for array in self.arrays():
            memory.note(array, kind)

    def verify_start(self, start_value):
        """Raise RuntimeError unless the state, run back to layer 0, is one that a run can have started from.

        Where inversion is not exact, nothing can be verified.

        start_value : ndarray of floats, the start function's value, or None if there is none
        """

    def verify_same(self, arrays):
        """Raise RuntimeError unless the state consists of `arrays`, bit for bit, as a second run must lead to them."""
        pairs = zip(self.arrays(), arrays, strict=True)
        if not all(np.array_equal(a.reshape(-1).view(np.uint8), b.reshape(-1).view(np.uint8)) for a, b in pairs):
            raise not_repeated(f"running forward again did not lead to the same {self.parts}")


class IntegerState(State):
    """A state of integers in units of 2^-40.  Functions see the nearest floats, going forward and going back."""

    _value = None  # what functions see, as floats, where it is at hand

    def units(self):
        """What the next function is evaluated at, in units."""
        raise NotImplementedError

    def value(self):
        """The same as floats, in an array that no later step overwrites."""
        if self._value is None:
            self._value = exact.to_floats(self.units(), self._dtype)
        return self._value

    def kept_value(self):
        """The same as floats, in an array of its own."""
        value, self._value = self.value(), None
        return value


class Adjoint:
    """dL/d(state), moved back layer by layer: for each, `by_residual`, and `add` of what the function's vjp gives."""

    def by_residual(self):
        """Undo the layer but for its function: returns dL/d(residual function's value), which is not written to again.

        Others may keep that array: it may be the gradient of something.
        """
        raise NotImplementedError

    def by_start(self):
        """At layer 0, dL/d(start function's value)."""
        raise NotImplementedError

    def add(self, by_x):
        """Add the gradient with respect to what the function was evaluated at."""
        raise NotImplementedError

    def by_x(self):
        """At layer 0, dL/dx_0."""
        raise NotImplementedError


def not_repeated(what):
    """The error for a second evaluation that differed from the first: `what` shows it."""
    return RuntimeError(
        f"{what}: parameters, statistics or inputs were changed between forward and backward, or a residual function "
        "is not deterministic"
    )


def to_units(name, array):
    """The array as int64 in units of 2^-40; an error that calls it `name` if it does not fit."""
    integers = buffers.empty(array.shape, np.int64)
    if exact.to_integers(array, integers) != exact.FINE:
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite in exact arithmetic, got NaN or infinity")
        raise OverflowError(
            f"{name} must lie within +-{exact.LARGEST:,.0f} in exact arithmetic, got {np.abs(array).max():,.6g}"
        )
    return integers


def require_in_range(status, layer, what):
    """Raise what the `status` of an exact step says, `what` being the state's variables; nothing if it is FINE.

    Raises
    ------
    FloatingPointError
        If the residual function's value had a NaN.
    OverflowError
        If something left the range of exact arithmetic.
    """
    if status == exact.NOT_A_NUMBER:
        raise FloatingPointError(f"the residual function of layer {layer} returned NaN")
    if status == exact.TOO_LARGE:
        raise OverflowError(
            f"{what} or the value of the residual function left the range of exact arithmetic, "
            f"+-{exact.LARGEST:,.0f}, in layer {layer}"
        )
