"""Operations on tensors: shapes, dtypes, settings."""

import numpy as np
from misuse.table import INF, NAN, NO_FLAGS, NO_INTEGERS, NO_NUMBERS, case, each, leaf, random, works, zeros
from support import strided

from mininet import Tensor, nn
from mininet import functional as F

X, W = zeros(2, 4, 5, 3), zeros(3, 3, 3, 2)
IMAGES, WEIGHTS = random(2, 6, 7, 3), random(3, 3, 3, 8, seed=1)
ONES = np.ones(3, np.float32)
PAIRS = ("2", None, 1.5, True, (1, True), [1, 2.0], 1j, np.ones(2, int))
UNARY = (F.absolute, F.exp, F.flatten, F.global_avg_pool2d, F.log, F.log_softmax, F.negative, F.relu, F.sigmoid,
         F.softmax, F.sqrt, F.tanh, F.max, F.mean, F.sum, F.transpose, F.silu, F.softplus, F.logsigmoid, F.leaky_relu, F.clip,
         F.min, F.var)  # fmt: skip
BINARY = (F.add, F.subtract, F.multiply, F.divide, F.maximum)


def norm(f, x=IMAGES, weight=ONES, bias=ONES, mean=ONES, variance=ONES, training=True, **settings):
    copies = (array.copy() if isinstance(array, np.ndarray) else array for array in (mean, variance))
    return f(x, weight, bias, *copies, training, **settings)


CASES = [
    # Arguments of the wrong kind
    *(case(f, "an array of integers", lambda f: f(zeros(2, 2, 2, 2, dtype=int)), TypeError, "float32") for f in UNARY),
    *(case(f, "lists of different lengths", lambda f: f([[1.0], [1.0, 2.0]]), ValueError, "array") for f in UNARY),
    *(case(f, "shapes that do not broadcast", lambda f: f(zeros(2, 3), zeros(2)), ValueError, "broadcast") for f in BINARY),
    *(case(f, "mixed dtypes", lambda f: f(ONES, np.ones(3)), TypeError, "convert b") for f in BINARY),
    # Matrix products
    case(F.matmul, "inner sizes", lambda f: f(zeros(2, 3), zeros(4, 5)), ValueError, "a and"),
    case(F.matmul, "a scalar", lambda f: f(zeros(), zeros(4, 5)), ValueError, "a and"),
    case(F.matmul, "vectors of different lengths", lambda f: f(zeros(3), zeros(4)), ValueError, "a and"),
    works(F.matmul, "no inner elements", lambda f: f(zeros(2, 0), zeros(0, 3)), lambda: zeros(2, 3)),
    case(F.linear, "features", lambda f: f(zeros(2, 4), zeros(3, 2)), ValueError, "x must"),
    case(F.linear, "another dtype than the parameters'", lambda f: f(zeros(4, 2), nn.Parameter(np.zeros((2, 2)))), TypeError, "convert x with .astype(np.float64)"),
    case(F.linear, "weight of rank 1", lambda f: f(ONES, ONES), ValueError, "weight"),
    *each(F.linear, "weight", lambda f, v: f(zeros(2, v.shape[0]), v), values=(zeros(0, 2), zeros(2, 0))),
    case(F.linear, "bias", lambda f: f(ONES, zeros(3, 2), ONES), ValueError, "bias"),
    # Powers, reductions, shapes
    *each(F.power, "exponent", lambda f, v: f(ONES, v), types=("2", None, True, 1j, [2])),
    case(F.power, "shapes", lambda f: f(ONES, zeros(2)), ValueError, "broadcast"),
    *each(F.pad, "pad_width", lambda f, v: f(zeros(2, 3), v), values=(-1, (0, -1), (1, 2, 3), [(1, 1)] * 3, 1.5, "2", None, True, (), [[1], [1, 2]])),
    works(F.pad, "a scalar", lambda f: f(1.0, np.zeros((0, 2), int)).shape, lambda: ()),
    *each(F.pad, "constant_values", lambda f, v: f(ONES, 1, v), values=NO_NUMBERS),
    *(case(f, "axis out of bounds", lambda f: f(ONES, axis=1), ValueError, "axis 1 is out of bounds") for f in (F.sum, F.mean, F.max)),
    *(case(f, "axis twice", lambda f: f(zeros(2, 3), axis=(0, -2)), ValueError, "repeated axis in `axis` argument") for f in (F.sum, F.mean, F.max)),
    *(row for f in (F.sum, F.mean, F.max) for row in each(f, "axis", lambda f, v: f(zeros(2, 3), axis=v), types=(1.0, "0", True, (0, 1.5), 1j, {0}))),
    *(row for f in (F.sum, F.mean, F.max) for row in each(f, "keepdims", lambda f, v: f(zeros(2, 3), keepdims=v), types=NO_FLAGS)),
    *(case(f, "no elements", lambda f: f(zeros(0, 3)), ValueError, "no elements") for f in (F.mean, F.max)),
    case(F.transpose, "too few axes", lambda f: f(X, 0, 1), ValueError, "axes must"),
    case(F.reshape, "a negative size", lambda f: f(ONES, -2), ValueError, "shape must"),
    *each(F.reshape, "shape", lambda f, v: f(ONES, v, 1), types=(1.5, "3", None, True, ((3,),), 3j)),
    case(F.getitem, "out of bounds", lambda f: f(Tensor(ONES), 3), IndexError, "out of bounds"),
    case(F.concatenate, "nothing", lambda f: f([]), ValueError, "concatenate"),
    case(F.concatenate, "no sequence", lambda f: f(3), TypeError, "tensors"),
    case(F.concatenate, "numbers of axes", lambda f: f([zeros(2), zeros(2, 2)]), ValueError, "number of axes"),
    case(F.concatenate, "mixed dtypes", lambda f: f([ONES, np.ones(3)]), TypeError, "convert tensors with .astype(np.float32)"),
    case(F.concatenate, "shapes", lambda f: f([zeros(2, 3), zeros(2, 2)]), ValueError, "dimension"),
    *each(F.leaky_relu, "slope", lambda f, v: f(ONES, v), values=NO_NUMBERS),
    *each(F.clip, "min", lambda f, v: f(ONES, v), values=NO_NUMBERS),
    case(F.clip, "max below min", lambda f: f(ONES, 2, 1), ValueError, "max must"),
    *each(F.where, "condition", lambda f, v: f(v, ONES, 0), types=(ONES, 1, None, [0, 1, 1]), values=([[True], [True, False]],)),
    case(F.where, "shapes", lambda f: f([True, False], ONES, 0), ValueError, "broadcast"),
    *each(F.var, "ddof", lambda f, v: f(ONES, ddof=v), types=NO_INTEGERS, values=(-1, 3)),
    *each(F.var, "ddof for one element", lambda f, v: f(zeros(1), ddof=v), values=(1,), says="ddof"),
    case(F.min, "no elements", lambda f: f(zeros(0, 3)), ValueError, "no elements"),
    case(F.stack, "nothing", lambda f: f([]), ValueError, "stack"),
    case(F.stack, "shapes", lambda f: f([zeros(2), zeros(3)]), ValueError, "tensors"),
    *each(F.stack, "axis", lambda f, v: f([ONES], v), types=NO_INTEGERS, values=(2, -3)),
    *each(F.split, "indices_or_sections", lambda f, v: f(ONES, v), types=(1.5, "2", None, [0.5]), values=(2, 0, [4], [-1])),
    *each(F.split, "axis", lambda f, v: f(ONES, 1, v), types=NO_INTEGERS, values=(1,)),
    case(F.mean, "a list of tensors that require gradients", lambda f: f([leaf(3), leaf(3)]), TypeError, "F.stack"),
    case(F.flatten, "a scalar", lambda f: f(zeros()), ValueError, "x must"),
    # Convolution
    case(F.conv2d, "x of rank 3", lambda f: f(X[0], W), ValueError, "x must"),
    case(F.conv2d, "weight of rank 3", lambda f: f(X, W[0]), ValueError, "weight"),
    *each(F.conv2d, "dilation", lambda f, v: f(X, W, dilation=v), types=PAIRS, values=(0, (1, 0))),
    case(F.conv2d, "a dilated window that is too large", lambda f: f(X, W, dilation=(2, 1)), ValueError, "weight"),
    *each(F.conv2d, "groups", lambda f, v: f(X, W, groups=v), types=NO_INTEGERS, values=(0, 4)),
    case(F.conv2d, "channels of groups", lambda f: f(X, W, groups=2), ValueError, "x must have 6 channels"),
    *each(F.conv2d, "method", lambda f, v: f(X, W, method=v), values=("fast", None, "winograd")),
    case(F.conv2d, "few channels of groups", lambda f: f(zeros(1, 4, 4, 64), zeros(3, 3, 16, 16), groups=4, method="winograd"), ValueError, "winograd"),
    case(F.conv2d, "channels", lambda f: f(X[..., :2], W), ValueError, "x must"),
    case(F.conv2d, "bias of another length", lambda f: f(X, W, zeros(3)), ValueError, "bias"),
    case(F.conv2d, "height", lambda f: f(X[:, :2], W), ValueError, "weight"),
    case(F.conv2d, "a window a pixel too large", lambda f: f(zeros(1, 2, 2, 3), zeros(5, 5, 3, 2), padding=1), ValueError, "weight: a window"),
    case(F.conv2d, "an empty window", lambda f: f(X, W[:0]), ValueError, "weight"),
    *each(F.conv2d, "stride", lambda f, v: f(X, W, stride=v), types=PAIRS, values=(0, -1, (1, 0), (1, -1), (1, 1, 1), (), [2])),
    *each(F.conv2d, "padding", lambda f, v: f(X, W, padding=v), types=PAIRS, values=(-1, (0, -1), (1, 1, 1))),
    works(F.conv2d, "a padding wider than the window", lambda f: f(IMAGES, WEIGHTS, padding=5).data[:, 4:8, 4:9], lambda: F.conv2d(np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0))), WEIGHTS).data[:, 0:4, 0:5]),
    # Normalisation
    *each(F.group_norm, "num_groups", lambda f, v: f(zeros(2, 3), v, ONES, ONES), types=NO_INTEGERS, values=(0, 2)),
    *each(F.group_norm, "eps", lambda f, v: f(zeros(2, 3), 1, ONES, ONES, v), values=(*NO_NUMBERS, -1)),
    *each(F.layer_norm, "eps", lambda f, v: f(zeros(2, 3), ONES, ONES, v), values=(*NO_NUMBERS, -1)),
    case(F.batch_norm, "weight of rank 2", lambda f: norm(f, zeros(2, 1), zeros(1, 1), zeros(1, 1), ONES[:1], ONES[:1]), ValueError, "x, weight"),
    works(F.layer_norm, "one channel", lambda f: f(zeros(2, 1), ONES[:1], ONES[:1]), lambda: zeros(2, 1) + 1),
    case(F.layer_norm, "weight of another length", lambda f: f(zeros(2, 3), zeros(2), zeros(2)), ValueError, "x, weight"),
    # Transformers
    *each(F.causal_attention, "heads", lambda f, v: f(zeros(1, 2, 12), v), types=NO_INTEGERS, values=(0, 3)),
    *each(F.causal_attention, "dropout", lambda f, v: f(zeros(1, 2, 12), 2, v), values=(*NO_NUMBERS, -0.1, 1)),
    *each(F.causal_attention, "training", lambda f, v: f(zeros(1, 2, 12), 2, 0.1, v), types=NO_FLAGS),
    case(F.causal_attention, "no width", lambda f: f(zeros(1, 2, 0), 1), ValueError, "qkv"),
    case(F.causal_attention, "two axes", lambda f: f(zeros(2, 12), 2), ValueError, "qkv"),
    works(F.causal_attention, "an empty batch", lambda f: f(zeros(0, 2, 6), 1), lambda: zeros(0, 2, 2)),
    *each(F.gelu, "approximate", lambda f, v: f(ONES, v), values=("", "erf", None)),
    *each(F.embedding, "indices", lambda f, v: f(v, zeros(3, 2)), types=(1.0, [True], "a"), values=(-1, [0, 3])),
    case(F.embedding, "a table of one axis", lambda f: f([0], ONES), ValueError, "weight"),
    case(F.group_norm, "weight of another length", lambda f: f(zeros(2, 3), 1, zeros(2), ONES), ValueError, "x, weight"),
    *(case(F.batch_norm, f"shape of {name}, training={t}", lambda f, a=arguments, t=t: norm(f, **a, training=t), ValueError, "x, weight") for t in (True, False)
      for name, arguments in (("x", {"x": zeros(4, 2)}), ("x of rank 1", {"x": ONES}), ("weight", {"weight": zeros(1)}), ("weight of rank 2", {"weight": zeros(1, 3)}),
                              ("bias", {"bias": zeros(2)}), ("no channels", {"x": zeros(0, 0), "weight": zeros(0), "bias": zeros(0)}))),
    *(case(F.batch_norm, f"shape of {name}, training={t}", lambda f, a=arguments, t=t: norm(f, **a, training=t), ValueError, "running_mean") for t in (True, False)
      for name, arguments in (("running_mean", {"mean": zeros(2)}), ("running_var", {"variance": zeros(1, 3)}))),
    *each(F.batch_norm, "running_mean", lambda f, v: norm(f, mean=v), types=([0.0, 0.0, 0.0], None, 0.0, Tensor(ONES), np.zeros(3, int))),
    *each(F.batch_norm, "momentum", lambda f, v: norm(f, momentum=v), values=(NAN, -0.1, 1.1, "0.1", None, True)),
    *each(F.batch_norm, "eps", lambda f, v: norm(f, eps=v), values=(NAN, INF, -1e-5, "0", None)),
    *each(F.batch_norm, "training", lambda f, v: norm(f, training=v), types=NO_FLAGS),
    case(F.batch_norm, "one value a channel", lambda f: norm(f, x=zeros(1, 3)), ValueError, "x must"),
    case(F.batch_norm, "an empty batch", lambda f: norm(f, x=zeros(0, 3)), ValueError, "x must"),
    # Pooling
    *(row for f in (F.max_pool2d, F.avg_pool2d) for row in (
        case(f, "x of rank 3", lambda f: f(X[0], 2), ValueError, "x must"),
        case(f, "a window too large", lambda f: f(X, 5), ValueError, "kernel_size"),
        case(f, "a padding too large", lambda f: f(X, (2, 3), 1, (1, 2)), ValueError, "padding"),
        *each(f, "kernel_size", lambda f, v: f(X, v), types=PAIRS, values=(0, -1, (1, 2, 3))),
        *each(f, "stride", lambda f, v: f(X, 2, v), values=(0, (1, -2))),
        *each(f, "padding", lambda f, v: f(X, 2, 2, v), values=(-1, (0, -1))),
    )),
    case(F.global_avg_pool2d, "rank", lambda f: f(ONES), ValueError, "x must"),
    # Dropout and losses
    *each(F.dropout, "p", lambda f, v: f(ONES, v), values=(1, 1.5, -0.1, NAN, "0.5", None, True, [0.5]), says="p must"),
    *each(F.dropout, "training", lambda f, v: f(ONES, 0.5, v), types=NO_FLAGS),
    *(case(f, "a scalar", lambda f: f(zeros()), ValueError, "x must") for f in (F.log_softmax, F.softmax)),
    *(row for f in (F.log_softmax, F.softmax) for row in each(f, "axis", lambda f, v: f(ONES, v), types=NO_INTEGERS, values=(1,))),
    *(case(f, "no classes", lambda f: f(zeros(2, 0)), ValueError, "x must") for f in (F.log_softmax, F.softmax)),
    *each(F.cross_entropy, "logits", lambda f, v: f(v, [0]), values=(ONES, zeros(1, 3, 2))),
    case(F.cross_entropy, "a label too large", lambda f: f(zeros(2, 3), [0, 3]), ValueError, "labels"),
    case(F.cross_entropy, "a label below 0", lambda f: f(zeros(2, 3), [-1, 0]), ValueError, "labels"),
    case(F.cross_entropy, "too few labels", lambda f: f(zeros(2, 3), [0]), ValueError, "labels"),
    case(F.cross_entropy, "an empty batch", lambda f: f(zeros(0, 3), zeros(0, dtype=int)), ValueError, "labels"),
    case(F.cross_entropy, "floats", lambda f: f(zeros(2, 3), [0.0, 1.0]), TypeError, "labels"),
    case(F.cross_entropy, "labels of different lengths", lambda f: f(zeros(2, 3), [[0], [0, 1]]), ValueError, "labels"),
    case(F.cross_entropy, "all labels ignored", lambda f: f(zeros(2, 3), [7, 7], ignore_index=7), ValueError, "labels"),
    *each(F.cross_entropy, "label_smoothing", lambda f, v: f(zeros(1, 3), [0], v), values=(*NO_NUMBERS, -0.1, 1.1)),
    *each(F.cross_entropy, "ignore_index", lambda f, v: f(zeros(1, 3), [0], ignore_index=v), types=NO_INTEGERS),
    *each(F.cross_entropy, "reduction", lambda f, v: f(zeros(1, 3), [0], reduction=v), values=("max", None)),
    works(F.cross_entropy, "strided logits and labels of any integers", lambda f: f(strided(random(4, 3)), np.array([0, 9, 1, 9, 2, 9, 0], np.uint8)[::2]), lambda: F.cross_entropy(random(4, 3), [0, 1, 2, 0])),
    case(F.mse_loss, "shapes", lambda f: f(zeros(2, 1), zeros(2)), ValueError, "prediction"),
    # NaN and infinity as data: passed on as NumPy does
    works(F.relu, "NaN", lambda f: f(np.float32([NAN, -1, INF])), lambda: np.float32([NAN, 0, INF])),
    works(F.conv2d, "NaN reaches the windows over it, and no others", lambda f: np.isnan(f(with_nan(), WEIGHTS).data).any(axis=(0, 3)), lambda: corner()),
    works(F.batch_norm, "NaN spoils its channel, and no other", lambda f: np.isnan(norm(f, x=with_nan()).data).all(axis=(0, 1, 2)), lambda: np.array([True, False, False])),
]  # fmt: skip


def with_nan():
    """Images whose very first number is NaN."""
    images = IMAGES.copy()
    images[0, 0, 0, 0] = NAN
    return images


def corner():
    """True where the first pixel of the first image is seen by a 3x3 window without padding."""
    seen = np.zeros((4, 5), bool)
    seen[0, 0] = True
    return seen
