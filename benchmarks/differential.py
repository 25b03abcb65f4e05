"""Does mininet compute what PyTorch computes?  Random cases of every operation, layer and optimiser, both in float32.

    python -m benchmarks.differential --cases 1000   # a quarter of an hour; prints the table of docs/benchmarks.md

The truth is PyTorch in float64, from the same float32 numbers.  Errors are counted in units in the last place: for
values of elementwise functions, of each true number; for all else, of the largest number that goes in or comes out.
What goes into a gradient is the gradient of the output, and what comes out of an elementwise function's is looked at
before broadcasting adds it up.  A result of another shape, or one that is not finite, stops the run.
"""

import argparse
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as T

from mininet import Tensor, manual_seed, nn, optim
from mininet import functional as F


class Case(NamedTuple):
    """The same function of arrays on both sides."""

    arrays: list
    ours: Callable
    theirs: Callable
    elementwise: bool = False


# Random arguments


def normal(random, *shape):
    """Float32 numbers of some size."""
    return np.asarray(random.standard_normal(shape) * 2.0 ** random.integers(-3, 4), np.float32)


def positive(random, *shape):
    """Float32 numbers over some orders of magnitude."""
    return np.asarray(np.exp(random.uniform(-5, 5, shape)), np.float32)


def moderate(random, *shape):
    """Float32 numbers whose powers are finite."""
    return np.asarray(np.exp(random.uniform(-2, 2, shape)), np.float32)


def any_shape(random, least=0):
    """Up to four axes."""
    return tuple(random.integers(1, 7, random.integers(least, 5)).tolist())


def broadcastable(random):
    """Two shapes that NumPy broadcasts."""
    shape = any_shape(random)
    return [tuple(1 if random.random() < 0.3 else size for size in shape)[random.integers(0, len(shape) + 1) :]
            for _ in range(2)]  # fmt: skip


def to_nchw(x):
    """Channels to where PyTorch has them."""
    return x.permute(0, 3, 1, 2)


def to_nhwc(x):
    """And back."""
    return x.permute(0, 2, 3, 1)


def kernel(weight):
    """A weight in PyTorch's layout."""
    return (weight.permute(3, 2, 0, 1) if weight.ndim == 4 else weight.T).contiguous() if weight.ndim > 1 else weight


# Cases, each a function of a random generator


def unary(ours, theirs, draw=normal):
    """An elementwise function of one array."""
    return lambda random: Case([draw(random, *any_shape(random))], ours, theirs, True)


def binary(ours, theirs, draw=normal):
    """An elementwise function of two."""
    return lambda random: Case([draw(random, *shape) for shape in broadcastable(random)], ours, theirs, True)


def reduction(ours, theirs):
    """Over some axes or all."""

    def case(random):
        shape = any_shape(random, 1)
        axes = tuple(sorted(random.permutation(len(shape))[: random.integers(1, len(shape) + 1)].tolist()))
        keepdims = bool(random.integers(2))
        return Case([normal(random, *shape)], lambda a: ours(a, axes, keepdims), lambda a: theirs(a, axes, keepdims))

    return case


def of_shape(least, make):
    """``make(random, shape)`` gives both functions of one array of the shape."""

    def case(random):
        shape = any_shape(random, least)
        return Case([normal(random, *shape)], *make(random, shape))

    return case


def with_axis(ours, theirs):
    """Both take an axis."""

    def make(random, shape):
        axis = int(random.integers(-len(shape), len(shape)))
        return lambda a: ours(a, axis), lambda a: theirs(a, axis)

    return of_shape(1, make)


def joined(ours, theirs):
    """Several arrays of one shape along an axis."""

    def case(random):
        shape = any_shape(random, 1)
        axis = int(random.integers(len(shape)))
        arrays = [normal(random, *shape) for _ in range(random.integers(1, 5))]
        return Case(arrays, lambda *a: ours(a, axis), lambda *a: theirs(a, axis))

    return case


def matmul(random):
    """Matrices, and stacks of them."""
    m, k, n = random.integers(1, 70, 3)
    stack = any_shape(random)[:2]
    return Case([normal(random, *stack, m, k), normal(random, k, n)], F.matmul, torch.matmul)


def linear(random):
    """Some rows."""
    rows, k, n = random.integers(1, 70, 3)
    arrays = [normal(random, rows, k), normal(random, k, n), normal(random, n)]
    return Case(arrays, F.linear, lambda x, weight, bias: T.linear(x, weight.T, bias))


def images(random, channels, least=1):
    """Up to 20 pixels high and wide, and a few of them."""
    return normal(random, random.integers(1, 4), *random.integers(least, 21, 2), channels)


def conv2d(random, plain=False):
    """Windows, strides, dilations, groups; numbers of channels that vectors hold, and others."""
    window = (3, 3) if plain or random.random() < 0.5 else tuple(random.integers(1, 5, 2).tolist())
    stride, padding, dilation = (
        (1, 1, 1) if plain else (random.integers(low, high) for low, high in ((1, 4), (0, 3), (1, 3)))
    )
    groups = 1 if plain else int(random.choice([1, 1, 2, 3]))
    c, k = (int(groups * random.choice([16, 32] if plain else [1, 3, 8, 16])) for _ in range(2))
    settings = {"stride": int(stride), "padding": int(padding), "dilation": int(dilation), "groups": groups}
    x = images(random, c, 7)
    arrays = [x, normal(random, *window, c // groups, k), normal(random, k)]
    method = "winograd" if plain else "direct"
    return Case(
        arrays, functools.partial(F.conv2d, method=method, **settings),
        lambda x, weight, bias: to_nhwc(T.conv2d(to_nchw(x), kernel(weight), bias, **settings)),
    )  # fmt: skip


def pooling(ours, theirs):
    """Windows with padding and strides."""

    def case(random):
        size = int(random.integers(1, 5))
        settings = size, int(random.integers(1, 4)), int(random.integers(0, size // 2 + 1))
        return Case(
            [images(random, int(random.integers(1, 6)), 4)], lambda x: ours(x, *settings),
            lambda x: to_nhwc(theirs(to_nchw(x), *settings)),
        )  # fmt: skip

    return case


def batch_norm(training, relu):
    """With running statistics of both sides' own."""

    def case(random):
        c = int(random.integers(1, 20))
        mean, variance = normal(random, c), positive(random, c)

        def ours(x, weight, bias):
            return F.batch_norm(x, weight, bias, mean.copy(), variance.copy(), training, relu=relu)

        def theirs(x, weight, bias):
            running = (torch.tensor(array).to(x.dtype) for array in (mean, variance))
            y = to_nhwc(T.batch_norm(to_nchw(x), *running, weight, bias, training))
            return torch.relu(y) if relu else y

        return Case([images(random, c, 2), normal(random, c), normal(random, c)], ours, theirs)

    return case


def group_norm(random):
    """Of images."""
    groups, each = (int(size) for size in random.integers(1, 6, 2))
    c = groups * each
    return Case(
        [images(random, c, 3), normal(random, c), normal(random, c)],
        lambda x, weight, bias: F.group_norm(x, groups, weight, bias),
        lambda x, weight, bias: to_nhwc(T.group_norm(to_nchw(x), groups, weight, bias)),
    )


def cross_entropy(random):
    """With all its options."""
    n, classes = random.integers(1, 40, 2)
    labels = random.integers(0, classes, n)
    labels[1:][random.random(n - 1) < 0.2] = -100
    settings = {
        "label_smoothing": float(random.choice([0, 0.1])), "ignore_index": -100,
        "reduction": str(random.choice(["mean", "sum", "none"])),
    }  # fmt: skip
    return Case(
        [normal(random, n, classes)], lambda x: F.cross_entropy(x, labels, **settings),
        lambda x: T.cross_entropy(x, torch.tensor(labels), **settings),
    )  # fmt: skip


def mse_loss(random):
    """Of two arrays."""
    shape = any_shape(random)
    return Case([normal(random, *shape) for _ in range(2)], F.mse_loss, T.mse_loss)


def dropout(random):
    """Theirs multiplies with our mask."""
    p, seed, shape = float(random.uniform(0, 0.9)), int(random.integers(1000)), any_shape(random)

    def ours(a):
        manual_seed(seed)
        return F.dropout(a, p)

    kept = torch.tensor(ours(np.ones(shape, np.float32)).data != 0)
    return Case([normal(random, *shape)], ours, lambda a: a * kept / (1 - p))


def reshape(random, shape):
    """To a matrix."""
    first = int(np.prod(shape[: len(shape) // 2]))
    return lambda a: F.reshape(a, first, -1), lambda a: a.reshape(first, -1)


def transpose(random, shape):
    """Axes in any order."""
    axes = random.permutation(len(shape)).tolist()
    return lambda a: F.transpose(a, axes), lambda a: a.permute(axes)


def getitem(random, shape):
    """Some entries, several times."""
    index = random.integers(0, shape[0], 5)
    return lambda a: F.getitem(a, index), lambda a: a[torch.tensor(index)]


def split(random, shape):
    """Cut before some index, and multiplied."""
    cut = int(random.integers(0, shape[0] + 1))
    return lambda a: F.concatenate(F.split(a, [cut])[::-1]), lambda a: torch.cat((a[cut:], a[:cut]))


def pad(random, shape):
    """Each axis its own way, with one number."""
    ends = random.integers(0, 3, (len(shape), 2))
    return lambda a: F.pad(a, ends, 0.5), lambda a: T.pad(a, ends[::-1].ravel().tolist(), value=0.5)


def where(random):
    """A condition of one of the two shapes."""
    shapes = broadcastable(random)
    condition = random.random(shapes[0]) < 0.5
    return Case(
        [normal(random, *shape) for shape in shapes], lambda a, b: F.where(condition, a, b),
        lambda a, b: torch.where(torch.tensor(condition), a, b), True,
    )  # fmt: skip


def layer(make, draw=lambda random: images(random, 6, 6), channels_first=True):
    """``make(random)`` gives our layer and theirs; parameters count as inputs, in our layout."""

    def case(random):
        manual_seed(int(random.integers(2**31)))
        ours, theirs = make(random)
        names = [name for name, _ in ours.named_parameters()]
        buffers = dict(ours.named_buffers())

        def our_function(x, *parameters):
            for name, array in buffers.items():
                setattr(ours, name, array.copy())
            for name, parameter in zip(names, parameters, strict=True):
                setattr(ours, name, parameter)
            return ours(x)

        def their_function(x, *parameters):
            state = {name: kernel(value) for name, value in zip(names, parameters, strict=True)}
            state |= {name: torch.tensor(array).to(x.dtype) for name, array in buffers.items()}
            y = torch.func.functional_call(theirs, state, (to_nchw(x) if channels_first else x,))
            return to_nhwc(y) if channels_first else y

        return Case([draw(random), *(p.data.copy() for p in ours.parameters())], our_function, their_function)

    return case


def optimizer(ours, theirs, **settings):
    """Five steps, as a function of the start and the gradients, whose own gradients are 0."""

    def case(random):
        shape = any_shape(random)

        def ours_run(start, *gradients):
            parameter = nn.Parameter(start.data.copy())
            steps = ours([parameter], **settings)
            for gradient in gradients:
                parameter.grad = gradient.data
                steps.step()
            return Tensor(parameter.data) + 0 * sum(gradients, start)

        def theirs_run(start, *gradients):
            parameter = torch.nn.Parameter(start.detach().clone())
            steps = theirs([parameter], **settings)
            for gradient in gradients:
                parameter.grad = gradient.detach().clone()
                steps.step()
            return parameter.detach() + 0 * sum(gradients, start)

        return Case([normal(random, *shape) for _ in range(6)], ours_run, theirs_run)

    return case


def clipped(random):
    """The gradients of two parameters; PyTorch's function itself would add 1e-6 to their norm."""
    limit = float(random.uniform(0.1, 30))

    def ours(*gradients):
        parameters = [nn.Parameter(gradient.data) for gradient in gradients]
        for parameter in parameters:
            parameter.grad = parameter.data.copy()
        optim.clip_grad_norm(parameters, limit)
        return Tensor(np.concatenate([parameter.grad for parameter in parameters])) + 0 * F.concatenate(gradients)

    def theirs(*gradients):
        norm = torch.nn.utils.get_total_norm([gradient.detach() for gradient in gradients])
        whole = torch.cat(gradients)
        return whole.detach() * torch.clamp(limit / norm, max=1) + 0 * whole

    return Case([normal(random, size) for size in random.integers(1, 30, 2)], ours, theirs)


WITH_SETTINGS = {"stride": 2, "padding": 2, "dilation": 2, "groups": 3}

CHECKS = {
    "add": binary(F.add, torch.add), "subtract": binary(F.subtract, torch.subtract),
    "multiply": binary(F.multiply, torch.multiply), "divide": binary(F.divide, torch.divide, positive),
    "maximum": binary(F.maximum, torch.maximum), "power": binary(F.power, torch.pow, moderate),
    "power, number": unary(lambda a: F.power(a, 1.5), lambda a: torch.pow(a, 1.5), positive),
    "negative": unary(F.negative, torch.negative), "absolute": unary(F.absolute, torch.abs),
    "exp": unary(F.exp, torch.exp), "log": unary(F.log, torch.log, positive),
    "sqrt": unary(F.sqrt, torch.sqrt, positive), "tanh": unary(F.tanh, torch.tanh),
    "relu": unary(F.relu, torch.relu), "leaky_relu": unary(F.leaky_relu, T.leaky_relu),
    "sigmoid": unary(F.sigmoid, torch.sigmoid), "silu": unary(F.silu, T.silu),
    "softplus": unary(F.softplus, T.softplus), "logsigmoid": unary(F.logsigmoid, T.logsigmoid),
    "clip": unary(lambda a: F.clip(a, -0.5, 1), lambda a: torch.clamp(a, -0.5, 1)),
    "where": where, "dropout": dropout,
    "sum": reduction(F.sum, torch.sum), "mean": reduction(F.mean, torch.mean),
    "max": reduction(F.max, torch.amax), "min": reduction(F.min, torch.amin),
    "var": reduction(F.var, lambda a, axes, keepdims: torch.var(a, axes, correction=0, keepdim=keepdims)),
    "reshape": of_shape(1, reshape), "transpose": of_shape(1, transpose), "getitem": of_shape(1, getitem),
    "split": of_shape(1, split), "pad": of_shape(1, pad),
    "flatten": of_shape(2, lambda random, shape: (F.flatten, lambda a: a.flatten(1))),
    "concatenate": joined(F.concatenate, torch.cat), "stack": joined(F.stack, torch.stack),
    "matmul": matmul, "linear": linear, "conv2d": conv2d, "conv2d, Winograd's": functools.partial(conv2d, plain=True),
    "max_pool2d": pooling(F.max_pool2d, T.max_pool2d), "avg_pool2d": pooling(F.avg_pool2d, T.avg_pool2d),
    "global_avg_pool2d": lambda random: Case([images(random, 5)], F.global_avg_pool2d, lambda x: x.mean((1, 2))),
    "batch_norm": batch_norm(True, False), "batch_norm, evaluation": batch_norm(False, False),
    "batch_norm, relu": batch_norm(True, True), "group_norm": group_norm,
    "log_softmax": with_axis(F.log_softmax, torch.log_softmax), "softmax": with_axis(F.softmax, torch.softmax),
    "cross_entropy": cross_entropy, "mse_loss": mse_loss,
    "nn.Linear": layer(lambda random: (nn.Linear(6, 9), torch.nn.Linear(6, 9)), channels_first=False),
    "nn.Conv2d": layer(lambda random: (nn.Conv2d(6, 9, 3, **WITH_SETTINGS), torch.nn.Conv2d(6, 9, 3, **WITH_SETTINGS))),
    "nn.BatchNorm2d": layer(lambda random: (nn.BatchNorm2d(6), torch.nn.BatchNorm2d(6))),
    "nn.GroupNorm": layer(lambda random: (nn.GroupNorm(3, 6), torch.nn.GroupNorm(3, 6))),
    "nn.MaxPool2d": layer(lambda random: (nn.MaxPool2d(3, 2, 1), torch.nn.MaxPool2d(3, 2, 1))),
    "nn.AvgPool2d": layer(lambda random: (nn.AvgPool2d(3, 2, 1), torch.nn.AvgPool2d(3, 2, 1))),
    "nn.Flatten": layer(lambda random: (nn.Flatten(), torch.nn.Flatten()), channels_first=False),
    "nn.Dropout, evaluation": layer(lambda random: (nn.Dropout(0.5).eval(), torch.nn.Dropout(0.5).eval())),
    **{
        f"nn.{name}": layer(lambda random, name=name: (getattr(nn, name)(), getattr(torch.nn, name)()))
        for name in ("ReLU", "Tanh", "Sigmoid", "SiLU", "Identity")
    },
    "nn.Sequential": layer(
        lambda random: (nn.Sequential(nn.Tanh(), nn.ReLU()), torch.nn.Sequential(torch.nn.Tanh(), torch.nn.ReLU()))
    ),
    "optim.SGD": optimizer(optim.SGD, torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "optim.Adam": optimizer(optim.Adam, torch.optim.Adam, lr=0.1, weight_decay=0.01),
    "optim.AdamW": optimizer(optim.AdamW, torch.optim.AdamW, lr=0.1, weight_decay=0.1),
    "optim.clip_grad_norm": clipped,
}  # fmt: skip


# Comparison


def our_outcome(case, seed):
    """The value and all gradients."""
    tensors = [Tensor(array.copy(), requires_grad=True) for array in case.arrays]
    y = case.ours(*tensors)
    y.backward(seed)
    return [y.data, *(tensor.grad for tensor in tensors)]


def their_outcome(case, seed, dtype):
    """The same by PyTorch."""
    tensors = [torch.tensor(array).to(dtype).requires_grad_() for array in case.arrays]
    y = case.theirs(*tensors)
    y.backward(torch.tensor(seed).to(dtype))
    return [y.detach().numpy(), *(tensor.grad.numpy() for tensor in tensors)]


def sizes_of(case, cotangent, truth):
    """Relative to what errors of the value and all gradients are counted, see above."""
    if case.elementwise:
        spread = case._replace(arrays=[array.copy() for array in np.broadcast_arrays(*case.arrays)])
        truth = their_outcome(spread, cotangent, torch.float64)
    value = np.abs(truth[0]) if case.elementwise else largest(truth[0], *case.arrays)
    return [value, *(largest(array, cotangent) for array in truth[1:])]


def largest(*arrays):
    """The largest absolute value."""
    return max(np.abs(array).max(initial=0) for array in arrays)


def error(found, truth, size):
    """The worst error in units in the last place of `size`."""
    assert found.shape == truth.shape, f"shapes {found.shape} and {truth.shape}"
    assert np.isfinite(found).all(), "not finite"
    unit = np.spacing(np.maximum(size, np.finfo(np.float32).tiny).astype(np.float32)).astype(np.float64)
    return float((np.abs(found - truth) / unit).max(initial=0))


def compared(name, cases, seed=0):
    """Worst errors of value and gradients: ours, and PyTorch's own in float32."""
    worst = np.zeros((2, 2))
    for number in range(cases):
        random = np.random.default_rng([seed, number])
        case = CHECKS[name](random)
        with np.errstate(all="ignore"):
            shape = case.ours(*map(Tensor, case.arrays)).shape
            cotangent = random.standard_normal(shape).astype(np.float32)
            truth = their_outcome(case, cotangent, torch.float64)
            for side, outcome in enumerate(
                (our_outcome(case, cotangent), their_outcome(case, cotangent, torch.float32))
            ):
                errors = list(map(error, outcome, truth, sizes_of(case, cotangent, truth)))
                worst[side] = np.maximum(worst[side], [errors[0], max(errors[1:])])
    return worst


def main():
    """Print a row for each operation."""
    parser = argparse.ArgumentParser(description="mininet against PyTorch, on random cases")
    parser.add_argument("--cases", type=int, default=1000, help="of each operation (1000)")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=CHECKS, metavar="NAME", help="some of them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| worst error, units in the last place | value | PyTorch's | gradients | PyTorch's |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in arguments.only:
        ours, theirs = compared(name, arguments.cases)
        numbers = (f"{number:.3g}" for pair in zip(ours, theirs, strict=True) for number in pair)
        print(f"| {name} | {' | '.join(numbers)} |", flush=True)


if __name__ == "__main__":
    main()
