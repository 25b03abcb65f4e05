"""The residual functions that implementations are given: small, in NumPy, and noting how they are used."""

import collections
import copy
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..base.types import AnyArray

Pull: TypeAlias = Callable[[AnyArray], tuple[AnyArray, list[AnyArray]]]
"""pullback(s) is (by_x, by_parameters)."""


class Watch:
    """Notes how some layers are used."""

    def __init__(self, keeps_points: bool = False) -> None:
        self.keeps_points = keeps_points
        self.points: dict[Layer, list[AnyArray]] = collections.defaultdict(list)  # where they were evaluated, if kept
        self.dtypes: set[np.dtype[Any]] = set()  # of all points
        self.most_alive = 0  # the largest number of pullbacks that existed at once
        self._alive: weakref.WeakSet[Pull] = weakref.WeakSet()

    def note_pullback(self, pullback: Pull) -> None:
        """Note a new pullback."""
        self._alive.add(pullback)
        self.most_alive = max(self.most_alive, len(self._alive))


class Layer:
    """A residual function f, to be called as `template` says; `moves` counts how often its statistics have moved."""

    def __init__(self, *parameters: AnyArray) -> None:
        self.parameters = list(parameters)
        self.watch = Watch()
        self.moves = 0

    def __call__(self, x: AnyArray, replay: bool = False) -> AnyArray:
        """Evaluate f."""
        return self._evaluate_noted(x, replay)[0]

    def vjp(self, x: AnyArray, replay: bool = False) -> tuple[AnyArray, Pull]:
        """Evaluate f, and return the function that pulls gradients back, too."""
        value, pull = self._evaluate_noted(x, replay)

        def pullback(s: AnyArray) -> tuple[AnyArray, list[AnyArray]]:
            return pull(np.asarray(s))

        self.watch.note_pullback(pullback)
        return value, pullback

    def _evaluate_noted(self, x: AnyArray, replay: bool) -> tuple[AnyArray, Pull]:
        x = np.array(x)  # the caller may overwrite its own array
        self.watch.dtypes.add(x.dtype)
        if self.watch.keeps_points:
            self.watch.points[self].append(x)
        if not replay:
            self._move_statistics(x)
        return self.evaluate(x)

    def value(self, x: AnyArray) -> AnyArray:
        """Evaluate f and leave no trace."""
        return self.evaluate(x)[0]

    def evaluate(self, x: AnyArray) -> tuple[AnyArray, Pull]:
        """Compute f(x) and its pullback, and leave no trace."""
        raise NotImplementedError

    def moved(self, direction: Sequence[AnyArray], distance: float) -> Self:
        """Copy the function, its parameters moved by distance * direction, a list of arrays."""
        return type(self)(*(theta + distance * by for theta, by in zip(self.parameters, direction, strict=True)))

    def stored_at(self, point: AnyArray) -> Self:
        """Copy the function; the copy answers every x with the evaluation at `point`."""
        stored, result = copy.copy(self), self.evaluate(point)
        stored.evaluate = lambda x: result  # type: ignore[method-assign]
        return stored

    def _move_statistics(self, x: AnyArray) -> None:
        """Move nothing, as most layers have no statistics."""


class Scale(Layer):
    """f(x) = a x."""

    def __init__(self, a: AnyArray | float) -> None:
        super().__init__((a if isinstance(a, np.ndarray) else np.asarray(a, float)).reshape(1))

    def __str__(self) -> str:
        return f"{self.parameters[0][0]:g} x" if self.parameters[0][0] else "0"

    def evaluate(self, x: AnyArray) -> tuple[AnyArray, Pull]:
        """Compute f(x) and its pullback."""
        (a,) = self.parameters
        return a * x, lambda s: (a * s, [np.sum(s * x).reshape(1)])


class Dense(Layer):
    """f(x) = tanh(x W + b) on the last axis.  The norm of W, and so the slope of f, is at most 1."""

    def __str__(self) -> str:
        return "tanh(x W + b)"

    @classmethod
    def random(cls, features: int, random: np.random.Generator, dtype: DTypeLike = np.float64) -> Self:
        """Draw W and b."""
        weight = random.standard_normal((features, features))
        weight /= np.linalg.norm(weight, 2)
        return cls(weight.astype(dtype), random.uniform(-1, 1, features).astype(dtype))

    def evaluate(self, x: AnyArray) -> tuple[AnyArray, Pull]:
        """Compute f(x) and its pullback."""
        weight, bias = self.parameters
        value = np.tanh(x @ weight + bias)

        def pullback(s: AnyArray) -> tuple[AnyArray, list[AnyArray]]:
            by_sum = s * (1 - value**2)
            rows = by_sum.reshape(-1, len(bias))
            return by_sum @ weight.T, [x.reshape(-1, len(bias)).T @ rows, rows.sum(axis=0)]

        return value, pullback


class Centred(Layer):
    """f(x) = tanh(w (x - mean of the batch)), with a running mean as in batch normalisation."""

    def __init__(self, w: AnyArray) -> None:
        super().__init__(w)
        self.running_mean = np.zeros_like(w)

    def __str__(self) -> str:
        return "tanh(w (x - mean of the batch)), with a running mean"

    def evaluate(self, x: AnyArray) -> tuple[AnyArray, Pull]:
        """Compute f(x) and its pullback."""
        (w,) = self.parameters
        centred = x - x.mean(axis=0)
        value = np.tanh(w * centred)

        def pullback(s: AnyArray) -> tuple[AnyArray, list[AnyArray]]:
            by_product = s * (1 - value**2)
            by_centred = w * by_product
            return by_centred - by_centred.mean(axis=0), [np.sum(by_product * centred, axis=0)]

        return value, pullback

    def _move_statistics(self, x: AnyArray) -> None:
        self.running_mean = 0.9 * self.running_mean + 0.1 * x.mean(axis=0)
        self.moves += 1
