"""How well does a network come back?  Errors of the inversion, layer by layer, in units and in bits."""

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import seeding
from ..autodiff import replaying
from ..base.types import AnyArray, FloatArray
from ..kernels.exact import FRACTION_BITS
from .call import Call
from .state import State


@dataclasses.dataclass(frozen=True)
class InversionReport:
    """What came back from running to the last layer and back again.

    Attributes
    ----------
    unit : float
        What errors are counted in: 2^-40 in exact arithmetic; else the distance of neighbouring floats at the largest
        ``|x_n|`` of the run.
    position_units, velocity_units : ndarray (depth + 1,)
        For each layer n, the largest error of x_n and v_n over all elements, in units; index 0 is x_0 and v_0.
        The velocity's is None, as are its errors and bits, for networks without one.

    Examples
    --------
    >>> print(MomentumNet(10 * [F.tanh]).check_inversion([1.0]))
    every x_n and v_n comes back exactly, 0 bits lost, after 10 layers
    """

    unit: float
    position_units: NDArray[np.float64]
    velocity_units: NDArray[np.float64] | None = None

    @property
    def position_errors(self) -> NDArray[np.float64]:
        """The largest error of x_n for each layer n."""
        return self.position_units * self.unit

    @property
    def velocity_errors(self) -> NDArray[np.float64] | None:
        """The largest error of v_n for each layer n."""
        return None if self.velocity_units is None else self.velocity_units * self.unit

    @property
    def largest_error(self) -> float:
        """The largest error of x_0 and v_0."""
        return self.unit * self.largest_units

    @property
    def largest_units(self) -> float:
        """The largest error of x_0 and v_0 in units."""
        return float(max(units[0] for units in self._all_units))

    @property
    def _all_units(self) -> list[NDArray[np.float64]]:
        return [self.position_units] if self.velocity_units is None else [self.position_units, self.velocity_units]

    @property
    def position_bits(self) -> NDArray[np.float64]:
        """How many of the last bits of x_n are lost at most, for each layer n: log2(1 + units), rounded up."""
        return _bits(self.position_units)

    @property
    def velocity_bits(self) -> NDArray[np.float64] | None:
        """How many of the last bits of v_n are lost at most, for each layer n."""
        return None if self.velocity_units is None else _bits(self.velocity_units)

    @property
    def bits(self) -> int | float:
        """How many of the last bits of x_0 and v_0 are lost at most, an integer or infinity."""
        bits = float(_bits(self.largest_units))
        return int(bits) if math.isfinite(bits) else math.inf

    @property
    def is_exact(self) -> bool:
        """Whether every x_n and v_n came back as it was."""
        return not any(units.any() for units in self._all_units)

    def __str__(self) -> str:
        has_velocity, depth = self.velocity_units is not None, len(self.position_units) - 1
        if self.is_exact:
            everything = "every x_n and v_n" if has_velocity else "every x_n"
            return f"{everything} comes back exactly, 0 bits lost, after {depth} layers"
        return (
            f"{'x_0 and v_0 come' if has_velocity else 'x_0 comes'} back within {self.largest_error:.3g}: "
            f"{self.largest_units:.3g} units of {self.unit:.3g}, {self.bits} bits, after {depth} layers"
        )


def _bits(units: Any) -> NDArray[np.float64]:
    return np.asarray(np.ceil(np.log2(1 + units)))


def measure_inversion(call: Call, x: FloatArray) -> InversionReport:
    """Run forward from x and back, and compare; without side effects on statistics and random numbers."""
    if not np.isfinite(x).all():
        raise ValueError("x must be finite, got NaN or infinity")
    with replaying(seeding.position()):
        state = call.start(x)
        before = [_copies(state)]
        for _ in range(call.depth):
            call.advance(state)
            before.append(_copies(state))
            if not all(np.isfinite(array).all() for array in before[-1]):
                raise OverflowError(f"nothing can come back: x or v is not finite after layer {state.layer - 1}")
    names = list(state.variables.values())
    positions = [array for arrays in before for array, name in zip(arrays, names, strict=True) if name == "x"]
    is_exact = positions[0].dtype.kind == "i"
    largest = max((float(np.abs(x).max()) for x in positions if x.size), default=0.0)
    unit = 2.0**-FRACTION_BITS if is_exact else float(np.spacing(positions[0].dtype.type(largest)))
    errors = {name: np.zeros(call.depth + 1) for name in dict.fromkeys(names)}
    with np.errstate(over="ignore", invalid="ignore"):  # where the drift leaves all bounds, the report says so
        for layer in reversed(range(call.depth)):
            call.undo(state)
            for name, came_back, was in zip(names, state.arrays(), before[layer], strict=True):
                error = _largest_difference(came_back, was) / (1 if is_exact else unit)
                errors[name][layer] = max(errors[name][layer], error)
            if all(math.isinf(each[layer]) for each in errors.values()):
                for each in errors.values():
                    each[:layer] = math.inf  # nothing can come back from there
                break
    return InversionReport(unit, *errors.values())


def _copies(state: State) -> list[AnyArray]:
    return [array.copy() for array in state.arrays()]


def _largest_difference(ours: AnyArray, theirs: AnyArray) -> float:
    """As a float; infinite if some difference is not a number."""
    largest = float(np.abs(ours - theirs).max(initial=0))
    return largest if math.isfinite(largest) else math.inf
