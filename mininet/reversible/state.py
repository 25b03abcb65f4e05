"""Where a network stands between two layers: what a rule moves forward, and back."""

import copy
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from ..base.types import AnyArray, FloatArray
from ..kernels import exact

ArrayFunction: TypeAlias = Callable[[FloatArray], FloatArray]
"""A residual function on arrays."""


class State:
    """The variables of a network at one layer.

    A state overwrites its own arrays, so running any number of layers takes the memory of one.
    """

    variables: ClassVar[dict[str, str]]
    """The attributes that hold its arrays, each with the variable that the array belongs to."""

    step_name: str
    """What a step is called in profiles."""

    layer = 0
    """How many layers have been run."""

    call: Any = None
    """The `Call` behind it, which `LayeredNet.invert` runs back, if `LayeredNet.run` made the state."""

    def arrays(self) -> list[AnyArray]:
        """The arrays of x and v themselves, in the order of `variables`."""
        return [getattr(self, name) for name in self.variables]

    def side_information(self) -> list[AnyArray]:
        """Arrays kept only to be able to go back, apart from spilled bits, which are counted when they spill."""
        return []

    def input(self, lasting: bool = False) -> FloatArray:
        """What the next function is evaluated at, as floats.

        Parameters
        ----------
        lasting
            Whether the array must keep its values when the next step overwrites x.
        """
        raise NotImplementedError

    def output(self) -> FloatArray:
        """x as floats, in an array of its own: what the network returns."""
        return self.input(lasting=True)

    def values(self) -> Any:
        """What `LayeredNet.invert` returns: x, or x and v, as floats in new arrays."""
        return self.output()

    def set_velocity(self, velocity: FloatArray) -> None:
        """Start from another v_0 than 0.

        Parameters
        ----------
        velocity
            v_0, with the shape and dtype of x.
        """
        raise NotImplementedError

    def step(self, residual: FloatArray) -> None:
        """Run one layer.

        Parameters
        ----------
        residual
            The function's value at `input`.
        """
        raise NotImplementedError

    def undo(self, function: ArrayFunction, continues: bool = False) -> None:
        """Undo the last layer.

        Parameters
        ----------
        function
            The layer's residual function.  It is called at the input of the layer, last of all if more than once.
            If it raises an error, the layer can be undone again.
        continues
            Whether the layer before is undone next.
        """
        raise NotImplementedError

    def copy(self) -> Self:
        """An independent state."""
        other = copy.copy(self)
        for name in self.variables:
            setattr(other, name, getattr(self, name).copy())
        return other

    def can_be_start(self, velocity: FloatArray | None) -> bool:
        """Whether a run can have started here; True where nothing tells.

        Parameters
        ----------
        velocity
            v_0 if the network has an initial velocity, or else None.
        """
        return True

    def equals(self, arrays: list[AnyArray]) -> bool:
        """Whether the state's arrays are these, bit for bit."""
        return all(
            np.array_equal(ours.reshape(-1).view(np.uint8), theirs.reshape(-1).view(np.uint8))
            for ours, theirs in zip(self.arrays(), arrays, strict=True)
        )


class ExactPositionState(State):
    """A state whose x is integers in units of 2^-40, `position`; functions see the nearest floats."""

    def __init__(self, x: FloatArray) -> None:
        self.position = exact.to_units("x", x)
        self._dtype: np.dtype[Any] = x.dtype
        self._input: FloatArray | None = None  # x as floats, where a step has computed them

    def input(self, lasting: bool = False) -> FloatArray:
        """x as floats, in an array that no step overwrites."""
        if self._input is None:
            self._input = exact.to_floats(self.position, self._dtype)
        return self._input

    def output(self) -> FloatArray:
        """x as floats, in an array that the state does not keep."""
        x, self._input = self.input(), None
        return x

    def copy(self) -> Self:
        """An independent state."""
        other = super().copy()
        other._input = None
        return other
