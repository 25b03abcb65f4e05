"""Calls of every operation and every layer, drawn with what they must give: the same in plain NumPy, and error bounds.

`OPERATIONS` and `LAYERS` have one strategy for each public name.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import winograd_support
from hypothesis import assume
from operation_table import CASES, anything, apart, batch_norm_truth, positive, softmax_truth
from strategies import different_axes, seeds, shapes

from mininet import Tensor, manual_seed, nn, seeding
from mininet import functional as F
from mininet.kernels.convolution import DIRECT_WEIGHT_GRADIENT, method
from mininet.kernels.pooling import pool_reference
from mininet.kernels.simd import lanes


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of an operation or layer.

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
    settings : dict
        What else the operation is given.
    """

    text: str
    arrays: tuple
    function: Callable
    truth: Callable
    units: Callable
    gradient_units: Callable
    settings: dict = dataclasses.field(default_factory=dict)

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


def by_probabilities(call, seed):
    """g - p sum g along each row: p is off by the units of log softmax, see `_log_softmax_units`, and a few."""
    (x,) = call.arrays
    units = _log_softmax_units(None, x) + 8
    if np.shape(seed) == ():  # the mean of a batch: g = 1/n at one place in each row
        return [2 * np.abs(seed) / len(x) * (units + 4) * np.ones(x.shape)]
    return [2 * (units + x.shape[-1]) * np.abs(seed).sum(axis=-1, keepdims=True) * np.ones(x.shape)]


def _summands(seed):
    return np.size(seed) + 16


def _summed_to(array, shape):
    extra = array.ndim - len(shape)
    array = array.sum(axis=tuple(range(extra)))
    return array.sum(axis=tuple(i for i, size in enumerate(shape) if size == 1), keepdims=True).reshape(shape)


# Elementwise operations: those of the table, with its domains and truths

EXACT = {"add", "subtract", "multiply", "divide", "maximum", "negative", "absolute", "relu", "sqrt"}
"""Rounded correctly, by IEEE 754."""


def _elementwise_units(name):
    if name == "sigmoid":  # 1/2 tanh(a/2) + 1/2: an error of tanh counts against 1
        return lambda out, *arrays: np.full(np.shape(out), 8.0)
    return lambda out, *arrays: (1 if name in EXACT else 8) * np.abs(out)


@st.composite
def elementwise(draw, name):
    case = draw(st.sampled_from([case for case in CASES if case.name == name and case.elementwise]))
    seed, gradient_units = draw(seeds), by_products if name in ("add", "subtract", "multiply") else by_slopes
    if not case.broadcasts:
        arrays = (np.asarray(case.domain(draw(shapes()), 0, seed)),)
        return Call(
            f"{case}, seed {seed},", arrays, case.function, case.truth, _elementwise_units(name), gradient_units
        )
    found = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4))
    arrays = tuple(np.asarray(case.domain(shape, i, seed)) for i, shape in enumerate(found.input_shapes))
    return Call(f"{case}, seed {seed},", arrays, case.function, case.truth, _elementwise_units(name), gradient_units)


@st.composite
def with_a_number(draw, name):
    """A binary operation with a Python number on one side."""
    case = next(case for case in CASES if case.name == name and case.elementwise)
    array = np.asarray(case.domain(draw(shapes()), 0, draw(seeds)))
    # floats exactly, and not near a value of `apart`, where the maximum has its kink
    number, is_first = draw(st.sampled_from([2, -3, 0.78125, 0.515625])), draw(st.booleans())
    return Call(
        f"{name} with {number} {'first' if is_first else 'last'}",
        (array,),
        (lambda a: case.function(number, a)) if is_first else (lambda a: case.function(a, number)),
        (lambda a: case.truth(np.float64(number), a)) if is_first else (lambda a: case.truth(a, np.float64(number))),
        _elementwise_units(name),
        by_slopes,
    )


def binary(name):
    return elementwise(name) | with_a_number(name)


@st.composite
def power(draw):
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
                lambda out, a: 4 * np.abs(out), by_selection, {"p": p, "training": training, "seed": seed})  # fmt: skip


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
    function, truth = getattr(F, name), getattr(np, name)
    array = np.asarray((apart if name == "max" else anything)(shape, 0, draw(seeds)))
    count = math.prod(shape[i] for i in reduced)
    units = {
        "sum": lambda out, a: count * np.sum(np.abs(a), **settings),
        "mean": lambda out, a: (count + 2) * np.mean(np.abs(a), **settings),
        "max": lambda out, a: np.zeros(np.shape(out)),
    }[name]
    return Call(f"{name} {settings}", (array,), lambda a: function(a, **settings), lambda a: truth(a, **settings),
                units, by_selection)  # fmt: skip


def _moving(text, arrays, function, truth, settings=None):
    """A call that moves numbers and changes none."""
    return Call(text, arrays, function, truth, lambda out, *arrays: np.zeros(np.shape(out)), by_selection,
                settings or {})  # fmt: skip


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
    copy = [np.array(entry) for entry in index] if isinstance(index, tuple) else None
    array = np.asarray(anything(shape, 0, draw(seeds)))
    call = _moving(f"getitem {index}", (array,), lambda a: F.getitem(a, index), lambda a: a[index])
    assert copy is None or all(np.array_equal(a, b) for a, b in zip(copy, map(np.array, index), strict=True))
    return call


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


# Matrix products


@st.composite
def matmul(draw):
    found = draw(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, min_side=0, max_side=5))
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


def convolution_truth(x, weight, bias=0, *, stride, padding):
    """The window under each output pixel, times the weights."""
    x = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)))
    kh, kw, _, k = weight.shape
    height, width = ((x.shape[1 + i] - weight.shape[i]) // stride[i] + 1 for i in (0, 1))
    out = np.zeros((len(x), height, width, k))
    for oy, ox in np.ndindex(height, width):
        window = x[:, oy * stride[0] : oy * stride[0] + kh, ox * stride[1] : ox * stride[1] + kw]
        out[:, oy, ox] = np.tensordot(window, weight, axes=([1, 2, 3], [0, 1, 2]))
    return out + bias


def _winograd_or(sizes, dtype_of, method_of, winograd_units):
    """`sizes`, or what Winograd's method allows itself in the precisions that may use it."""
    used = any(method_of(np.dtype(dtype)) == "winograd" for dtype in dtype_of)
    return np.maximum(sizes, winograd_units()) if used else sizes


DTYPES = (np.float32, np.float64)


@st.composite
def conv2d(draw):
    stride, given_stride = _pair(draw, 1, 3)
    padding, given_padding = _pair(draw, 0, 3)
    window = draw(st.sampled_from([(3, 3), (1, 1)]) | st.tuples(st.integers(1, 4), st.integers(1, 4)))
    if window == (3, 3) and draw(st.booleans()):
        stride = given_stride = (1, 1)
    if window == (1, 1) and draw(st.booleans()):
        stride, padding = (1, 1), (0, 0)
        given_stride, given_padding = 1, 0
    vector = lanes(draw(st.sampled_from(DTYPES)))
    channels = st.integers(1, 4) | st.sampled_from([vector, 2 * vector])  # which fill vectors of the processor
    c, k = draw(channels), draw(channels)
    count = draw(st.integers(0, 2))
    size = [draw(st.integers(max(1, window[i] - 2 * padding[i]), 9)) for i in (0, 1)]
    x = anything((count, *size, c), 0, draw(seeds))
    arrays = [x, anything((*window, c, k), 1, draw(seeds))]
    if draw(st.booleans()):
        arrays.append(anything((k,), 2, draw(seeds)))
    out_shape = (count, *((size[i] + 2 * padding[i] - window[i]) // stride[i] + 1 for i in (0, 1)), k)
    w_shape, turned_shape = arrays[1].shape, (*window, k, c)
    around = tuple(window[i] - 1 - padding[i] for i in (0, 1))

    def units(out, *arrays):
        sizes = (math.prod(w_shape[:3]) + 2) * convolution_truth(*map(np.abs, arrays), stride=stride, padding=padding)
        return _winograd_or(
            sizes, DTYPES, lambda dtype: method(w_shape, stride, padding, out_shape, dtype),
            lambda: sizes + winograd_support.bounds(*arrays[:2], np.zeros(out_shape), padding)[0] / EPS,
        )  # fmt: skip

    def gradient_units(call, seed):
        x, w = call.arrays[:2]
        by_x, by_w, *by_bias = by_products(call, seed)
        turned = w[::-1, ::-1].swapaxes(2, 3)
        by_x = _winograd_or(
            by_x, DTYPES, lambda dtype: stride == (1, 1) and method(turned_shape, stride, around, x.shape, dtype),
            lambda: winograd_support.bounds(seed, turned, x, around)[0] / EPS,
        )  # fmt: skip
        is_transformed = w_shape[2] * w_shape[3] > DIRECT_WEIGHT_GRADIENT
        by_w = _winograd_or(
            by_w, DTYPES, lambda dtype: is_transformed and method(w_shape, stride, padding, out_shape, dtype),
            lambda: winograd_support.bounds(x, w, seed, padding)[1] / EPS,
        )  # fmt: skip
        return [by_x, by_w, *by_bias]

    settings = {"stride": given_stride, "padding": given_padding}
    return Call(
        f"conv2d {settings}", tuple(arrays), lambda *arrays: F.conv2d(*arrays, **settings),
        lambda *arrays: convolution_truth(*arrays, stride=stride, padding=padding), units, gradient_units, settings,
    )  # fmt: skip


EPS = float(np.finfo(np.float64).eps)


@st.composite
def pool(draw, name):
    size, given_size = _pair(draw, 1, 4)
    padding = tuple(draw(st.integers(0, size[i] // 2)) for i in (0, 1))
    stride, given_stride = _pair(draw, 1, 4)
    settings = {"size": given_size, "padding": padding}
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

    return Call(f"{name} {settings}", (x,), lambda x: function(x, **settings), truth, units, by_selection, settings)


@st.composite
def global_avg_pool2d(draw):
    x = anything((draw(st.integers(0, 3)), *draw(shapes(2, 2, 1)), draw(st.integers(0, 4))), 0, draw(seeds))
    return Call("global_avg_pool2d", (x,), F.global_avg_pool2d, lambda x: x.mean(axis=(1, 2)),
                lambda out, x: (x[0, ..., 0].size + 2 if x.size else 0) * np.abs(x).mean(axis=(1, 2)),
                by_selection)  # fmt: skip


@st.composite
def batch_norm(draw, relu=None):
    """Its own gradient formula says how errors grow; values of a channel are 0.1 apart, so deviations not near 0."""
    training = draw(st.booleans())
    relu = draw(st.booleans()) if relu is None else relu
    channels, seed = draw(st.integers(1, 4)), draw(seeds)
    front = draw(shapes(1, 3, 1 if training else 0))
    assume(not training or math.prod(front) > 1)
    settings = {"eps": draw(st.sampled_from([1e-5, 1e-3, 0.5])), "momentum": draw(st.sampled_from([0.1, 0, 1, 0.75]))}
    x = apart((*front, channels), 0, seed) * draw(st.sampled_from([1, 20])) + draw(st.sampled_from([0, 5]))
    arrays = x, apart((channels,), 1, seed), anything((channels,), 2, seed)
    running = anything((channels,), 3, seed).astype(np.float32), positive((channels,), 4, seed).astype(np.float32)

    def statistics(x):
        rows = x.reshape(-1, channels)
        return (rows.mean(axis=0), rows.var(axis=0)) if training else [array.astype(np.float64) for array in running]

    def before_relu(x, weight, bias):
        if training:
            return batch_norm_truth(x, weight, bias, settings["eps"])
        mean, variance = statistics(x)
        return (x - mean) / np.sqrt(variance + settings["eps"]) * weight + bias

    def truth(x, weight, bias):
        out = before_relu(x, weight, bias)
        return np.maximum(out, 0) if relu else out

    assume(not relu or np.abs(before_relu(*arrays)).min(initial=1) > 1e-3)  # away from the kink

    def function(x, weight, bias):
        mean, variance = (array.astype(x.dtype) for array in running)
        return F.batch_norm(x, weight, bias, mean, variance, training, relu=relu, **settings)

    def parts(x):
        """(xhat, how many epsilons it is off, 1 / deviation); mean and deviation are rounded once.

        In float64 their sums are, too, m times, relative to the mean of |x|; and the deviation's relative error is at
        most that of the variance.
        """
        mean, variance = statistics(x)
        inverse = 1 / np.sqrt(variance + settings["eps"])
        count = math.prod(front) + 8
        xhat = (x - mean) * inverse
        largest = np.abs(x).reshape(-1, channels).mean(axis=0) if x.size else 0
        of_mean = np.abs(mean) + training * count * largest
        of_inverse = 4 + training * (count + 2 * of_mean * inverse)
        return xhat, of_mean * inverse + (2 + of_inverse) * np.abs(xhat), inverse

    def units(out, x, weight, bias):
        _, off, _ = parts(x)
        return off * np.abs(weight) + 2 * (np.abs(bias) + np.abs(before_relu(x, weight, bias)))

    def gradient_units(call, seed):
        x, weight, bias = call.arrays
        xhat, off, inverse = parts(x)
        g = np.abs(np.where(before_relu(x, weight, bias) > 0, seed, 0) if relu else seed)
        axes = tuple(range(x.ndim - 1))
        by_weight = (g * (off + (g.size + 8) * np.abs(xhat))).sum(axis=axes)
        by_bias = (g.size + 8) * g.sum(axis=axes)
        if not training:
            relative = 8 + off / np.maximum(np.abs(xhat), 1)
            return [np.abs(weight) * inverse * g * relative, by_weight, by_bias]
        rows, xhat_, off_ = (g.reshape(-1, channels), np.abs(xhat).reshape(-1, channels), off.reshape(-1, channels))
        along = (rows * xhat_).mean(axis=0)
        size = rows + rows.mean(axis=0) + xhat_ * along
        of_inverse = (2 * off_.max(axis=0, initial=0) + 16 + len(rows)) * size
        errors = of_inverse + off_ * along + xhat_ * (rows * off_).mean(axis=0)
        return [(np.abs(weight) * inverse * errors).reshape(x.shape), by_weight, by_bias]

    return Call(
        f"batch_norm {training=} {relu=} {settings} seed {seed}", arrays, function, truth, units, gradient_units,
        {"training": training, "running": running, **settings},
    )  # fmt: skip


# Losses


def _log_softmax_units(out, x):
    """Along a row of K: a difference and its exp are off by R, the largest difference; a sum by K; a logarithm."""
    count = x.shape[-1]
    range_ = (x.max(axis=-1, keepdims=True) - x.min(axis=-1, keepdims=True)).max(initial=0)
    return (count + 8) * (1 + range_ + math.log(count))


@st.composite
def softmax(draw, name):
    x = anything((*draw(shapes(0, 3)), draw(st.integers(1, 6))), 0, draw(seeds)) * draw(st.sampled_from([1, 0, 30]))
    shift = draw(st.sampled_from([0, 1000]))

    def log_truth(x):
        rows = x - x.max(axis=-1, keepdims=True)
        return rows - np.log(np.exp(rows).sum(axis=-1, keepdims=True))

    units = {
        "log_softmax": lambda out, x: _log_softmax_units(out, x) * np.ones(x.shape),
        "softmax": lambda out, x: (_log_softmax_units(out, x) + 8) * softmax_truth(x - x.max(axis=-1, keepdims=True)),
    }[name]
    truth = {"log_softmax": log_truth, "softmax": lambda x: np.exp(log_truth(x))}[name]
    x = np.round((x + shift) * 64) / 64  # float32 has these numbers, so that shifting them costs nothing
    return Call(f"{name} shifted by {shift}", (x,), getattr(F, name), truth, units, by_probabilities)


@st.composite
def cross_entropy(draw):
    rows, classes = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    x = anything((rows, classes), 0, draw(seeds)) * draw(st.sampled_from([1, 0, 30]))
    kind = draw(st.sampled_from([np.int64, np.uint8, np.int32, list]))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    given = labels if kind is list else np.array(labels, kind)

    def truth(x):
        rows = [row - row.max() for row in x]
        return np.mean([np.log(np.exp(row).sum()) - row[label] for row, label in zip(rows, labels, strict=True)])

    return Call(
        f"cross_entropy {labels} {kind.__name__}", (x,), lambda x: F.cross_entropy(x, given), truth,
        lambda out, x: _log_softmax_units(out, x) + rows * np.abs(x).max() * 2 + rows * math.log(classes),
        by_probabilities,
    )  # fmt: skip


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
    {name: elementwise(name) for name in ("negative", "exp", "log", "sqrt", "absolute", "relu", "tanh", "sigmoid")}
    | {name: binary(name) for name in ("add", "subtract", "multiply", "divide", "maximum")}
    | {name: reduction(name) for name in ("sum", "mean", "max")}
    | {name: pool(name) for name in ("max_pool2d", "avg_pool2d")}
    | {name: softmax(name) for name in ("softmax", "log_softmax")}
    | {
        "power": power(),
        "dropout": dropout(),
        "reshape": reshape(),
        "transpose": transpose(),
        "flatten": flatten(),
        "getitem": getitem(),
        "concatenate": concatenate(),
        "matmul": matmul(),
        "linear": linear(),
        "conv2d": conv2d(),
        "global_avg_pool2d": global_avg_pool2d(),
        "batch_norm": batch_norm(),
        "cross_entropy": cross_entropy(),
        "mse_loss": mse_loss(),
    }
)


# Layers: the calls of their operations, with parameters for arguments


def _of_layer(call, build, names=()):
    """The layer that `build` makes, a new one for each call, with the arguments behind x as parameters `names`."""

    def function(x, *parameters):
        layer = build().to(x.dtype)
        for name, parameter in zip(names, parameters, strict=True):
            setattr(layer, name, parameter)
        return layer(x)

    return dataclasses.replace(call, text=f"{build()!r}: {call.text}", function=function)


def _linear_layer(call):
    _, weight, *bias = call.arrays
    return _of_layer(
        call, lambda: nn.Linear(*weight.shape, bias=bool(bias)), ["weight", "bias"][: len(call.arrays) - 1]
    )


def _convolution_layer(call):
    _, weight, *bias = call.arrays
    kh, kw, c, k = weight.shape
    return _of_layer(call, lambda: nn.Conv2d(c, k, (kh, kw), bias=bool(bias), **call.settings),
                     ["weight", "bias"][: len(call.arrays) - 1])  # fmt: skip


def _batch_norm_layer(call):
    def build():
        settings = call.settings
        layer = nn.BatchNorm2d(call.arrays[0].shape[-1], settings["eps"], settings["momentum"])
        layer.running_mean[...], layer.running_var[...] = settings["running"]
        return layer.train(settings["training"])

    return _of_layer(call, build, ["weight", "bias"])


def _dropout_layer(call):
    def build():
        layer = nn.Dropout(call.settings["p"]).train(call.settings["training"])
        manual_seed(call.settings["seed"])
        return layer

    return _of_layer(call, build)


LAYERS = {
    "Linear": linear().map(_linear_layer),
    "Conv2d": conv2d().map(_convolution_layer),
    "BatchNorm2d": batch_norm(relu=False).map(_batch_norm_layer),
    "ReLU": elementwise("relu").map(lambda call: _of_layer(call, nn.ReLU)),
    "Tanh": elementwise("tanh").map(lambda call: _of_layer(call, nn.Tanh)),
    "MaxPool2d": pool("max_pool2d").map(lambda call: _of_layer(call, lambda: nn.MaxPool2d(**call.settings))),
    "AvgPool2d": pool("avg_pool2d").map(lambda call: _of_layer(call, lambda: nn.AvgPool2d(**call.settings))),
    "GlobalAvgPool2d": global_avg_pool2d().map(lambda call: _of_layer(call, nn.GlobalAvgPool2d)),
    "Flatten": flatten().map(lambda call: _of_layer(call, nn.Flatten)),
    "Dropout": dropout().map(_dropout_layer),
}
