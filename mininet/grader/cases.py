"""The examples on which implementations are tried, from the smallest on."""

import dataclasses

import numpy as np

from . import reference
from .layers import Centred, Dense, Scale


@dataclasses.dataclass(frozen=True)
class Case:
    """One example.

    Attributes
    ----------
    functions : list of Layer
    gamma : float
    x, v : ndarray
        x_0 and v_0.
    dx : ndarray
        dL/dx_N.
    """

    functions: list
    gamma: float
    x: np.ndarray
    v: np.ndarray
    dx: np.ndarray

    @property
    def depth(self):
        """How many layers."""
        return len(self.functions)

    @property
    def final(self):
        """x_N and v_N."""
        return reference.run(self.functions, self.gamma, self.x, self.v)

    @property
    def gradients(self):
        """dL/dx_0, dL/dv_0, and the gradients by parameters for each layer."""
        return reference.backpropagate_stored(self.functions, self.gamma, self.x, self.v, self.dx)

    @property
    def size(self):
        """The largest absolute value on the way, or 1."""
        sizes, x, v = [1.0], self.x, self.v
        for f in [*self.functions, None]:
            sizes += [float(np.abs(array).max(initial=0)) for array in (x, v)]
            x, v = reference.step(f.value, self.gamma, x, v) if f else (x, v)
        return max(sizes)

    def watched(self, watch):
        """Let all functions report to `watch`; returns the case."""
        for f in self.functions:
            f.watch = watch
        return self

    def __str__(self):
        start = f"x_0 {shown(self.x)}, v_0 {shown(self.v)}"
        return f"{described(self.functions)}, gamma = {self.gamma:g}, {start}"


@dataclasses.dataclass(frozen=True)
class ExactCase:
    """One example in integers.

    Attributes
    ----------
    functions : list of Layer
    n, d : int
        gamma = n/d.
    x, v : ndarray of int64
        x_0 and v_0 in units of 2^-40.
    dx : ndarray of float64
        dL/dx_N.
    """

    functions: list
    n: int
    d: int
    x: np.ndarray
    v: np.ndarray
    dx: np.ndarray

    @property
    def depth(self):
        """How many layers."""
        return len(self.functions)

    @property
    def bits_lost(self):
        """What multiplying by n/d destroys in all layers, in bits an element."""
        return self.depth * np.log2(self.d / self.n)

    def in_floats(self):
        """The same as a `Case`."""
        unit = reference.UNIT
        return Case(self.functions, self.n / self.d, self.x * unit, self.v * unit, self.dx)

    def only(self, index):
        """The same with one element of x and v: of use where the functions act on each alone."""
        return dataclasses.replace(self, **{name: getattr(self, name)[index : index + 1] for name in ("x", "v", "dx")})

    watched = Case.watched

    def __str__(self):
        start = f"x_0 {shown(self.x)}, v_0 {shown(self.v)}"
        return f"{described(self.functions)}, gamma = {self.n}/{self.d}, {start} (units of 2^-40)"


def shown(array):
    """The numbers, if they are few: "= [1, 2]"."""
    if array.size > 4 or array.ndim != 1:
        return f"of shape {array.shape}"
    return f"= [{', '.join(number(each) for each in array)}]"


def number(value):
    """A number in as many digits as a reader can bear."""
    if not isinstance(value, (int, np.integer)):
        return f"{value:.10g}"
    value = int(value)
    if not value or value % 2**30:
        return f"{value}"
    zeros = (value & -value).bit_length() - 1
    odd = value >> zeros
    return f"{odd} * 2^{zeros}" if abs(odd) > 1 else f"{'-' * (odd < 0)}2^{zeros}"


def described(functions):
    """How many layers, and what they compute, for messages."""
    count = len(functions)
    texts = list(dict.fromkeys(str(f) for f in functions))
    if not texts:
        return "no layers"
    if count == 1:
        return f"1 layer, f(x) = {texts[0]}"
    if count <= 3 and len(texts) == count:
        return f"{count} layers, " + ", ".join(f"f_{n}(x) = {text}" for n, text in enumerate(texts))
    return f"{count} layers, f(x) = {' or '.join(texts)}"


# Floats


def small_cases():
    """One number, and up to three layers: what is looked at first, and what tells known mistakes apart."""
    slopes = (-0.5, 0.25, 0.75)

    def case(depth, v):
        return Case([Scale(a) for a in slopes[:depth]], 0.9, np.ones(1), np.array([v]), np.array([2.0]))

    return [case(1, 0.0), case(1, 0.25), case(2, 0.25), case(3, 0.25), case(0, 0.25)]


def case_of_shape(*shape, depth=3, gamma=0.9, dtype=np.float64, seed=0):
    """A case of `Dense` functions."""
    random = np.random.default_rng(seed)
    functions = [Dense.random(shape[-1], random, dtype) for _ in range(depth)]
    return Case(functions, gamma, *(random.standard_normal(shape).astype(dtype) for _ in range(3)))


def large_cases():
    """Several shapes, and gamma near both ends."""
    return [
        case_of_shape(3, 4),
        case_of_shape(3, 4, depth=2, gamma=0.001),
        case_of_shape(3, 4, depth=5, gamma=0.999),
        case_of_shape(1, 4),
        case_of_shape(0, 4),
        case_of_shape(2, 3, 3, 4),
    ]


def deep_case(depth=1000):
    """Many layers, and with gamma = 0.999 hardly any drift."""
    return Case([Scale(DEEP_SLOPE) for _ in range(depth)], 0.999, np.ones(1), np.array([0.25]), np.array([2.0]))


DEEP_SLOPE = -0.5


def tied_cases():
    """One function at several layers."""
    shared = Scale(-0.5)
    cases = [dataclasses.replace(case, functions=[shared] * case.depth) for case in small_cases()[2:4]]
    dense = case_of_shape(3, 4)
    first, second, _ = dense.functions
    return [*cases, dataclasses.replace(dense, functions=[first, second, first])]


def case_with_statistics(depth=3):
    """Functions with a running mean."""
    random = np.random.default_rng(0)
    functions = [Centred(random.uniform(-1, 1, 4)) for _ in range(depth)]
    return Case(functions, 0.9, *(random.standard_normal((5, 4)) for _ in range(3)))


def memory_case(depth):
    """A large x, and functions with few parameters."""
    random = np.random.default_rng(0)
    return Case([Scale(-0.5) for _ in range(depth)], 0.99, *(random.standard_normal((64, 64)) for _ in range(3)))


def rounding(case, back=True):
    """How far results in floats may lie from the true ones.

    All functions have slopes of at most 1.  In the norm |dx| + |dv|, a layer then stretches an error by at most
    max(3 - 2 gamma, 2 gamma), and undoing one by 1 + (2 - gamma) / gamma.  Each layer rounds features + 6 times at
    most; each of these errors can be stretched by all layers, forward, `back`, and in the adjoint, and gradients, which
    add up over layers, depend on it by another slope: depth squared.
    """
    gamma, depth, features = case.gamma, case.depth, case.x.shape[-1]
    stretch = max(3 - 2 * gamma, 2 * gamma) * (1 + (2 - gamma) / gamma if back else 1)
    return (features + 6) * max(1, depth) ** 2 * np.finfo(case.x.dtype).eps * stretch**depth * case.size


def gradient_rounding(case):
    """The same for gradients, which are proportional to dL/dx_N, and add up over the rows of x."""
    rows = max(1, case.x.size // case.x.shape[-1])
    return rounding(case) * rows * float(np.abs(case.dx).max(initial=1.0))


def deep_rounding(case, back=False):
    """The same for `deep_case`: a layer is a matrix, so how errors grow can be computed.

    An error made k layers ago has been multiplied by the k-th power of the matrix that maps (x, v) from layer to layer,
    or its inverse: by gamma^-k at worst.  Each layer rounds six times at most.
    """
    push = (1 - case.gamma) * DEEP_SLOPE
    matrix = np.array([[1 + push, case.gamma], [push, case.gamma]])
    matrix = np.linalg.inv(matrix) if back else matrix
    total, power = 0.0, np.eye(2)
    for _ in range(case.depth):
        total += np.linalg.norm(power, np.inf)
        power = power @ matrix
    return 6 * np.finfo(np.float64).eps * (total + np.linalg.norm(power, np.inf)) * case.size


# Integers

FRACTIONS = ((9, 10), (1, 2), (99, 100))


def small_exact_cases():
    """The small cases in integers, and one with a function that is not linear."""
    smallest, *others = small_cases()
    bent = dataclasses.replace(others[0], functions=[Dense(np.array([[0.5]]), np.array([0.25]))])
    return [
        ExactCase(case.functions, 9, 10, _in_units(case.x), _in_units(case.v), case.dx)
        for case in (smallest, bent, *others)
    ]


def _in_units(x):
    return np.rint(x / reference.UNIT).astype(np.int64)


def exact_cases():
    """The small ones, and an empty batch."""
    return [*small_exact_cases(), deep_exact_case(3, 9, 10, (0, 3))]


def product_cases():
    """Functions that are 0: x and v in single units, positive and negative, are only multiplied and added."""
    v = np.array(sorted(range(-12, 13), key=lambda each: (abs(each), -each)))
    return [
        ExactCase([Scale(0.0) for _ in range(depth)], n, d, np.full_like(v, 5), v, np.ones(len(v)))
        for depth in (1, 2)
        for n, d in (*FRACTIONS, (3, 7))
    ]


def deep_exact_case(depth, n, d, shape=(2, 3), make=Dense.random):
    """Many layers in integers, x and v of either sign."""
    random = np.random.default_rng(depth)
    functions = [make(shape[-1], random) for _ in range(depth)]
    x, v = (random.integers(-(2**42), 2**42, shape) for _ in range(2))
    return ExactCase(functions, n, d, x, v, random.standard_normal(shape))


def large_exact_case():
    """Numbers so large that (1 - n/d) f(x) 2^40 needs all digits of a float, and depends on how it is computed."""
    random = np.random.default_rng(0)
    x, v = (random.integers(-(2**52), 2**52, (2, 3)) for _ in range(2))
    return ExactCase([Scale(-1.0) for _ in range(10)], 9, 10, x, v, np.ones((2, 3)))


def uneven_exact_case():
    """One number among zeros: its buffer fills, theirs stay empty."""
    case = deep_exact_case(200, 1, 2, make=lambda features, random: Scale(-0.5))
    one = np.zeros_like(case.x)
    one[-1, -1] = 1
    return dataclasses.replace(case, x=one * case.x, v=one * case.v)


def units_off(case):
    """How many units x_N and v_N of a small exact case may be off equation 2.

    A product with n/d is off by less than n units, what is added to v by half a unit and a little; with slopes of at
    most 1 a layer takes the sum e of both errors to 3 e + 2 (n + 1) at most.
    """
    return (case.n + 1) * (3.0**case.depth - 1)
