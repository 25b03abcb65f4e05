"""How well does a network come back?  Errors of the inversion, layer by layer, in units and in bits."""

import dataclasses
import math

import numpy as np

from .. import seeding
from ..autodiff import replaying
from ..kernels.exact import FRACTION_BITS


@dataclasses.dataclass(frozen=True)
class InversionReport:
    """What came back from running to the last layer and back again.

    Attributes
    ----------
    unit : float
        What errors are counted in: 2^-40 in exact arithmetic; else the distance of neighbouring floats at the largest
        |x_n| of the run.
    position_units, velocity_units : ndarray (depth + 1,)
        For each layer n, the largest error of x_n and v_n over all elements, in units; index 0 is x_0 and v_0.
    """

    unit: float
    position_units: np.ndarray
    velocity_units: np.ndarray

    @property
    def position_errors(self):
        """The largest error of x_n for each layer n."""
        return self.position_units * self.unit

    @property
    def velocity_errors(self):
        """The largest error of v_n for each layer n."""
        return self.velocity_units * self.unit

    @property
    def largest_error(self):
        """The largest error of x_0 and v_0."""
        return self.unit * self.largest_units

    @property
    def largest_units(self):
        """The largest error of x_0 and v_0 in units."""
        return float(max(self.position_units[0], self.velocity_units[0]))

    @property
    def position_bits(self):
        """How many of the last bits of x_n are lost at most, for each layer n: log2(1 + units), rounded up."""
        return np.ceil(np.log2(1 + self.position_units))

    @property
    def velocity_bits(self):
        """How many of the last bits of v_n are lost at most, for each layer n."""
        return np.ceil(np.log2(1 + self.velocity_units))

    @property
    def bits(self):
        """How many of the last bits of x_0 and v_0 are lost at most, an integer or infinity."""
        bits = float(max(self.position_bits[0], self.velocity_bits[0]))
        return int(bits) if math.isfinite(bits) else math.inf

    @property
    def is_exact(self):
        """Whether every x_n and v_n came back as it was."""
        return not self.position_units.any() and not self.velocity_units.any()

    def __str__(self):
        if self.is_exact:
            return f"every x_n and v_n comes back exactly, 0 bits lost, after {len(self.position_units) - 1} layers"
        return (
            f"x_0 and v_0 come back within {self.largest_error:.3g}: {self.largest_units:.3g} units of "
            f"{self.unit:.3g}, {self.bits} bits, after {len(self.position_units) - 1} layers"
        )


def measure_inversion(evaluation):
    """Run an `Evaluation` forward and back, and compare; without side effects on statistics and random numbers."""
    with replaying(seeding.position()):
        state = evaluation.start()
        before = [(state.position.copy(), state.velocity.copy())]
        for _ in range(evaluation.depth):
            evaluation.advance(state)
            before.append((state.position.copy(), state.velocity.copy()))
    is_exact = state.position.dtype.kind == "i"
    largest = max((float(np.abs(x).max()) for x, _ in before if x.size), default=0.0)
    unit = 2.0**-FRACTION_BITS if is_exact else float(np.spacing(state.position.dtype.type(largest)))
    errors = np.zeros((2, evaluation.depth + 1))
    with np.errstate(over="ignore", invalid="ignore"):  # where the drift leaves all bounds, the report says so
        for layer in reversed(range(evaluation.depth)):
            evaluation.undo(state)
            for kind, (came_back, was) in enumerate(zip(state.arrays(), before[layer], strict=True)):
                errors[kind, layer] = _largest_difference(came_back, was) / (1 if is_exact else unit)
            if np.isinf(errors[:, layer]).all():
                errors[:, :layer] = math.inf  # nothing can come back from there
                break
    return InversionReport(unit, *errors)


def _largest_difference(a, b):
    """As a float; infinite if some difference is not a number."""
    largest = float(np.abs(a - b).max(initial=0))
    return largest if math.isfinite(largest) else math.inf
