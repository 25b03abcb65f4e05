"""Calls of every operation, drawn with what they must give: the same in plain NumPy, and error bounds.

`OPERATIONS` has one strategy for each public name.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
from hypothesis import assume
from references import pool_reference
from strategies import different_axes, seeds, shapes, shapes_together
from support import normal

from mininet import Tensor, manual_seed, seeding
from mininet import functional as F
from mininet.kernels.attention import plain_attention
from mininet.kernels.convolution import convolve_reference


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of an operation.

    Attributes
    ----------
    text : str
        The call in words, enough to repeat it by hand.
    arrays : tuple of ndarray
        The arguments that are tensors, in float64.
    function, truth : callable
        The call on tensors, and the same in NumPy on arrays.
    units : callable(truth, *arrays) -> ndarray
        How many machine epsilons each element of the output may be off.
    gradient_units : callable(call, seed) -> list of ndarray
        The same for the gradient of each of `arrays`, given that of the output.
    """

    text: str
    arrays: tuple
    function: Callable
    truth: Callable
    units: Callable
    gradient_units: Callable

    def __repr__(self):
        return f"{self.text} of {', '.join(str(array.shape) for array in self.arrays)}"

    def _repr_pretty_(self, printer, cycle):
        printer.text(repr(self))


def vjp(function, arrays, seed):
    """The gradients of all arrays, by the tape."""
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    function(*tensors).backward(seed)
    return [tensor.grad for tensor in tensors]


# By how much gradients may be off: each comes from a few roundings and a sum over at most all outputs


def by_selection(call, seed):
    """For a linear function of the gradient whose factors are constants, or picked by comparisons."""
    return [_summands(seed) * np.abs(by_array) for by_array in vjp(call.function, call.arrays, np.abs(seed))]


def by_products(call, seed):
    """For products: sums of products of absolute values."""
    sizes = vjp(call.function, [np.abs(array) for array in call.arrays], np.abs(seed))
    return [_summands(seed) * np.abs(by_array) for by_array in sizes]


def by_slopes(call, seed):
    """For elementwise functions with slopes s: sums of |g s|; where s comes from a difference like 1 - tanh^2, of |g|.

    NumPy's functions are good to 4 units, and a vjp has up to 8 roundings more.
    """
    spread = [np.broadcast_to(array, seed.shape) for array in call.arrays]
    slopes = vjp(call.function, spread, np.ones(seed.shape))
    sizes = [np.abs(seed) * np.maximum(np.abs(slope), 1) for slope in slopes]
    return [_summands(seed) * _summed_to(size, a.shape) for size, a in zip(sizes, call.arrays, strict=True)]


def by_probabilities(axis, call, seed):
    """g - p sum g along an axis: p is off by the units of log softmax, see `_log_softmax_units`, and a few."""
    (x,) = call.arrays
    units = _log_softmax_units(x, axis) + 8
    return [2 * (units + x.shape[axis]) * np.abs(seed).sum(axis=axis, keepdims=True) * np.ones(x.shape)]


def _summands(seed):
    return np.size(seed) + 16


def _summed_to(array, shape):
    extra = array.ndim - len(shape)
    array = array.sum(axis=tuple(range(extra)))
    return array.sum(axis=tuple(i for i, size in enumerate(shape) if size == 1), keepdims=True).reshape(shape)


# Numbers


def positive(shape, number, seed=0):
    """Between 0.5 and 2; for input number so and so, as in the others."""
    return np.random.default_rng(seed + number).uniform(0.5, 2, shape)


def apart(shape, number, seed=0):
    """No two values, of this or of another input, and no value and 0, are closer than 0.02: away from all kinks."""
    size = int(np.prod(shape))
    values = 0.1 * (np.random.default_rng(seed + number).permutation(size) - size // 2) + 0.05
    return values.reshape(shape) + 0.02 * number


def anything(shape, number, seed=0):
    """Normally distributed."""
    return normal(shape, seed=seed + number)


# Elementwise operations


def gelu(a):
    return a * np.vectorize(math.erfc, otypes=[float])(-a / math.sqrt(2)) / 2


def gelu_by_tanh(a):
    return a / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))  # (1 + tanh) / 2 would lose digits


ELEMENTWISE = {  # what NumPy gives, numbers where it is smooth, and settings
    "add": [(np.add, anything, {})],
    "subtract": [(np.subtract, anything, {})],
    "multiply": [(np.multiply, anything, {})],
    "divide": [(np.divide, positive, {})],
    "maximum": [(np.maximum, apart, {})],
    "power": [(np.power, positive, {})],
    "negative": [(np.negative, anything, {})],
    "exp": [(np.exp, anything, {})],
    "log": [(np.log, positive, {})],
    "sqrt": [(np.sqrt, positive, {})],
    "absolute": [(np.abs, apart, {})],
    "relu": [(lambda a: np.where(a > 0, a, 0), apart, {})],
    "tanh": [(np.tanh, anything, {})],
    "sigmoid": [(lambda a: 1 / (1 + np.exp(-a)), anything, {})],
    "silu": [(lambda a: a / (1 + np.exp(-a)), anything, {})],
    "softplus": [(lambda a: np.log(1 + np.exp(a)), anything, {})],
    "logsigmoid": [(lambda a: -np.log(1 + np.exp(-a)), anything, {})],
    "leaky_relu": [
        (lambda a: np.where(a > 0, a, 0.01 * a), apart, {}),
        (lambda a: np.where(a > 0, a, -0.5 * a), apart, {"slope": -0.5}),
    ],
    "gelu": [(gelu, anything, {}), (gelu_by_tanh, anything, {"approximate": "tanh"})],
}
OF_TWO = ("add", "subtract", "multiply", "divide", "maximum", "power")
EXACT = {"add", "subtract", "multiply", "divide", "maximum", "negative", "absolute", "relu", "sqrt"}
"""Rounded correctly, by IEEE 754."""


@st.composite
def elementwise(draw, name):
    (truth, domain, settings), seed = draw(st.sampled_from(ELEMENTWISE[name])), draw(seeds)
    found = [draw(shapes())]
    if name in OF_TWO:
        found = draw(shapes_together(num_shapes=2, max_dims=4, max_side=4)).input_shapes
    arrays = tuple(np.asarray(domain(shape, i, seed)) for i, shape in enumerate(found))
    return Call(f"{name} {settings}, seed {seed},", arrays, functools.partial(getattr(F, name), **settings), truth,
                lambda out, *arrays: (1 if name in EXACT else 8) * np.abs(out),
                by_products if name in ("add", "subtract", "multiply") else by_slopes)  # fmt: skip


@st.composite
def power(draw):
    if draw(st.booleans()):
        return draw(elementwise("power"))
    exponent = draw(st.integers(-3, 5) | st.sampled_from([0.5, 1.5, -0.25, 2.0, 0.0]))
    is_positive = not isinstance(exponent, int) or exponent < 0
    array = np.asarray((positive if is_positive else apart)(draw(shapes()), 0, draw(seeds)))
    # a float exponent is rounded, but these are float32 numbers
    return Call(
        f"power {exponent}", (array,), lambda a: F.power(a, exponent), lambda a: np.power(a, float(exponent)),
        lambda out, a: 8 * np.abs(out), by_slopes,
    )  # fmt: skip


@st.composite
def dropout(draw):
    p, seed = draw(st.sampled_from([0, 0.5, 0.1, 0.9]) | st.floats(0, 0.99)), draw(seeds)
    training, array = draw(st.booleans()), anything(draw(shapes()), 0, draw(seeds))

    def function(a):
        manual_seed(seed)
        return F.dropout(a, p, training)

    def truth(a):
        kept = seeding.generator_for(seed, 0).random(a.shape, dtype=np.float32) >= p
        return np.where(kept, a / (1 - p), 0) if training and p else a

    return Call(f"dropout {p} {training} seed {seed}", (np.asarray(array),), function, truth,
                lambda out, a: 4 * np.abs(out), by_selection)  # fmt: skip


@st.composite
def clip(draw):  # bounds are no values of `apart`
    low, high = draw(st.sampled_from([(-0.5, 0.1875), (None, 0.1875), (-0.5, None), (-0.5, -0.5)]))
    array = np.asarray(apart(draw(shapes()), 0, draw(seeds)))
    return Call(f"clip {low} {high}", (array,), lambda a: F.clip(a, low, high),
                lambda a: np.clip(a, -np.inf if low is None else low, np.inf if high is None else high),
                lambda out, a: np.zeros(np.shape(out)), by_selection)  # fmt: skip


@st.composite
def where(draw):
    found = draw(shapes_together(num_shapes=3, max_dims=3, max_side=4))
    *two, last = found.input_shapes
    condition = draw(hnp.arrays(bool, last))
    arrays = tuple(np.asarray(anything(shape, i, draw(seeds))) for i, shape in enumerate(two))
    return _moving(f"where {condition}", arrays, lambda a, b: F.where(condition, a, b),
                   lambda a, b: np.where(condition, a, b))  # fmt: skip


# Shapes, reductions, indices


@st.composite
def reduction(draw, name):
    shape = draw(shapes(least=1))
    axes = draw(st.none() | st.integers(-len(shape), len(shape) - 1) if shape else st.none())
    axes = draw(st.just(axes) | different_axes(len(shape)))
    reduced = range(len(shape)) if axes is None else {a % len(shape) for a in np.atleast_1d(axes).astype(int)}
    # without elements: anywhere in a sum, else only where the other axes are
    shape = tuple(
        draw(st.just(size) | st.just(0)) if name == "sum" or i not in reduced else size for i, size in enumerate(shape)
    )
    settings = draw(st.fixed_dictionaries({"axis": st.just(axes)}, optional={"keepdims": st.booleans()}))
    array = np.asarray((apart if name in ("max", "min") else anything)(shape, 0, draw(seeds)))
    count = math.prod(shape[i] for i in reduced)
    more = {"ddof": draw(st.integers(0, max(0, count - 1)))} if name == "var" else {}
    stretch = count / max(1, count - more.get("ddof", 0))
    function, truth = (functools.partial(getattr(module, name), **settings, **more) for module in (F, np))
    units = {
        "sum": lambda out, a: count * np.sum(np.abs(a), **settings),
        "mean": lambda out, a: (count + 2) * np.mean(np.abs(a), **settings),
        "max": lambda out, a: np.zeros(np.shape(out)),
        "min": lambda out, a: np.zeros(np.shape(out)),
        # a deviation is off by as many units of the mean of |a| as there are terms, and its square twice that
        "var": lambda out, a: (3 * count + 8) * 2 * stretch * np.mean(np.abs(a), **settings) ** 2 + (count + 8) * out,
    }[name]
    gradient_units = by_selection
    if name == "var":

        def gradient_units(call, seed):
            (a,) = call.arrays
            sizes = vjp(lambda a: F.mean(a, **settings), [a], np.abs(seed))[0]
            return [_summands(seed) * (count + 8) * 4 * stretch * sizes * np.abs(a).max(initial=0)]

    return Call(f"{name} {settings} {more}", (array,), function, truth, units, gradient_units)


def _moving(text, arrays, function, truth):
    """A call that moves numbers and changes none."""
    return Call(text, arrays, function, truth, lambda out, *arrays: np.zeros(np.shape(out)), by_selection)


@st.composite
def reshape(draw):
    shape = draw(shapes())
    parts = draw(st.permutations([n for size in shape for n in ((2, 2) if size == 4 else (size,))] + [1]))
    cuts = sorted(draw(st.lists(st.integers(0, len(parts)), max_size=3)))
    target = [math.prod(parts[first:last]) for first, last in itertools.pairwise([0, *cuts, len(parts)])]
    if draw(st.booleans()):
        hole = draw(st.integers(0, len(target) - 1))
        if math.prod(target[:hole] + target[hole + 1 :]):
            target[hole] = -1
    target = draw(st.sampled_from([tuple(target), list(target)]))
    as_numbers = draw(st.booleans())
    array = np.asarray(anything(shape, 0, draw(seeds)))
    return _moving(f"reshape to {target}{' as numbers' * as_numbers}", (array,),
                   lambda a: F.reshape(a, *target) if as_numbers else F.reshape(a, target),
                   lambda a: a.reshape(target))  # fmt: skip


@st.composite
def transpose(draw):
    shape = draw(shapes())
    axes = [axis - draw(st.sampled_from([0, len(shape)])) for axis in draw(st.permutations(range(len(shape))))]
    arguments = draw(st.sampled_from([(), (tuple(axes),), (axes,), tuple(axes)]))
    array = np.asarray(anything(shape, 0, draw(seeds)))
    is_reversed = arguments == () or axes == []
    return _moving(f"transpose {arguments}", (array,), lambda a: F.transpose(a, *arguments),
                   lambda a: np.transpose(a, None if is_reversed else axes))  # fmt: skip


@st.composite
def flatten(draw):
    array = anything(draw(shapes(1)), 0, draw(seeds))
    return _moving("flatten", (array,), F.flatten, lambda a: a.reshape(len(a), math.prod(a.shape[1:])))


@st.composite
def getitem(draw):
    shape = draw(shapes(least=0, most=3))  # so short that some entries are taken several times, as a rule
    options = [hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True), hnp.arrays(bool, shape)]
    if shape and min(shape) > 0:
        options.append(hnp.integer_array_indices(shape, result_shape=shapes(0, 2, 0, 3)))
        options.append(st.lists(st.integers(-shape[0], shape[0] - 1), max_size=5))
        first = hnp.arrays(np.int64, draw(shapes(0, 2, 0, 3)), elements=st.integers(-shape[0], shape[0] - 1))
        options.append(st.tuples(first, st.just(...)))
        options.append(st.tuples(hnp.arrays(bool, shape[:1]), st.just(...), st.none()))
    index = draw(st.one_of(options))
    array = np.asarray(anything(shape, 0, draw(seeds)))
    return _moving(f"getitem {index}", (array,), lambda a: F.getitem(a, index), lambda a: a[index])


@st.composite
def concatenate(draw):
    shape = draw(shapes(1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    arrays = []
    for number in range(draw(st.integers(1, 4))):
        one = list(shape)
        one[axis] = draw(st.integers(0, 3))
        arrays.append(anything(tuple(one), number, draw(seeds)))
    pack = draw(st.sampled_from([list, tuple, iter]))
    return _moving(f"concatenate axis {axis} of a {pack.__name__}", tuple(arrays),
                   lambda *parts: F.concatenate(pack(parts), axis),
                   lambda *parts: np.concatenate(parts, axis))  # fmt: skip


@st.composite
def stack(draw):
    shape, count = draw(shapes()), draw(st.integers(1, 4))
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    arrays = tuple(np.asarray(anything(shape, number, draw(seeds))) for number in range(count))
    return _moving(f"stack axis {axis}", arrays, lambda *parts: F.stack(parts, axis),
                   lambda *parts: np.stack(parts, axis))  # fmt: skip


@st.composite
def pad(draw):
    shape, value = draw(shapes(1)), draw(st.sampled_from([0, -0.5]))
    ends = st.tuples(st.integers(0, 3), st.integers(0, 3))
    width = draw(st.integers(0, 3) | ends | st.tuples(*[ends] * len(shape)))
    array = np.asarray(anything(shape, 0, draw(seeds)))
    return _moving(f"pad {width} {value}", (array,), lambda a: F.pad(a, width, value),
                   lambda a: np.pad(a, width, constant_values=value))  # fmt: skip


def swapped_parts(split, concatenate, cuts, axis):
    """Cut in parts, and joined again in the reverse order."""
    return lambda a: concatenate(split(a, cuts, axis)[::-1], axis)


@st.composite
def split(draw):
    shape = draw(shapes(1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    cuts = sorted(draw(st.lists(st.integers(0, shape[axis]), max_size=3)))
    cuts = draw(st.sampled_from([cuts, *(n for n in (1, 2, 3) if shape[axis] % n == 0)]))
    array = np.asarray(anything(shape, 0, draw(seeds)))
    return _moving(f"split {cuts} axis {axis}", (array,), swapped_parts(F.split, F.concatenate, cuts, axis),
                   swapped_parts(np.split, np.concatenate, cuts, axis))  # fmt: skip


# Matrix products


@st.composite
def matmul(draw):
    found = draw(shapes_together(signature=np.matmul.signature, max_dims=2, max_side=5))
    arrays = tuple(anything(shape, i, draw(seeds)) for i, shape in enumerate(found.input_shapes))
    count = found.input_shapes[0][-1]
    return Call("matmul", arrays, F.matmul, np.matmul, lambda out, a, b: (count + 1) * (np.abs(a) @ np.abs(b)),
                by_products)  # fmt: skip


@st.composite
def linear(draw):
    inner, outer = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    x = anything((*draw(shapes(0, 3)), inner), 0, draw(seeds))
    arrays = [x, anything((inner, outer), 1, draw(seeds))]
    if draw(st.booleans()):
        arrays.append(anything((outer,), 2, draw(seeds)))

    def truth(x, weight, bias=0):
        return x @ weight + bias

    return Call("linear", tuple(arrays), F.linear, truth,
                lambda out, *arrays: (inner + 2) * truth(*map(np.abs, arrays)), by_products)  # fmt: skip


# Images


def _pair(draw, low, high):
    """Two integers, and how they are passed: as a pair, or as one number if they are the same."""
    values = draw(st.integers(low, high)), draw(st.integers(low, high))
    passed = values[0] if values[0] == values[1] and draw(st.booleans()) else values
    return values, passed


@st.composite
def conv2d(draw):
    """By patches: what channels that fill vectors are computed by has larger errors and tests of its own."""
    stride, given_stride = _pair(draw, 1, 3)
    padding, given_padding = _pair(draw, 0, 3)
    dilation, given_dilation = _pair(draw, 1, 3)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    window = draw(st.sampled_from([(3, 3), (1, 1)]) | st.tuples(st.integers(1, 4), st.integers(1, 4)))
    c, k = draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([1, 3, 5]))
    extent = [1 + dilation[i] * (window[i] - 1) for i in (0, 1)]
    size = [draw(st.integers(max(1, extent[i] - 2 * padding[i]), 10)) for i in (0, 1)]
    images, outputs = (draw(st.integers(0, 2)), *size, groups * c), groups * k
    arrays = [anything(images, 0, draw(seeds)), anything((*window, c, outputs), 1, draw(seeds))]
    if draw(st.booleans()):
        arrays.append(anything((outputs,), 2, draw(seeds)))
    settings = {"stride": given_stride, "padding": given_padding, "dilation": given_dilation, "groups": groups}

    def truth(x, weight, bias=0):
        """Group by group; a dilated window has zeros in its gaps."""
        spread = np.zeros((*extent, c, outputs))
        spread[:: dilation[0], :: dilation[1]] = weight
        parts = zip(np.split(x, groups, 3), np.split(spread, groups, 3), strict=True)
        return np.concatenate([convolve_reference(*part, stride, padding) for part in parts], 3) + bias

    return Call(
        f"conv2d {settings}", tuple(arrays), lambda *arrays: F.conv2d(*arrays, **settings), truth,
        lambda out, *arrays: (math.prod(window) * c + 2) * truth(*map(np.abs, arrays)), by_products,
    )  # fmt: skip


@st.composite
def pool(draw, name):
    size, given_size = _pair(draw, 1, 4)
    padding = tuple(draw(st.integers(0, size[i] // 2)) for i in (0, 1))
    stride, given_stride = _pair(draw, 1, 4)
    settings = {"kernel_size": given_size, "padding": padding}
    if draw(st.booleans()):
        settings["stride"] = given_stride
    else:
        stride = size
    image = [draw(st.integers(max(1, size[i] - 2 * padding[i]), 8)) for i in (0, 1)]
    x = apart((draw(st.integers(0, 3)), *image, draw(st.integers(0, 4))), 0, draw(seeds))
    is_max, function = name == "max_pool2d", getattr(F, name)
    reduce, outside = (np.max, -np.inf) if is_max else (np.mean, 0)

    def truth(x):
        return pool_reference(x, size, stride, padding, reduce, outside)

    def units(out, x):
        return np.zeros(out.shape) if is_max else (size[0] * size[1] + 2) * truth(np.abs(x))

    return Call(f"{name} {settings}", (x,), lambda x: function(x, **settings), truth, units, by_selection)


def _normalization(text, arrays, function, truth, variance, count):
    """Normalised numbers are at most sqrt(count); deviations lose digits where the mean is large."""
    x, weight, _ = arrays
    spread = np.sqrt(variance + 1e-5).min(initial=1)
    off = 8 * (count + 8) * math.sqrt(count) * np.abs(x).max(initial=1) / spread

    def gradient_units(call, seed):
        by_bias = np.abs(seed).reshape(-1, weight.size).sum(axis=0)
        by_x = 4 * count * off / spread * (by_bias @ np.abs(weight))
        return [by_x * np.ones(x.shape), _summands(seed) * off * by_bias, _summands(seed) * by_bias]

    return Call(text, arrays, function, truth,
                lambda out, x, weight, bias: off * np.abs(weight) + 4 * (np.abs(out) + np.abs(bias)),
                gradient_units)  # fmt: skip


@st.composite
def batch_norm(draw):
    """In training or not, and with the ReLU behind it or without, whose kink no value comes near."""
    channels, training, relu = draw(st.integers(1, 3)), draw(st.booleans()), draw(st.booleans())
    x = apart((*draw(shapes(1, 3, 2 * training, 3)), channels), 0, draw(seeds))
    arrays = x, anything((channels,), 1), anything((channels,), 2)
    running = np.resize([0.25, -0.5], channels), np.resize([0.5, 2], channels)

    def moments(x):
        rows = x.reshape(-1, channels)
        return (rows.mean(0), rows.var(0)) if training else running

    def plain(x, weight, bias):
        mean, variance = moments(x)
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    def function(x, *others):
        copies = (array.astype(x.dtype) for array in running)
        return F.batch_norm(x, *others, *copies, training=training, relu=relu)

    assume(not relu or np.abs(plain(*arrays)).min(initial=1) > 0.01)
    return _normalization(f"batch_norm training={training} relu={relu}", arrays, function,
                          lambda *arrays: np.maximum(plain(*arrays), 0) if relu else plain(*arrays),
                          moments(x)[1], x.size // channels if training else 1)  # fmt: skip


@st.composite
def group_norm(draw):
    groups, each = draw(st.integers(1, 3)), draw(st.sampled_from([2, 4]))
    n, *size = draw(st.integers(0, 2)), *draw(shapes(0, 2, 1))
    rows, channels, count = (n, math.prod(size), groups, each), groups * each, math.prod(size) * each
    x, weight, bias = apart((n, *size, channels), 0, draw(seeds)), anything((channels,), 1), anything((channels,), 2)

    def truth(x, weight, bias):
        x = x.reshape(rows)
        normal = (x - x.mean((1, 3), keepdims=True)) / np.sqrt(x.var((1, 3), keepdims=True) + 1e-5)
        return normal.reshape(n, *size, channels) * weight + bias

    function, variance = lambda x, *others: F.group_norm(x, groups, *others), x.reshape(rows).var((1, 3))
    return _normalization(f"group_norm {groups}", (x, weight, bias), function, truth, variance, count)


@st.composite
def layer_norm(draw):
    channels, seed = draw(st.sampled_from([2, 5, 40])), draw(seeds)
    x = apart((*draw(shapes(0, 2)), channels), 0, seed)
    arrays = x, anything((channels,), 1), anything((channels,), 2)

    def truth(x, weight, bias):
        variance = x.var(axis=-1, keepdims=True)
        return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + 1e-5) * weight + bias

    return _normalization("layer_norm", arrays, F.layer_norm, truth, x.var(axis=-1), channels)


DROPPED = 0.4


def dropped_attention(x):
    manual_seed(3)
    return F.causal_attention(x, 1, dropout=DROPPED)


def dropped_attention_truth(x):
    """Every weight is either 0 or divided by 1 - p: which of both, values that are unit vectors tell."""
    d = x.shape[-1] // 3
    probe = np.concatenate([np.zeros((1, d, 2 * d)), np.eye(d)[None]], axis=2)[:, : x.shape[1]]
    kept = dropped_attention(Tensor(probe)).data > 0
    q, k, v = np.split(x, 3, axis=2)
    scores = q @ k.swapaxes(1, 2) / math.sqrt(d) + np.triu(np.full(2 * [x.shape[1]], -np.inf), 1)
    weights = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    return kept[:, :, : x.shape[1]] * weights / (1 - DROPPED) @ v


@st.composite
def causal_attention(draw):
    """Scores are off by d products, weights by that and their sum, all relatively; outputs are means of values."""
    heads, d, time = draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.sampled_from([1, 3, 48, 65, 70]))
    n, is_dropped = draw(st.integers(0, 2)), draw(st.booleans())
    if is_dropped:
        n, heads, d, time = 1, 1, 8, min(time, 7)
    x = anything((n, time, 3 * heads * d), 0, draw(seeds))
    largest = np.abs(x).max(initial=1) / (1 - DROPPED * is_dropped)
    off = 4 * (d + 8) * math.sqrt(d) * largest**2 + time + 16

    def truth(x):
        q, k, v = x.reshape(n, time, 3, heads, d).transpose(2, 0, 3, 1, 4)
        return plain_attention(q, k, v).swapaxes(1, 2).reshape(n, time, heads * d)

    def gradient_units(call, seed):
        steepest = np.abs(seed).max(initial=0) * d * largest**2
        return [8 * (time + d) * off * steepest * np.ones(x.shape)]

    return Call(f"causal_attention {heads}{' with dropout' * is_dropped}", (x,),
                dropped_attention if is_dropped else lambda x: F.causal_attention(x, heads),
                dropped_attention_truth if is_dropped else truth, lambda out, x: off * largest * np.ones(out.shape),
                gradient_units)  # fmt: skip


@st.composite
def embedding(draw):
    rows, shape = draw(st.integers(1, 5)), draw(shapes(0, 2))
    places = np.random.default_rng(draw(seeds)).integers(0, rows, shape).astype(draw(st.sampled_from([int, np.uint8])))
    table = anything((rows, draw(st.integers(1, 4))), 0, draw(seeds))
    return Call(f"embedding {places.tolist()}", (table,), lambda table: F.embedding(places, table),
                lambda table: table[places], lambda out, table: np.zeros(out.shape), by_selection)  # fmt: skip


@st.composite
def global_avg_pool2d(draw):
    x = anything((draw(st.integers(0, 3)), *draw(shapes(2, 2, 1)), draw(st.integers(0, 4))), 0, draw(seeds))
    return Call("global_avg_pool2d", (x,), F.global_avg_pool2d, lambda x: x.mean(axis=(1, 2)),
                lambda out, x: (x[0, ..., 0].size + 2 if x.size else 0) * np.abs(x).mean(axis=(1, 2)),
                by_selection)  # fmt: skip


# Losses


def _log_softmax_units(x, axis=-1):
    """Along an axis of K: a difference and its exp are off by R, the largest difference; a sum by K; a logarithm."""
    count = x.shape[axis]
    range_ = (x.max(axis=axis, keepdims=True) - x.min(axis=axis, keepdims=True)).max(initial=0)
    return (count + 8) * (1 + range_ + math.log(count))


def log_softmax_truth(x, axis=-1):
    rows = x - x.max(axis=axis, keepdims=True)
    return rows - np.log(np.exp(rows).sum(axis=axis, keepdims=True))


@st.composite
def softmax(draw, name):
    before, after = draw(shapes(0, 2)), draw(shapes(0, 1))
    x = anything((*before, draw(st.integers(1, 6)), *after), 0, draw(seeds)) * draw(st.sampled_from([1, 0, 30]))
    axis = draw(st.sampled_from([len(before), -1 - len(after)]))
    arguments = () if not after and draw(st.booleans()) else (axis,)
    shift = draw(st.sampled_from([0, 1000]))

    def truth(x):
        return log_softmax_truth(x, axis) if name == "log_softmax" else np.exp(log_softmax_truth(x, axis))

    def units(out, x):
        of_logarithm = _log_softmax_units(x, axis)
        return of_logarithm * np.ones(x.shape) if name == "log_softmax" else (of_logarithm + 8) * out

    x = np.round((x + shift) * 64) / 64  # float32 has these numbers, so that shifting them costs nothing
    return Call(f"{name} {arguments} shifted by {shift}", (x,), lambda x: getattr(F, name)(x, *arguments), truth, units,
                functools.partial(by_probabilities, axis))  # fmt: skip


@st.composite
def cross_entropy(draw):
    rows, classes = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    x = anything((rows, classes), 0, draw(seeds)) * draw(st.sampled_from([1, 0, 30]))
    kind = draw(st.sampled_from([np.int64, np.uint8, np.int32, list]))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    smoothing, reduction = draw(st.sampled_from([0, 0.25])), draw(st.sampled_from(["mean", "sum", "none"]))
    ignored = draw(st.none() | st.just(200))  # in any row but the first
    if ignored:
        labels[1:] = [draw(st.sampled_from([label, ignored])) for label in labels[1:]]
    given, is_kept = labels if kind is list else np.array(labels, kind), np.array(labels) != 200
    settings = {"label_smoothing": smoothing, "ignore_index": ignored, "reduction": reduction}
    count = np.count_nonzero(is_kept) if reduction == "mean" else 1

    def truth(x):
        targets = (1 - smoothing) * np.eye(classes)[np.where(is_kept, labels, 0)] + smoothing / classes
        losses = is_kept * -(targets * log_softmax_truth(x)).sum(axis=1)
        return losses if reduction == "none" else losses.sum() / count

    def units(out, x):
        size = np.abs(x).max() * 2 + math.log(classes)
        each = _log_softmax_units(x) + bool(smoothing) * (classes + 4) * size
        return each if reduction == "none" else (each + rows * size) * (rows if reduction == "sum" else 1)

    def gradient_units(call, seed):
        by_row = np.broadcast_to(np.abs(seed).reshape(-1, 1) / count, x.shape)
        return [2 * by_row * (_log_softmax_units(call.arrays[0]) + 12 + 4 * bool(smoothing))]

    return Call(f"cross_entropy {labels} {kind.__name__} {settings}", (x,),
                lambda x: F.cross_entropy(x, given, **settings), truth, units, gradient_units)  # fmt: skip


@st.composite
def mse_loss(draw):
    shape = draw(shapes(least=1))
    arrays = tuple(np.asarray(anything(shape, number, draw(seeds))) for number in (0, 1))

    def gradient_units(call, seed):  # 2 (a - b) / n
        a, b = call.arrays
        return [16 * np.abs(seed * 2 * (a - b) / a.size)] * 2

    return Call("mse_loss", arrays, F.mse_loss, lambda a, b: np.mean((a - b) ** 2),
                lambda out, a, b: (a.size + 6) * out, gradient_units)  # fmt: skip


OPERATIONS = (
    {name: elementwise(name) for name in ELEMENTWISE}
    | {name: reduction(name) for name in ("sum", "mean", "max", "min", "var")}
    | {name: pool(name) for name in ("max_pool2d", "avg_pool2d")}
    | {name: softmax(name) for name in ("softmax", "log_softmax")}
    | {
        make.__name__: make()
        for make in (power, clip, where, stack, split, pad, batch_norm, group_norm, layer_norm, causal_attention,
                     embedding, dropout, reshape, transpose, flatten, getitem, concatenate, matmul, linear, conv2d,
                     global_avg_pool2d, cross_entropy, mse_loss)
    }
)  # fmt: skip
