"""The examples on which implementations are tried, from the smallest on."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from ..base.types import AnyArray, IntegerArray
from . import reference
from .layers import Centred, Dense, Layer, Scale, Watch


@dataclasses.dataclass(frozen=True)
class Example:
    """What examples in floats and in integers share: functions, x_0, v_0, and dx = dL/dx_N."""

    functions: Sequence[Layer]
    x: AnyArray
    v: AnyArray
    dx: AnyArray

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.functions)

    def watched(self, watch: Watch) -> Self:
        """Let all functions report to `watch`; return the example."""
        for f in self.functions:
            f.watch = watch
        return self

    def described(self, gamma: str) -> str:
        """Describe the layers, gamma, x_0 and v_0 in a message."""
        texts = list(dict.fromkeys(str(f) for f in self.functions))
        layers = f"{self.depth} layers, f(x) = {' or '.join(texts)}"
        if self.depth <= 1:
            layers = f"1 layer, f(x) = {texts[0]}" if texts else "no layers"
        elif self.depth <= 3 and len(texts) == self.depth:
            layers = f"{self.depth} layers, " + ", ".join(f"f_{n}(x) = {text}" for n, text in enumerate(texts))
        return f"{layers}, gamma = {gamma}, x_0 {shown(self.x)}, v_0 {shown(self.v)}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case(Example):
    """An example in floats."""

    gamma: float

    @property
    def arguments(self) -> tuple[Sequence[Layer], float, AnyArray, AnyArray]:
        """What forward is called with."""
        return self.functions, self.gamma, self.x, self.v

    @property
    def final(self) -> reference.Pair:
        """x_N and v_N."""
        return reference.run(*self.arguments)

    @property
    def gradients(self) -> reference.Gradients:
        """dL/dx_0, dL/dv_0, and for each layer its parameter gradients."""
        return reference.backpropagate_stored(*self.arguments, self.dx)

    @property
    def size(self) -> float:
        """The largest absolute value on the way, at least 1."""
        sizes, x, v = [1.0], self.x, self.v
        for f in [*self.functions, None]:
            sizes += [float(np.abs(array).max(initial=0)) for array in (x, v)]
            x, v = reference.step(f.value, self.gamma, x, v) if f else (x, v)
        return max(sizes)

    def __str__(self) -> str:
        return self.described(f"{self.gamma:g}")


@dataclasses.dataclass(frozen=True)
class ExactCase(Example):
    """An example with gamma = n/d, and x_0 and v_0 in units of 2^-40."""

    n: int
    d: int

    @property
    def bits_lost(self) -> float:
        """The bits per element that multiplying by n/d destroys in all layers."""
        return float(self.depth * np.log2(self.d / self.n))

    def in_floats(self) -> Case:
        """Make a `Case` of it."""
        unit = reference.UNIT
        return Case(self.functions, self.x * unit, self.v * unit, self.dx, gamma=self.n / self.d)

    def only(self, index: int) -> "ExactCase":
        """Keep one element of x and v, where the functions act on each element alone."""
        return dataclasses.replace(self, **{name: getattr(self, name)[index : index + 1] for name in ("x", "v", "dx")})

    def __str__(self) -> str:
        return self.described(f"{self.n}/{self.d}") + " (units of 2^-40)"


def shown(array: AnyArray) -> str:
    """Show an array in a message: "= [1, 2]", or its shape if it has many elements."""
    if array.size > 4 or array.ndim != 1:
        return f"of shape {array.shape}"
    return f"= [{', '.join(number(each) for each in array)}]"


def number(value: Any) -> str:
    """Show a number in a message, in as many digits as a reader can bear."""
    if not isinstance(value, (int, np.integer)):
        return f"{value:.10g}"
    value = int(value)
    if not value or value % 2**30:
        return f"{value}"
    zeros = (value & -value).bit_length() - 1
    odd = value >> zeros
    return f"{odd} * 2^{zeros}" if abs(odd) > 1 else f"{'-' * (odd < 0)}2^{zeros}"


# Floats


def small_cases() -> list[Case]:
    """Up to three layers on one number: readers look at these first, and they tell known mistakes apart."""
    slopes = (-0.5, 0.25, 0.75)

    def case(depth: int, v: float) -> Case:
        return Case([Scale(a) for a in slopes[:depth]], np.ones(1), np.array([v]), np.array([2.0]), gamma=0.9)

    return [case(1, 0.0), case(1, 0.25), case(2, 0.25), case(3, 0.25), case(0, 0.25)]


def case_of_shape(*shape: int, depth: int = 3, gamma: float = 0.9, dtype: DTypeLike = np.float64) -> Case:
    """Draw a case of `Dense` functions."""
    random = np.random.default_rng(0)
    functions = [Dense.random(shape[-1], random, dtype) for _ in range(depth)]
    return Case(functions, *(random.standard_normal(shape).astype(dtype) for _ in range(3)), gamma=gamma)


def large_cases() -> list[Case]:
    """Several shapes, and gamma near both ends."""
    settings: list[dict[str, Any]] = [{}, {"depth": 2, "gamma": 0.001}, {"depth": 5, "gamma": 0.999}]
    return [
        *(case_of_shape(3, 4, **each) for each in settings),
        *(case_of_shape(*shape) for shape in ((1, 4), (0, 4), (2, 3, 3, 4))),
    ]


DEEP_SLOPE = -0.5


def deep_case() -> Case:
    """Many layers that drift little, as gamma = 0.999."""
    return Case([Scale(DEEP_SLOPE) for _ in range(1000)], np.ones(1), np.array([0.25]), np.array([2.0]), gamma=0.999)


def tied_cases() -> list[Case]:
    """One function at several layers."""
    shared = Scale(-0.5)
    cases = [dataclasses.replace(case, functions=[shared] * case.depth) for case in small_cases()[2:4]]
    dense = case_of_shape(3, 4)
    first, second, _ = dense.functions
    return [*cases, dataclasses.replace(dense, functions=[first, second, first])]


def case_with_statistics() -> Case:
    """Functions with a running mean."""
    random = np.random.default_rng(0)
    functions = [Centred(random.uniform(-1, 1, 4)) for _ in range(3)]
    return Case(functions, *(random.standard_normal((5, 4)) for _ in range(3)), gamma=0.9)


def memory_case(depth: int) -> Case:
    """A large x, and functions with few parameters."""
    random = np.random.default_rng(0)
    return Case([Scale(-0.5) for _ in range(depth)], *(random.standard_normal((64, 64)) for _ in range(3)), gamma=0.99)


def rounding(case: Case, back: bool = True) -> float:
    """Bound the error of results in floats.

    All functions have slopes of at most 1.  In the norm |dx| + |dv|, a layer then stretches an error by at most
    max(3 - 2 gamma, 2 gamma), and undoing it by 1 + (2 - gamma) / gamma.  Each layer rounds at most features + 6 times.
    All layers can stretch each of these errors: forward, `back`, and in the adjoint.  Gradients add up over the layers
    and depend on these errors through another slope, hence depth squared.
    """
    gamma, depth, features = case.gamma, case.depth, case.x.shape[-1]
    stretch = max(3 - 2 * gamma, 2 * gamma) * (1 + (2 - gamma) / gamma if back else 1)
    return float((features + 6) * max(1, depth) ** 2 * np.finfo(case.x.dtype).eps * stretch**depth * case.size)


def gradient_rounding(case: Case) -> float:
    """Bound the error of gradients, which are proportional to dL/dx_N and add up over the rows of x."""
    rows = max(1, case.x.size // case.x.shape[-1])
    return float(rounding(case) * rows * np.abs(case.dx).max(initial=1.0))


def deep_rounding(case: Case, back: bool = False) -> float:
    """Bound the error of `deep_case`, where a layer is a matrix, so we can compute how errors grow.

    An error made k layers ago has been multiplied by the k-th power of the matrix that maps (x, v) from layer to layer,
    or of its inverse: by gamma^-k at worst.  Each layer rounds at most six times.
    """
    push = (1 - case.gamma) * DEEP_SLOPE
    matrix = np.array([[1 + push, case.gamma], [push, case.gamma]])
    matrix = np.linalg.inv(matrix) if back else matrix
    total, power = np.float64(0), np.eye(2)
    for _ in range(case.depth):
        total += np.linalg.norm(power, np.inf)
        power = power @ matrix
    return float(6 * np.finfo(np.float64).eps * (total + np.linalg.norm(power, np.inf)) * case.size)


# Integers

FRACTIONS = ((9, 10), (1, 2), (99, 100))


def small_exact_cases() -> list[ExactCase]:
    """Convert the small cases to integers, and add one with a nonlinear function."""
    smallest, *others = small_cases()
    bent = dataclasses.replace(others[0], functions=[Dense(np.array([[0.5]]), np.array([0.25]))])

    def in_units(x: AnyArray) -> IntegerArray:
        return np.rint(x / reference.UNIT).astype(np.int64)

    return [
        ExactCase(case.functions, in_units(case.x), in_units(case.v), case.dx, 9, 10)
        for case in (smallest, bent, *others)
    ]


def exact_cases() -> list[ExactCase]:
    """Add an empty batch to the small cases."""
    return [*small_exact_cases(), deep_exact_case(3, 9, 10, (0, 3))]


def product_cases() -> list[ExactCase]:
    """Functions that are 0, so that x and v, a few units of either sign, are only multiplied and added."""
    v = np.array(sorted(range(-12, 13), key=lambda each: (abs(each), -each)))
    return [
        ExactCase([Scale(0.0) for _ in range(depth)], np.full_like(v, 5), v, np.ones(len(v)), n, d)
        for depth in (1, 2)
        for n, d in (*FRACTIONS, (3, 7))
    ]


def deep_exact_case(
    depth: int, n: int, d: int, shape: tuple[int, ...] = (2, 3),
    make: Callable[[int, np.random.Generator], Layer] = Dense.random,
) -> ExactCase:  # fmt: skip
    """Draw a case of many layers, x and v of either sign."""
    random = np.random.default_rng(depth)
    functions = [make(shape[-1], random) for _ in range(depth)]
    x, v = (random.integers(-(2**42), 2**42, shape) for _ in range(2))
    return ExactCase(functions, x, v, random.standard_normal(shape), n, d)


def large_exact_case() -> ExactCase:
    """Numbers so large that (1 - n/d) f(x) 2^40 needs all digits of a float and depends on how it is computed."""
    random = np.random.default_rng(0)
    x, v = (random.integers(-(2**52), 2**52, (2, 3)) for _ in range(2))
    return ExactCase([Scale(-1.0) for _ in range(10)], x, v, np.ones((2, 3)), 9, 10)


def uneven_exact_case() -> ExactCase:
    """One number among zeros: its buffer fills, and theirs stay empty."""
    case = deep_exact_case(200, 1, 2, make=lambda features, random: Scale(-0.5))
    one = np.zeros_like(case.x)
    one[-1, -1] = 1
    return dataclasses.replace(case, x=one * case.x, v=one * case.v)


def units_off(case: ExactCase) -> float:
    """Bound how many units x_N and v_N of a small exact case are off equation 2.

    A product with n/d is off by less than n units, and what is added to v by little more than half a unit.  With slopes
    of at most 1, a layer turns the sum e of both errors into at most 3 e + 2 (n + 1).
    """
    return float((case.n + 1) * (3.0**case.depth - 1))
