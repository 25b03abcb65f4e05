"""Where a momentum network stands: position x and velocity v, in floating point or in exact arithmetic.

Both kinds of state move one layer forward with `step`, and back with `undo_position`, an evaluation of the residual
function at the position this gives, and `undo_velocity`.  They overwrite themselves, so running through any number of
layers takes the memory of one.
"""

import fractions

import numpy as np

from .. import memory
from ..checks import float_array, number, shown
from ..kernels import buffers, exact, momentum
from ..profiling import measured_as
from .protocol import IntegerState, State, not_repeated, require_in_range, to_units


class MomentumState(State):
    """What both kinds of state have in common.

    Attributes
    ----------
    position, velocity : ndarray
    """

    parts = "x and v"

    def _require_like_position(self, name, array, dtype):
        """Raise unless the argument `name` is an array like the position: kernels do not look."""
        if float_array(name, array).shape != self.position.shape or array.dtype != dtype:
            raise ValueError(f"{name} must have shape {self.position.shape} and dtype {dtype}, got {shown(array)}")

    def _require_way_back(self, residual, dtype):
        """Raise unless a layer can be undone with this value of its function."""
        if self.gamma == 0:
            raise ValueError("gamma must be above 0 to invert, got 0")
        self._require_like_position("residual", residual, dtype)

    def arrays(self):
        """(position, velocity) themselves."""
        return self.position, self.velocity

    def by_variable(self):
        """x and v, of one array each."""
        return [self.position], [self.velocity]

    def undo_input(self, function):
        """`undo_position`; in closed form, so the function is not needed."""
        self.undo_position()

    def undo_rest(self, residual, go_on=False):
        """`undo_velocity`."""
        self.undo_velocity(residual, go_on)


class FloatState(MomentumState):
    """x and v as floats.  Going back divides rounding errors by gamma: after N layers they have grown like gamma^-N.

    Parameters
    ----------
    position : ndarray
        x_0; copied.  v_0 is 0 until `set_velocity`.
    gamma : float

    Attributes
    ----------
    position, velocity : ndarray
    layer : int
        How many layers have been run.
    replay : Replay or None
        How `MomentumNet.invert` evaluates the residual functions as `MomentumNet.run` did.
    """

    def __init__(self, position, gamma):
        self.position = np.array(float_array("position", position), order="C")
        self.velocity = np.zeros_like(self.position)
        self.gamma = number("gamma", gamma, 0, below=1)
        self._note("state")

    def set_velocity(self, velocity):
        """Start from another velocity than 0."""
        self._require_like_position("velocity", velocity, self.position.dtype)
        self.velocity[...] = velocity

    def value(self):
        """x as floats; the array may be overwritten by the next step."""
        return self.position

    def values(self):
        """Copies of x and v as floats."""
        return self.position.copy(), self.velocity.copy()

    @measured_as("float momentum step")
    def step(self, residual):
        """Run one layer, given the residual function's value at x."""
        self._require_like_position("residual", residual, self.position.dtype)
        momentum.step(self.position, self.velocity, residual, self.gamma)
        self.layer += 1

    @measured_as("float step undone")
    def undo_position(self):
        """First half of undoing a layer: x is what the residual function was evaluated at."""
        momentum.undo_position(self.position, self.velocity)
        self.layer -= 1

    @measured_as("float step undone")
    def undo_velocity(self, residual, go_on=False):
        """Second half of undoing a layer, given the residual function's value at x; `go_on` makes no difference."""
        self._require_way_back(residual, self.position.dtype)
        momentum.undo_velocity(self.velocity, residual, self.gamma)

    def _copy_arrays(self):
        self.position, self.velocity = self.position.copy(), self.velocity.copy()


class ExactState(IntegerState, MomentumState):
    """x and v as integers in units of 2^-40, and the bits that multiplying v by gamma would destroy.

    See `mininet.kernels.exact` for the arithmetic.  x is seen by the residual functions as the nearest float, going
    forward and going back, so these are evaluated at the same bits.

    Parameters
    ----------
    position : ndarray
        x_0 as floats.  v_0 is 0 until `set_velocity`.
    gamma : fractions.Fraction or float
        A float stands for the nearest fraction with a small denominator.
    invertible : bool
        Whether spilled bits are kept, so that the state can be run back.

    Attributes
    ----------
    position, velocity : ndarray of int64
    buffer : ndarray of uint32
    spilled : list of ndarray of uint8
        The stack of bits for which the buffer had no room.
    fraction : fractions.Fraction
        gamma.
    gamma : float
        The float nearest to `fraction`.
    layer : int
        How many layers have been run.
    replay : Replay or None
        How `MomentumNet.invert` evaluates the residual functions as `MomentumNet.run` did.
    """

    def __init__(self, position, gamma, invertible=True):
        self.fraction = gamma if isinstance(gamma, fractions.Fraction) else exact.as_fraction(gamma)
        self.gamma = float(self.fraction)
        self._dtype = float_array("position", position).dtype
        self.position = to_units("x", position)
        self.velocity = buffers.zeros(position.shape, np.int64)
        self.buffer = buffers.zeros(position.shape, np.uint32)
        self._is_ahead = False
        self.spilled = [] if invertible else None
        self._note("state")

    def set_velocity(self, velocity):
        """Start from another velocity than 0."""
        self._require_like_position("velocity", velocity, self._dtype)
        self.velocity[...] = to_units("the initial velocity", velocity)

    def _note(self, kind):
        super()._note(kind)
        memory.note(self.buffer, "side information" if kind == "state" else kind)

    def units(self):
        """x itself."""
        return self.position

    def values(self):
        """x and v as floats, new arrays."""
        return self.kept_value(), exact.to_floats(self.velocity, self._dtype)

    @measured_as("exact momentum step")
    def step(self, residual):
        """Run one layer, given the residual function's value at x.

        Raises
        ------
        FloatingPointError
            If the value has a NaN.
        OverflowError
            If it is infinite, or x or v leave the range of 64-bit integers.
        """
        self._require_like_position("residual", residual, self._dtype)
        if self.fraction:
            for _ in range(exact.spill_schedule(self.fraction).spills_before(self.layer)):
                low = exact.spill(self.buffer)
                if self.spilled is not None:
                    memory.note(low, "side information")
                    self.spilled.append(low)
        status, self._value = exact.step(self.position, self.velocity, self.buffer, residual, self.fraction)
        require_in_range(status, self.layer, "x, v")
        self.layer += 1

    @measured_as("exact step undone")
    def undo_position(self):
        """First half of undoing a layer: x is what the residual function was evaluated at."""
        if not self._is_ahead:
            self._value = exact.undo_position(self.position, self.velocity, self._dtype)
        self._is_ahead = False
        self.layer -= 1

    @measured_as("exact step undone")
    def undo_velocity(self, residual, go_on=False):
        """Second half of undoing a layer, given the residual function's value at x.

        go_on : whether the next layer is undone at once, and its first half can be done in the same pass over memory
        """
        self._require_way_back(residual, self._dtype)
        if go_on:
            self._value = exact.undo_velocity_and_position(
                self.position, self.velocity, self.buffer, residual, self.fraction
            )
            self._is_ahead = True
        else:
            exact.undo_velocity(self.velocity, self.buffer, residual, self.fraction)
        for _ in range(exact.spill_schedule(self.fraction).spills_before(self.layer)):
            exact.unspill(self.buffer, self.spilled.pop())

    def _copy_arrays(self):
        self.position, self.velocity, self.buffer = (
            array.copy() for array in (self.position, self.velocity, self.buffer)
        )
        self.spilled = None if self.spilled is None else list(self.spilled)  # what is in it never changes: shared
        self._value = None

    def verify_start(self, start_value):
        """Raise RuntimeError unless the state, run back to layer 0, is one that a run can have started from.

        start_value : ndarray of floats, the initial velocity, or None for 0
        """
        expected = 0 if start_value is None else to_units("the initial velocity", start_value)
        if self.buffer.any() or (self.velocity != expected).any():
            raise not_repeated("running back did not end where the run began")
