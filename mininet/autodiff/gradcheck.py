"""Are the gradients right?  Compare vector-Jacobian products with central differences, in float64.

A central difference with step h is off by about h^2 from truncation and eps/h from rounding; h = eps^(1/3) balances
the two at eps^(2/3), about 4e-11, times the size of third derivatives and values.  The default tolerance of 1e-6 leaves
room for these and still rejects a vjp that is wrong by 0.1 %.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.checks import instance, integer, number
from .tape import no_grad
from .tensor import Tensor, gradients

STEP = np.finfo(np.float64).eps ** (1 / 3)


class GradientError(AssertionError):
    """A gradient disagrees with finite differences."""


def check_gradient(
    function: Callable[..., Tensor],
    *inputs: NDArray[np.float64],
    directions: int = 3,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> None:
    """Check the derivative of ``<c, function(*inputs)>``, for random c, along random directions.

    Parameters
    ----------
    function : callable
        Must be smooth around the inputs, and give the same result for the same input.
    inputs : ndarray of float64
        At least one.
    directions : int
        How many random directions, and random cotangents c, to try.
    seed : int
        Of the random directions and cotangents.
    tolerance : float
        Largest allowed difference of the two derivatives, relative to the largest of both and of the sum of
        ``|c f|``, which says how large rounding errors can be.

    Raises
    ------
    GradientError
        With both derivatives, if they disagree.

    Examples
    --------
    >>> check_gradient(F.tanh, np.array([0.5, -1.0]))
    """
    random = np.random.default_rng(integer("seed", seed, 0))
    arrays, tolerance = _checked(function, inputs), number("tolerance", tolerance, 0)
    for direction in range(integer("directions", directions, 1)):
        tensors = [Tensor(array.copy(), requires_grad=True) for array in arrays]
        output = instance("the result of function", function(*tensors), Tensor)
        cotangent = random.standard_normal(output.shape)
        sums = gradients(output, cotangent, tensors)
        along = [random.standard_normal(array.shape) for array in arrays]
        ours = sum(float(np.sum(g * d)) for g, d in zip(sums, along, strict=True) if g is not None)
        upper, lower = (
            _value(function, [a + sign * STEP * d for a, d in zip(arrays, along, strict=True)]) for sign in (1, -1)
        )
        theirs = float(np.sum(cotangent * (upper - lower))) / (2 * STEP)
        scale = max(abs(ours), abs(theirs), float(np.sum(np.abs(cotangent * upper))))
        if not abs(ours - theirs) <= tolerance * scale:
            raise GradientError(
                f"direction {direction}: backward gives {ours:.12g}, finite differences {theirs:.12g}, "
                f"relative difference {abs(ours - theirs) / scale:.3g} > {tolerance:g}"
            )


def check_jacobian(function: Callable[..., Tensor], *inputs: NDArray[np.float64], tolerance: float = 1e-6) -> None:
    """Check every element of every Jacobian; for tiny inputs.

    Parameters
    ----------
    function, inputs, tolerance
        As for `check_gradient`.

    Raises
    ------
    GradientError
        With both Jacobians, if an element disagrees.

    Examples
    --------
    >>> check_jacobian(F.matmul, np.ones((2, 3)), np.ones(3))
    """
    arrays, tolerance = _checked(function, inputs), number("tolerance", tolerance, 0)
    output_shape = _value(function, arrays).shape
    ours = [np.zeros((*output_shape, *array.shape)) for array in arrays]
    for index in np.ndindex(output_shape):
        tensors = [Tensor(array.copy(), requires_grad=True) for array in arrays]
        cotangent = np.zeros(output_shape)
        cotangent[index] = 1
        sums = gradients(function(*tensors), cotangent, tensors)
        for jacobian, gradient in zip(ours, sums, strict=True):
            if gradient is not None:
                jacobian[index] = gradient
    for place, array in enumerate(arrays):
        for index in np.ndindex(array.shape):
            shifted = [array.copy() for array in arrays]
            shifted[place][index] += STEP
            upper = _value(function, shifted)
            shifted[place][index] -= 2 * STEP
            theirs = (upper - _value(function, shifted)) / (2 * STEP)
            found = ours[place][(..., *index)]
            scale = np.maximum(np.abs(theirs), np.abs(upper).max(initial=0))
            excess = np.abs(found - theirs) - tolerance * scale
            if not (excess <= 0).all():
                worst = np.unravel_index(np.argmax(np.nan_to_num(excess, nan=np.inf)), excess.shape)
                raise GradientError(
                    f"d output{list(map(int, worst))} / d input {place} {list(index)}: backward gives "
                    f"{found[worst]:.12g}, finite differences {theirs[worst]:.12g}"
                )


def _checked(function: object, inputs: tuple[Any, ...]) -> tuple[NDArray[np.float64], ...]:
    if not callable(function):
        raise TypeError(f"function must be callable, got {type(function).__name__}")
    if not inputs:
        raise ValueError("inputs must be at least one array, got none")
    for place, array in enumerate(inputs):
        if not isinstance(array, np.ndarray) or array.dtype != np.float64:
            raise TypeError(f"input {place} must be an ndarray of float64, got {getattr(array, 'dtype', type(array))}")
    return inputs


def _value(function: Callable[..., Tensor], arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.floating[Any]]:
    with no_grad():
        output = function(*(Tensor(array) for array in arrays))
        return np.array(instance("the result of function", output, Tensor).data)
