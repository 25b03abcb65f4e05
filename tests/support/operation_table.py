"""One entry for every operation of `mininet.functional`: what drives tests/autodiff/test_operations.py."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
from references import batch_norm_reference, pool_reference
from support import normal

from mininet import Tensor, manual_seed, seeding
from mininet import functional as F
from mininet.kernels.attention import plain_attention
from mininet.kernels.convolution import convolve_reference


def positive(shape, number, seed=0):
    """Between 0.5 and 2."""
    return np.random.default_rng(seed + number).uniform(0.5, 2, shape)


def apart(shape, number, seed=0):
    """No two values, of this or of another input, and no value and 0, are closer than 0.02: away from all kinks."""
    size = int(np.prod(shape))
    values = 0.1 * (np.random.default_rng(seed + number).permutation(size) - size // 2) + 0.05
    return values.reshape(shape) + 0.02 * number


def anything(shape, number, seed=0):
    """Normally distributed."""
    return normal(shape, seed=seed + number)


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to call one operation.

    Attributes
    ----------
    name : str
        In `mininet.functional`.
    shapes : tuple of shapes
        Of the inputs that are tensors.
    function, truth : callable
        The operation on tensors, and the same in NumPy on arrays, for inputs of other shapes, too, if `elementwise`.
    domain : callable(shape, number, seed=0) -> ndarray
        Input number so and so, where the operation is defined and smooth.
    terms : int
        How many numbers are added up, at most, for one element of the output.
    elementwise : bool
        Works on inputs of any shape, of size 0 and without axes, too.
    broadcasts : bool
        Takes several inputs whose shapes NumPy broadcasts.
    empty : tuple of shapes, optional
        Inputs without elements that are allowed.
    """

    name: str
    shapes: tuple
    function: Callable
    truth: Callable
    label: str = ""
    domain: Callable = anything
    terms: int = 1
    elementwise: bool = False
    broadcasts: bool = False
    empty: tuple = ()

    def inputs(self, dtype=np.float64, shapes=None):
        """Arrays of the case's shapes, or of others."""
        return [np.asarray(self.domain(shape, number), dtype) for number, shape in enumerate(shapes or self.shapes)]

    def __str__(self):
        return f"{self.name} {self.label}".strip()


def unary(name, truth, domain=anything, label="", **settings):
    function = getattr(F, name)
    return Case(name, ((2, 3),), lambda a: function(a, **settings), truth, label, domain, elementwise=True)


def binary(name, truth, domain=anything):
    return Case(name, ((2, 3), (2, 3)), getattr(F, name), truth, "", domain, elementwise=True, broadcasts=True)


def reduction(name, truth, shape, terms, empty=(), domain=anything, **settings):
    label = f"{shape} {settings}"
    function = getattr(F, name)
    return Case(
        name,
        (shape,),
        lambda a: function(a, **settings),
        lambda a: truth(a, **settings),
        label,
        domain,
        terms,
        empty=empty,
    )


CONDITION = np.array([[True, False, True], [False, False, True]])


def where(a, b, condition, label=""):
    return Case("where", (a, b), lambda a, b: F.where(condition, a, b), lambda a, b: np.where(condition, a, b), label)


def swapped_parts(split, concatenate, cuts, axis):
    """Cut in parts, and joined again in the reverse order."""
    return lambda a: concatenate(split(a, cuts, axis)[::-1], axis)


def splitting(cuts, axis):
    functions = [swapped_parts(*pair, cuts, axis) for pair in ((F.split, F.concatenate), (np.split, np.concatenate))]
    return Case("split", ((4, 3),), *functions, f"{cuts} axis {axis}", empty=((4, 0),) if axis == 0 else ())


def joining(name, shapes, label="", empty=(), **settings):
    function, truth = getattr(F, name), getattr(np, name)
    return Case(name, shapes, lambda *parts: function(parts, **settings), lambda *parts: truth(parts, **settings),
                label, empty=empty)  # fmt: skip


def padding(shape, width, **settings):
    return Case("pad", (shape,), lambda a: F.pad(a, width, **settings), lambda a: np.pad(a, width, **settings),
                f"{width}", empty=((0,) * len(shape),))  # fmt: skip


def indexing(index, label, empty=()):
    return Case("getitem", ((4, 3, 2),), lambda a: F.getitem(a, index), lambda a: a[index], label, terms=1, empty=empty)


def matmul(a, b, empty=()):
    return Case("matmul", (a, b), F.matmul, np.matmul, f"{a} {b}", terms=4, broadcasts=True, empty=empty)


def batch_norm(shape, training, label, terms):
    """By itself, and with the ReLU behind it."""
    shapes = shape, shape[-1:], shape[-1:]

    def running(dtype):
        return np.array([0.3, -0.2], dtype), np.array([0.5, 2.0], dtype)

    def truth(x, weight, bias):
        if training:
            return batch_norm_reference(x.reshape(-1, x.shape[-1]), weight, bias, 1e-5).reshape(x.shape)
        mean, variance = running(np.float64)
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    def case(label, relu):
        return Case(
            "batch_norm", shapes,
            lambda x, *others: F.batch_norm(x, *others, *running(x.dtype), training=training, relu=relu),
            lambda *inputs: np.maximum(truth(*inputs), 0) if relu else truth(*inputs),
            label, terms=terms, empty=() if training else ((0, *shape[1:]), *shapes[1:]),
        )  # fmt: skip

    return case(label, False), case(f"with ReLU, {label}", True)


def group_norm(groups, shape):
    shapes = shape, shape[-1:], shape[-1:]

    def truth(x, weight, bias):
        """Each group of each image is a channel of its own."""
        rows = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
        channels = np.moveaxis(rows, 2, 1).reshape(len(x) * groups, -1).T
        one, zero = np.ones(channels.shape[1]), np.zeros(channels.shape[1])
        normal = batch_norm_reference(channels, one, zero, 1e-5).T
        return np.moveaxis(normal.reshape(len(x), groups, -1, rows.shape[-1]), 1, 2).reshape(x.shape) * weight + bias

    return Case("group_norm", shapes, lambda x, *others: F.group_norm(x, groups, *others), truth,
                f"{groups} of {shape}", terms=12, empty=((0, *shape[1:]), *shapes[1:]))  # fmt: skip


def seeded_dropout(a):
    manual_seed(5)
    return F.dropout(a, 0.4)


def dropout_truth(a):
    # the rule of the module: kept where the draw is at least p, and divided by 1 - p
    return a * (seeding.generator_for(5, 0).random(a.shape, dtype=np.float32) >= np.float32(0.4)) / (1 - 0.4)


def softmax_truth(a):
    powers = np.exp(a)
    return powers / powers.sum(axis=-1, keepdims=True)


LABELS = np.array([2, 0, 2])


def cross_entropy_truth(logits, labels=LABELS):
    return -np.mean([np.log(softmax_truth(row)[label]) for row, label in zip(logits, labels, strict=True)])


def smoothed_cross_entropy_truth(logits, share=0.25, each=False):
    targets = (1 - share) * np.eye(logits.shape[1])[LABELS] + share / logits.shape[1]
    losses = -(targets * np.log(softmax_truth(logits))).sum(axis=1)
    return losses if each else losses.mean()


def ignored_cross_entropy_truth(logits):
    return smoothed_cross_entropy_truth(logits, 0.1, each=True) * (LABELS != 0)


def cross_entropy(label, truth, terms, *settings, labels=LABELS, **others):
    return Case("cross_entropy", ((3, 4),), lambda a: F.cross_entropy(a, labels, *settings, **others), truth, label,
                terms=terms)  # fmt: skip


def convolution_truth(x, weight, bias=0, *, stride, padding, dilation=(1, 1), groups=1):
    """Group by group; a dilated window has zeros in its gaps."""
    (kh, kw), channels = weight.shape[:2], weight.shape[2:]
    spread = np.zeros((dilation[0] * (kh - 1) + 1, dilation[1] * (kw - 1) + 1, *channels))
    spread[:: dilation[0], :: dilation[1]] = weight
    parts = zip(np.split(x, groups, 3), np.split(spread, groups, 3), strict=True)
    return np.concatenate([convolve_reference(*part, stride, padding) for part in parts], 3) + bias


def conv(x, weight, label, bias=False, stride=(1, 1), padding=(0, 0), given=None, empty=(), **others):
    """`given`: stride and padding as they are passed, where that is not as pairs; `others`: dilation and groups."""
    settings = (given or {"stride": stride, "padding": padding}) | others

    def truth(*inputs):
        return convolution_truth(*inputs, stride=stride, padding=padding, **others)

    shapes = (x, weight, weight[3:]) if bias else (x, weight)
    terms = int(np.prod(weight[:3])) + bias
    return Case("conv2d", shapes, lambda *inputs: F.conv2d(*inputs, **settings), truth, label, terms=terms, empty=empty)


def pool(name, shape, size, stride, padding, label, given=None, empty=()):
    function = getattr(F, name)
    settings = given or {"kernel_size": size, "stride": stride, "padding": padding}
    reduce, outside = (np.max, -np.inf) if name == "max_pool2d" else (np.mean, 0)
    terms = 1 if name == "max_pool2d" else size[0] * size[1]
    return Case(
        name,
        (shape,),
        lambda x: function(x, **settings),
        lambda x: pool_reference(x, size, stride, padding, reduce, outside),
        label,
        apart,
        terms,
        empty=empty,
    )


def layer_norm_truth(x, weight, bias):
    variance = x.var(axis=-1, keepdims=True)
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + 1e-5) * weight + bias


def gelu_truth(a):
    return a * np.vectorize(math.erfc, otypes=[float])(-a / math.sqrt(2)) / 2


def gelu_by_tanh_truth(a):
    return a / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))  # (1 + tanh) / 2 would lose digits


PLACES = np.array([[3, 1], [1, 1], [0, 3]])


def attention_truth(x, heads=2):
    """`plain_attention` of each head."""
    n, time, wide = x.shape
    q, k, v = x.reshape(n, time, 3, heads, wide // 3 // heads).transpose(2, 0, 3, 1, 4)
    out = plain_attention(q, k, v)
    return out.swapaxes(1, 2).reshape(n, time, wide // 3)


def dropped_attention(x):
    manual_seed(3)
    return F.causal_attention(x, 1, dropout=0.4)


def dropped_attention_truth(x):
    """Every weight is either 0 or divided by 1 - p: which of both, values that are unit vectors tell."""
    d = x.shape[-1] // 3
    probe = np.concatenate([np.zeros((1, d, 2 * d)), np.eye(d)[None]], axis=2)[:, : x.shape[1]]
    kept = dropped_attention(Tensor(probe)).data > 0
    q, k, v = np.split(x, 3, axis=2)
    scores = q @ k.swapaxes(1, 2) / math.sqrt(d) + np.triu(np.full(2 * [x.shape[1]], -np.inf), 1)
    weights = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    return kept[:, :, : x.shape[1]] * weights / 0.6 @ v


IMAGES = (2, 3, 4, 2)
NO_IMAGES = ((0, 3, 4, 2),)

CASES = [
    # arithmetic
    binary("add", np.add),
    binary("subtract", np.subtract),
    binary("multiply", np.multiply),
    binary("divide", np.divide, positive),
    binary("maximum", np.maximum, apart),
    # elementwise
    unary("negative", np.negative),
    unary("exp", np.exp),
    unary("log", np.log, positive),
    unary("sqrt", np.sqrt, positive),
    unary("absolute", np.abs, apart),
    unary("relu", lambda a: np.where(a > 0, a, 0), apart),
    unary("tanh", np.tanh),
    unary("sigmoid", lambda a: 1 / (1 + np.exp(-a))),
    unary("silu", lambda a: a / (1 + np.exp(-a))),
    unary("softplus", lambda a: np.log(1 + np.exp(a))),
    unary("logsigmoid", lambda a: -np.log(1 + np.exp(-a))),
    unary("leaky_relu", lambda a: np.where(a > 0, a, 0.01 * a), apart),
    unary("leaky_relu", lambda a: np.where(a > 0, a, -0.5 * a), apart, label="slope -0.5", slope=-0.5),
    unary("clip", lambda a: np.clip(a, -0.1, 0.2), apart, min=-0.1, max=0.2),
    unary("clip", lambda a: np.maximum(a, 0.1), apart, label="below", min=0.1),
    binary("power", np.power, positive),
    unary("power", lambda a: a * a, label="2", exponent=2),
    unary("power", lambda a: a * a * a, label="3", exponent=3),
    unary("power", lambda a: a * a * a * a, label="4", exponent=4),
    unary("power", lambda a: 1 / (a * a), positive, label="-2", exponent=-2),
    unary("power", lambda a: a, label="1", exponent=1),
    unary("power", np.ones_like, label="0", exponent=0),
    unary("power", lambda a: 1 / a, positive, label="-1", exponent=-1),
    unary("power", np.sqrt, positive, label="0.5", exponent=0.5),
    Case("dropout", ((4, 5),), seeded_dropout, dropout_truth, "in training", elementwise=True),
    Case(
        "dropout", ((2, 3),), lambda a: F.dropout(a, 0.4, training=False), np.array, "in evaluation", elementwise=True
    ),
    Case("dropout", ((2, 3),), lambda a: F.dropout(a, 0), np.array, "p = 0", elementwise=True),
    # reductions
    reduction("sum", np.sum, (2, 3), 6, empty=((0, 3),)),
    reduction("sum", np.sum, (2, 3, 2), 2, empty=((2, 0, 2),), axis=0),
    reduction("sum", np.sum, (2, 3, 2), 6, empty=((2, 0, 2),), axis=(0, -2)),
    reduction("sum", np.sum, (2, 3, 2), 2, axis=-1, keepdims=True),
    reduction("sum", np.sum, (2, 3), 1, axis=()),
    reduction("sum", np.sum, (), 1),
    reduction("mean", np.mean, (2, 3), 6),
    reduction("mean", np.mean, (2, 3, 2), 4, empty=((2, 0, 2),), axis=(0, 2)),
    reduction("mean", np.mean, (2, 3), 3, empty=((0, 3),), axis=1, keepdims=True),
    reduction("mean", np.mean, (), 1),
    reduction("max", np.max, (2, 3), 1, domain=apart),
    reduction("max", np.max, (2, 3, 2), 1, empty=((0, 3, 2),), domain=apart, axis=1),
    reduction("max", np.max, (2, 3, 2), 1, empty=((2, 3, 0),), domain=apart, axis=(0, 1), keepdims=True),
    reduction("max", np.max, (), 1, domain=apart),
    reduction("min", np.min, (2, 3), 1, domain=apart),
    reduction("min", np.min, (2, 3, 2), 1, empty=((0, 3, 2),), domain=apart, axis=(1, -1), keepdims=True),
    reduction("var", np.var, (2, 3), 8),
    reduction("var", np.var, (2, 3, 2), 6, empty=((2, 3, 0),), axis=(0, 1), keepdims=True, ddof=1),
    # selection
    where((2, 3), (2, 3), CONDITION),
    where((3,), (2, 1), CONDITION, "broadcast"),
    where((), (3,), True, "one condition"),
    # shapes and indices
    Case("reshape", ((2, 6),), lambda a: F.reshape(a, 3, 4), lambda a: a.reshape(3, 4), "numbers"),
    Case(
        "reshape",
        ((2, 6),),
        lambda a: F.reshape(a, (2, -1, 2)),
        lambda a: a.reshape(2, -1, 2),
        "a tuple",
        empty=((2, 0),),
    ),
    Case("reshape", ((1, 1),), lambda a: F.reshape(a, ()), lambda a: a.reshape(()), "to a scalar"),
    Case("transpose", ((2, 3, 4),), F.transpose, np.transpose, "reversed", empty=((0, 3),)),
    Case("transpose", ((2, 3, 4),), lambda a: F.transpose(a, 1, 2, 0), lambda a: a.transpose(1, 2, 0), "numbers"),
    Case("transpose", ((2, 3, 4),), lambda a: F.transpose(a, (-1, 0, 1)), lambda a: a.transpose(2, 0, 1), "negative"),
    Case("transpose", ((),), F.transpose, np.transpose, "of a scalar"),
    Case("flatten", ((2, 3, 2),), F.flatten, lambda a: a.reshape(2, 6), empty=((2, 0, 2),)),
    Case("flatten", ((3,),), F.flatten, lambda a: a.reshape(3, 1), "of a vector"),
    indexing(1, "an integer", empty=((2, 0),)),
    indexing((0, -1, 1), "one element"),
    indexing(slice(None, None, -2), "a slice", empty=((0, 2),)),
    indexing((..., 0), "an ellipsis"),
    indexing((slice(1, 3), None, 2), "a new axis"),
    indexing(slice(2, 2), "an empty slice"),
    indexing([0, 2, 2, 0, 2], "a list with repeated entries"),
    indexing(np.array([[3, 3], [1, 3]]), "an array with repeated entries"),
    indexing((slice(None), [0, 0, 1], [1, 1, 0]), "pairs, one repeated"),
    indexing(np.arange(24).reshape(4, 3, 2) % 5 == 0, "a mask"),
    indexing(([1, 1], ..., 0), "fancy and basic at once"),
    joining("concatenate", ((2, 3), (1, 3), (2, 3)), empty=((0, 3), (1, 3), (0, 3))),
    joining("concatenate", ((2, 1), (2, 3)), "last axis", ((0, 1), (0, 3)), axis=-1),
    Case("concatenate", ((2, 1),), lambda a: F.concatenate(iter([a])), np.array, "one"),
    joining("stack", ((2, 3),) * 3, empty=((0, 2),) * 3),
    joining("stack", ((2, 3),) * 2, "last axis", axis=-1),
    joining("stack", ((),) * 2, "of scalars"),
    padding((2, 3), 1),
    padding((2, 3), (0, 2), constant_values=-0.5),
    padding((2, 1, 2), [(0, 1), (2, 0), (0, 0)]),
    splitting(2, 0),
    splitting([1, 1], -1),
    # matrix products
    matmul((3, 4), (4, 2), empty=((0, 4), (4, 2))),
    matmul((4,), (4,)),
    matmul((4,), (4, 3)),
    matmul((3, 4), (4,)),
    matmul((2, 3, 4), (4, 2), empty=((0, 3, 4), (4, 2))),
    matmul((3, 4), (2, 4, 2)),
    matmul((2, 1, 3, 4), (5, 4, 2)),
    matmul((1, 3, 4), (2, 4, 1)),
    matmul((2, 3, 4), (4,)),
    matmul((4,), (2, 4, 3)),
    matmul((1, 1), (1, 1)),
    Case("linear", ((3, 4), (4, 2)), F.linear, np.matmul, "without bias", terms=4, empty=((0, 4), (4, 2))),
    Case(
        "linear",
        ((3, 4), (4, 2), (2,)),
        F.linear,
        lambda x, w, b: x @ w + b,
        "with bias",
        terms=5,
        empty=((0, 4), (4, 2), (2,)),
    ),
    Case("linear", ((2, 3, 4), (4, 2), (2,)), F.linear, lambda x, w, b: x @ w + b, "of a stack", terms=5),
    Case("linear", ((4,), (4, 2), (2,)), F.linear, lambda x, w, b: x @ w + b, "of a vector", terms=5),
    # images
    conv(IMAGES, (3, 3, 2, 3), "3x3", padding=(1, 1), empty=(*NO_IMAGES, (3, 3, 2, 3))),
    conv(IMAGES, (3, 3, 2, 2), "with bias", bias=True, empty=(*NO_IMAGES, (3, 3, 2, 2), (2,))),
    conv(IMAGES, (1, 1, 2, 3), "1x1", bias=True),
    conv(IMAGES, (2, 3, 2, 2), "strides", stride=(2, 1), padding=(0, 1)),
    conv(IMAGES, (1, 2, 2, 2), "integers", stride=(2, 2), padding=(1, 1), given={"stride": 2, "padding": 1}),
    conv(IMAGES, (3, 4, 2, 2), "defaults", given={"stride": 1}),
    conv(IMAGES, (2, 2, 2, 3), "dilated", padding=(1, 0), stride=(1, 2), dilation=(3, 2)),
    conv((2, 3, 4, 4), (2, 3, 2, 6), "in groups", padding=(0, 1), bias=True, groups=2),
    conv((1, 3, 4, 3), (2, 2, 1, 3), "each channel alone", dilation=(1, 2), groups=3),
    pool("max_pool2d", IMAGES, (2, 2), (2, 2), (0, 0), "size alone", given={"kernel_size": 2}, empty=NO_IMAGES),
    pool("max_pool2d", IMAGES, (3, 2), (1, 2), (1, 0), "pairs"),
    pool("avg_pool2d", IMAGES, (2, 2), (2, 2), (0, 0), "size alone", given={"kernel_size": 2}, empty=NO_IMAGES),
    pool("avg_pool2d", IMAGES, (3, 2), (1, 2), (1, 0), "pairs"),
    Case("global_avg_pool2d", (IMAGES,), F.global_avg_pool2d, lambda x: x.mean(axis=(1, 2)), terms=12, empty=NO_IMAGES),
    *batch_norm((6, 2), True, "in training", 6),
    *batch_norm((2, 2, 2, 2), True, "of images", 8),
    *batch_norm((5, 2), False, "in evaluation", 3),
    group_norm(2, IMAGES),
    group_norm(1, (2, 3)),
    group_norm(2, (2, 3, 4)),
    # transformers
    Case("layer_norm", ((2, 3, 4), (4,), (4,)), F.layer_norm, layer_norm_truth, terms=12, empty=((0, 4), (4,), (4,))),
    Case("layer_norm", ((3, 37), (37,), (37,)), F.layer_norm, layer_norm_truth, "wide", terms=111),
    unary("gelu", gelu_truth),
    unary("gelu", gelu_by_tanh_truth, label="by tanh", approximate="tanh"),
    Case("embedding", ((4, 3),), lambda table: F.embedding(PLACES, table), lambda table: table[PLACES], terms=1),
    Case("causal_attention", ((2, 5, 18),), lambda x: F.causal_attention(x, 2), attention_truth, "2 heads", terms=15),
    Case(
        "causal_attention",
        ((1, 70, 9),),
        lambda x: F.causal_attention(x, 1),
        functools.partial(attention_truth, heads=1),
        "two blocks",
        terms=210,
    ),
    Case("causal_attention", ((1, 7, 24),), dropped_attention, dropped_attention_truth, "with dropout", terms=21),
    # losses
    Case("log_softmax", ((3, 4),), F.log_softmax, lambda a: np.log(softmax_truth(a)), terms=4, empty=((0, 4),)),
    Case("log_softmax", ((2, 2, 3),), F.log_softmax, lambda a: np.log(softmax_truth(a)), "3 axes", terms=3),
    Case("softmax", ((3, 4),), F.softmax, softmax_truth, terms=4, empty=((0, 4),)),
    Case(
        "log_softmax",
        ((2, 3, 2),),
        lambda a: F.log_softmax(a, axis=1),
        lambda a: np.log(softmax_truth(a.swapaxes(1, 2))).swapaxes(1, 2),
        "middle axis",
        terms=3,
    ),
    Case("softmax", ((3, 4),), lambda a: F.softmax(a, 0), lambda a: softmax_truth(a.T).T, "first axis", terms=3),
    cross_entropy("", cross_entropy_truth, 7),
    cross_entropy("smoothed", smoothed_cross_entropy_truth, 16, 0.25),
    cross_entropy(
        "with a row ignored", lambda a: cross_entropy_truth(a[::2], LABELS[::2]), 7, labels=[2, -9, 2], ignore_index=-9
    ),
    Case(
        "cross_entropy", ((2, 1),), lambda a: F.cross_entropy(a, [0, -1], ignore_index=-1), lambda a: 0.0, "one class"
    ),
    cross_entropy("sum", lambda a: 3 * cross_entropy_truth(a), 7, reduction="sum"),
    cross_entropy("of each row", ignored_cross_entropy_truth, 8, 0.1, 0, "none"),
    Case("mse_loss", ((2, 3), (2, 3)), F.mse_loss, lambda a, b: np.mean((a - b) ** 2), terms=6),
]

BROADCAST_SHAPES = [((2, 1), (1, 3)), ((2, 3, 2), (3, 1)), ((), (2, 3)), ((1, 1), ()), ((0, 3), (1,))]


def each(condition=lambda case: True):
    """Cases for `pytest.mark.parametrize`, and their names."""
    chosen = [case for case in CASES if condition(case)]
    return {"argvalues": chosen, "ids": [str(case) for case in chosen]}


assert len({str(case) for case in CASES}) == len(CASES), [
    name for name, group in itertools.groupby(sorted(map(str, CASES))) if len(list(group)) > 1
]
