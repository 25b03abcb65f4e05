"""Operations on tensors: shapes, dtypes, settings."""

import numpy as np
from misuse.table import INF, NAN, NO_ARRAYS, NO_FLAGS, case, each, random, read_only, works, zeros
from support import strided

from mininet import Tensor
from mininet import functional as F

X, W = zeros(2, 4, 5, 3), zeros(3, 3, 3, 2)
IMAGES, WEIGHTS = random(2, 6, 7, 3), random(3, 3, 3, 8, seed=1)
ONES = np.ones(3, np.float32)
PAIRS = ("2", None, 1.5, True, (1, True), [1, 2.0], 1j, np.ones(2, int))
UNARY = (F.absolute, F.exp, F.flatten, F.global_avg_pool2d, F.log, F.log_softmax, F.negative, F.relu, F.sigmoid,
         F.softmax, F.sqrt, F.tanh, F.max, F.mean, F.sum, F.transpose)  # fmt: skip
BINARY = (F.add, F.subtract, F.multiply, F.divide, F.maximum)


def norm(f, x=IMAGES, weight=ONES, bias=ONES, mean=ONES, variance=ONES, training=True, **settings):
    copies = (array.copy() if isinstance(array, np.ndarray) else array for array in (mean, variance))
    return f(x, weight, bias, *copies, training, **settings)


CASES = [
    # Arguments of the wrong kind
    *(case(f, "an array of integers", lambda f: f(zeros(2, 2, 2, 2, dtype=int)), TypeError, "float32 or float64, got int64") for f in UNARY),
    *(case(f, "a text", lambda f: f("text"), TypeError, "holds float32 or float64, got") for f in UNARY),
    *(case(f, "float16", lambda f: f(zeros(2, 2, 2, 2, dtype=np.float16)), TypeError, "got float16") for f in UNARY),
    *(case(f, "lists of different lengths", lambda f: f([[1.0], [1.0, 2.0]]), ValueError, "array must be an array or lists of equal lengths") for f in UNARY),
    *(case(f, "shapes that do not broadcast", lambda f: f(zeros(2, 3), zeros(2)), ValueError, "broadcast") for f in BINARY),
    *(case(f, "mixed dtypes", lambda f: f(zeros(3), np.zeros(3)), TypeError, "got float32 and float64: convert one of them") for f in BINARY),
    *(case(f, "None", lambda f: f(zeros(3), None), TypeError, "float32 or float64, got object") for f in BINARY),
    *(case(f, "a complex number", lambda f: f(zeros(3), 1j), TypeError, "float32 or float64, got complex128") for f in BINARY),
    # What is unusual and works
    *(works(f, "a strided array", lambda f: f(strided(IMAGES)), lambda f=f: f(IMAGES)) for f in UNARY if f not in (F.log, F.sqrt)),
    *(works(f, "a read-only array", lambda f: f(read_only(IMAGES)), lambda f=f: f(IMAGES)) for f in UNARY if f not in (F.log, F.sqrt)),
    *(works(f, "an array in Fortran's order", lambda f: f(np.asfortranarray(IMAGES)), lambda f=f: f(IMAGES)) for f in UNARY if f not in (F.log, F.sqrt, F.sum, F.mean, F.global_avg_pool2d)),
    *(works(f, "an empty batch", lambda f: f(zeros(0, 3)), lambda: zeros(0, 3)) for f in (F.absolute, F.exp, F.log, F.negative, F.relu, F.sigmoid, F.sqrt, F.tanh, F.softmax, F.log_softmax, F.flatten)),
    *(works(f, "lists", lambda f: f([[1, 4], [2, 3]]), lambda f=f: f(np.array([[1, 4], [2, 3]], np.float32))) for f in UNARY if f is not F.global_avg_pool2d),
    *(works(f, "a number, which takes the array's dtype", lambda f: f(np.ones(3), 2).dtype.name, lambda: "float64") for f in BINARY),
    *(works(f, "strided arrays", lambda f: f(strided(IMAGES), strided(IMAGES)), lambda f=f: f(IMAGES, IMAGES)) for f in BINARY),
    *(works(f, "empty arrays that broadcast", lambda f: f(zeros(0, 3), zeros(1)), lambda: zeros(0, 3)) for f in BINARY),
    # Matrix products
    case(F.matmul, "inner sizes", lambda f: f(zeros(2, 3), zeros(4, 5)), ValueError, "a and b must be (..., m, k) and (..., k, n), got shapes (2, 3) and (4, 5)"),
    case(F.matmul, "inner sizes, no rows", lambda f: f(zeros(0, 3), zeros(4, 5)), ValueError, "got shapes (0, 3) and (4, 5)"),
    case(F.matmul, "a scalar", lambda f: f(zeros(), zeros(4, 5)), ValueError, "a and b must be (..., m, k)"),
    case(F.matmul, "a number", lambda f: f(zeros(4, 5), 2.0), ValueError, "got shapes (4, 5) and ()"),
    case(F.matmul, "vectors of different lengths", lambda f: f(zeros(3), zeros(4)), ValueError, "got shapes (3,) and (4,)"),
    case(F.matmul, "stacks of different lengths", lambda f: f(zeros(2, 3, 4), zeros(3, 4, 5)), ValueError, "broadcast"),
    case(F.matmul, "mixed dtypes", lambda f: f(zeros(2, 3), np.zeros((3, 2))), TypeError, "matmul got float32 and float64"),
    works(F.matmul, "no inner elements", lambda f: f(zeros(2, 0), zeros(0, 3)), lambda: zeros(2, 3)),
    works(F.matmul, "strided matrices", lambda f: f(strided(random(4, 3)), strided(random(3, 2))), lambda: random(4, 3) @ random(3, 2)),
    case(F.linear, "features", lambda f: f(zeros(2, 4), zeros(3, 2)), ValueError, "x must have 3 features on its last axis, as weight (3, 2) says, got shape (2, 4)"),
    case(F.linear, "a scalar", lambda f: f(zeros(), zeros(3, 2)), ValueError, "x must have 3 features"),
    case(F.linear, "weight of rank 1", lambda f: f(ONES, ONES), ValueError, "weight must have 2 axes (in, out), got shape (3,)"),
    case(F.linear, "bias", lambda f: f(ONES, zeros(3, 2), ONES), ValueError, "bias must have shape (2,), got (3,)"),
    case(F.linear, "bias of rank 2", lambda f: f(ONES, zeros(3, 2), zeros(1, 2)), ValueError, "bias must have shape (2,), got (1, 2)"),
    case(F.linear, "bias of another dtype", lambda f: f(ONES, zeros(3, 2), np.zeros(2)), TypeError, "linear got float32 and float64"),
    case(F.linear, "no features", lambda f: f(zeros(2, 0), zeros(0, 3)), ValueError, "weight must not be empty, got shape (0, 3)"),
    case(F.linear, "weight None", lambda f: f(ONES, None), TypeError, "float32 or float64, got object"),
    works(F.linear, "an empty batch", lambda f: f(zeros(0, 3), zeros(3, 2), zeros(2)), lambda: zeros(0, 2)),
    works(F.linear, "strided arrays", lambda f: f(strided(random(4, 3)), strided(random(3, 2))), lambda: F.linear(random(4, 3), random(3, 2))),
    works(F.linear, "lists", lambda f: f([1, 2, 3], [[1], [1], [1]]), lambda: np.array([6], np.float32)),
    # Powers, reductions, shapes
    *each(F.power, "exponent", ("2", None, True, Tensor(2.0), ONES, 1j, [2]), lambda f, v: f(ONES, v), TypeError, "exponent must be a Python number, got"),
    works(F.power, "an exponent of 0", lambda f: f(zeros(3), 0), lambda: ONES),
    *(case(f, "axis out of bounds", lambda f: f(ONES, axis=1), ValueError, "axis 1 is out of bounds") for f in (F.sum, F.mean, F.max)),
    *(case(f, "axis twice", lambda f: f(zeros(2, 3), axis=(0, -2)), ValueError, "repeated axis in `axis` argument") for f in (F.sum, F.mean, F.max)),
    *(row for f in (F.sum, F.mean, F.max) for row in each(f, "axis", (1.0, "0", True, (0, 1.5), 1j, {0}), lambda f, v: f(zeros(2, 3), axis=v), TypeError, "axis must be None, an integer or several, got")),
    *(row for f in (F.sum, F.mean, F.max) for row in each(f, "keepdims", NO_FLAGS, lambda f, v: f(zeros(2, 3), keepdims=v), TypeError, "keepdims must be True or False, got")),
    *(case(f, "no elements", lambda f: f(zeros(0, 3)), ValueError, f"{f.__name__} of no elements: shape (0, 3), axis None") for f in (F.mean, F.max)),
    *(case(f, "an empty axis", lambda f: f(zeros(2, 0), axis=1), ValueError, f"{f.__name__} of no elements: shape (2, 0), axis 1") for f in (F.mean, F.max)),
    works(F.sum, "no elements", lambda f: f(zeros(0, 3)), lambda: np.float32(0)),
    works(F.max, "an empty axis beside that of the maximum", lambda f: f(zeros(0, 3), axis=1), lambda: zeros(0)),
    works(F.sum, "no axes", lambda f: f(ONES, axis=()), lambda: ONES),
    case(F.transpose, "too few axes", lambda f: f(X, 0, 1), ValueError, "axes must name each of the 4 axes once, got (0, 1)"),
    case(F.transpose, "an axis twice", lambda f: f(X, 0, 0, 1, 2), ValueError, "repeated axis"),
    case(F.transpose, "an axis out of bounds", lambda f: f(zeros(2, 3), 0, 2), ValueError, "axis 2 is out of bounds"),
    case(F.transpose, "an axis that is no integer", lambda f: f(zeros(2, 3), 0, 1.5), TypeError, "axis must be None, an integer or several"),
    case(F.reshape, "another size", lambda f: f(ONES, 2, 2), ValueError, "cannot reshape array of size 3 into shape (2,2)"),
    case(F.reshape, "two unknown sizes", lambda f: f(ONES, -1, -1), ValueError, "can only specify one unknown dimension"),
    case(F.reshape, "a negative size", lambda f: f(ONES, -3), ValueError, "shape must be at least -1, got -3"),
    *each(F.reshape, "shape", (1.5, "3", None, True, ((3,),), 3j), lambda f, v: f(ONES, v, 1), TypeError, "shape must be an integer, got"),
    works(F.reshape, "a strided array", lambda f: f(strided(random(2, 3)), 3, 2), lambda: random(2, 3).reshape(3, 2)),
    works(F.reshape, "no elements", lambda f: f(zeros(0, 3), 0, 5), lambda: zeros(0, 5)),
    case(F.getitem, "out of bounds", lambda f: f(Tensor(ONES), 3), IndexError, "index 3 is out of bounds for axis 0 with size 3"),
    case(F.getitem, "a tensor", lambda f: f(Tensor(ONES), Tensor([1.0])), IndexError, "must be of integer (or boolean) type"),
    case(F.getitem, "a float", lambda f: f(Tensor(ONES), 1.0), IndexError, "must be of integer (or boolean) type"),
    case(F.getitem, "a text", lambda f: f(Tensor(ONES), "a"), IndexError, "indices"),
    case(F.getitem, "too many", lambda f: f(Tensor(ONES), (0, 0)), IndexError, "too many indices"),
    case(F.getitem, "a mask of another shape", lambda f: f(Tensor(ONES), np.ones(2, bool)), IndexError, "boolean index did not match"),
    works(F.getitem, "an empty list", lambda f: f(Tensor(ONES), []), lambda: zeros(0)),
    works(F.getitem, "a slice beyond the end", lambda f: f(Tensor(ONES), slice(2, 99)), lambda: ONES[:1]),
    case(F.concatenate, "nothing", lambda f: f([]), ValueError, "concatenate needs at least one tensor"),
    case(F.concatenate, "no sequence", lambda f: f(3), TypeError, "tensors must be a sequence of tensors, got 3"),
    case(F.concatenate, "shapes", lambda f: f([zeros(2, 3), zeros(2, 2)]), ValueError, "along dimension 1, the array at index 0 has size 3"),
    case(F.concatenate, "ranks", lambda f: f([zeros(2, 3), zeros(2)], axis=1), ValueError, "tensors to concatenate must have the same number of axes"),
    case(F.concatenate, "axis", lambda f: f([ONES, ONES], axis=1), ValueError, "axis 1 is out of bounds"),
    case(F.concatenate, "an axis that is no integer", lambda f: f([ONES, ONES], axis=0.0), TypeError, "axis must be an integer, got 0.0"),
    case(F.concatenate, "scalars", lambda f: f([zeros(), zeros()]), ValueError, "axis 0 is out of bounds"),
    case(F.concatenate, "mixed dtypes", lambda f: f([ONES, np.ones(3)]), TypeError, "concatenate got float32 and float64"),
    works(F.concatenate, "an empty one among others", lambda f: f([ONES, zeros(0)]), lambda: ONES),
    case(F.flatten, "a scalar", lambda f: f(zeros()), ValueError, "x must have at least 1 axis to flatten, got a scalar"),
    # Convolution
    case(F.conv2d, "x of rank 3", lambda f: f(X[0], W), ValueError, "x must have 4 axes (n, height, width, channels), got shape (4, 5, 3)"),
    case(F.conv2d, "x of rank 5", lambda f: f(X[None], W), ValueError, "x must have 4 axes"),
    case(F.conv2d, "weight of rank 3", lambda f: f(X, W[0]), ValueError, "weight must have 4 axes (kh, kw, in_channels, out_channels), got shape (3, 3, 2)"),
    case(F.conv2d, "channels", lambda f: f(X[..., :2], W), ValueError, "x must have 3 channels on its last axis, as weight (3, 3, 3, 2) says, got shape (2, 4, 5, 2)"),
    case(F.conv2d, "bias of rank 2", lambda f: f(X, W, zeros(1, 2)), ValueError, "bias must have shape (2,), got (1, 2)"),
    case(F.conv2d, "bias of another length", lambda f: f(X, W, zeros(3)), ValueError, "bias must have shape (2,), got (3,)"),
    case(F.conv2d, "height", lambda f: f(X[:, :2], W), ValueError, "weight: a window of height 3 does not fit into 2 pixels with padding 0"),
    case(F.conv2d, "width", lambda f: f(X, zeros(3, 8, 3, 1), padding=(0, 1)), ValueError, "window of width 8 does not fit into 5 pixels with padding 1"),
    case(F.conv2d, "no pixels", lambda f: f(X[:, :0], W), ValueError, "window of height 3 does not fit into 0 pixels"),
    case(F.conv2d, "an empty window", lambda f: f(X, W[:0]), ValueError, "weight must not be empty, got shape (0, 3, 3, 2)"),
    case(F.conv2d, "mixed dtypes", lambda f: f(X, W.astype(np.float64)), TypeError, "conv2d got float32 and float64"),
    case(F.conv2d, "x of bytes", lambda f: f(X.astype(np.uint8), W), TypeError, "float32 or float64, got uint8"),
    case(F.conv2d, "weight None", lambda f: f(X, None), TypeError, "float32 or float64, got object"),
    *each(F.conv2d, "stride", PAIRS, lambda f, v: f(X, W, stride=v), TypeError, "stride must be an integer or a pair of integers, got"),
    *each(F.conv2d, "padding", PAIRS, lambda f, v: f(X, W, padding=v), TypeError, "padding must be an integer or a pair of integers, got"),
    *each(F.conv2d, "stride", (0, -1, (1, 0), (1, -1), (1, 1, 1), (), [2]), lambda f, v: f(X, W, stride=v), ValueError, "stride must be one or two integers of at least 1, got"),
    *each(F.conv2d, "padding", (-1, (0, -1), (1, 1, 1)), lambda f, v: f(X, W, padding=v), ValueError, "padding must be one or two integers of at least 0, got"),
    works(F.conv2d, "an empty batch", lambda f: f(X[:0], W), lambda: zeros(0, 2, 3, 2)),
    case(F.conv2d, "no input channels", lambda f: f(X[..., :0], W[:, :, :0]), ValueError, "weight must not be empty, got shape (3, 3, 0, 2)"),
    case(F.conv2d, "no output channels", lambda f: f(X, W[..., :0]), ValueError, "weight must not be empty, got shape (3, 3, 3, 0)"),
    works(F.conv2d, "strided arrays", lambda f: f(strided(IMAGES), strided(WEIGHTS), padding=1), lambda: F.conv2d(IMAGES, WEIGHTS, padding=1)),
    works(F.conv2d, "read-only arrays", lambda f: f(read_only(IMAGES), read_only(WEIGHTS)), lambda: F.conv2d(IMAGES, WEIGHTS)),
    works(F.conv2d, "images mirrored by a negative step", lambda f: f(IMAGES[:, :, ::-1], WEIGHTS), lambda: F.conv2d(IMAGES[:, :, ::-1].copy(), WEIGHTS)),
    works(F.conv2d, "integers of NumPy", lambda f: f(IMAGES, WEIGHTS, stride=np.int64(2), padding=(np.int8(1), 0)), lambda: F.conv2d(IMAGES, WEIGHTS, None, 2, (1, 0))),
    works(F.conv2d, "a stride beyond the image", lambda f: f(IMAGES, WEIGHTS, stride=99).shape, lambda: (2, 1, 1, 8)),
    works(F.conv2d, "a padding wider than the window", lambda f: f(IMAGES, WEIGHTS, padding=5).data[:, 4:8, 4:9], lambda: F.conv2d(np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0))), WEIGHTS).data[:, 0:4, 0:5]),
    # Batch normalisation
    *(case(F.batch_norm, f"shape of {name}", lambda f, a=arguments: norm(f, **a), ValueError, "x, weight and bias must have shapes (..., channels), (channels,) and (channels,)")
      for name, arguments in (("x", {"x": zeros(4, 2)}), ("x of rank 1", {"x": ONES}), ("weight", {"weight": zeros(1)}), ("weight of rank 2", {"weight": zeros(1, 3)}),
                              ("bias", {"bias": zeros(2)}), ("no channels", {"x": zeros(0, 0), "weight": zeros(0), "bias": zeros(0)}))),
    *(case(F.batch_norm, f"shape of {name}", lambda f, a=arguments: norm(f, **a), ValueError, "running_mean and running_var must have shape (3,), got")
      for name, arguments in (("running_mean", {"mean": zeros(2)}), ("running_var", {"variance": zeros(1, 3)}))),
    *each(F.batch_norm, "running_mean", ([0.0, 0.0, 0.0], None, 0.0, Tensor(ONES), np.zeros(3, int)), lambda f, v: norm(f, mean=v), TypeError, "running_mean must be an ndarray of float32 or float64, got"),
    *each(F.batch_norm, "momentum", (NAN, -0.1, 1.1, "0.1", None, True), lambda f, v: norm(f, momentum=v), ValueError, "momentum must be a finite number of at least 0 and at most 1, got"),
    *each(F.batch_norm, "eps", (NAN, INF, -1e-5, "0", None), lambda f, v: norm(f, eps=v), ValueError, "eps must be a finite number of at least 0, got"),
    *each(F.batch_norm, "training", NO_FLAGS, lambda f, v: norm(f, training=v), TypeError, "training must be True or False, got"),
    case(F.batch_norm, "one value a channel", lambda f: norm(f, x=zeros(1, 3)), ValueError, "x must have at least 2 values in every channel to train on, got shape (1, 3)"),
    case(F.batch_norm, "an empty batch", lambda f: norm(f, x=zeros(0, 3)), ValueError, "x must have at least 2 values in every channel"),
    case(F.batch_norm, "mixed dtypes", lambda f: norm(f, x=zeros(4, 3, dtype=np.float64)), TypeError, "batch_norm got float64 and float32"),
    works(F.batch_norm, "an empty batch in evaluation", lambda f: norm(f, x=zeros(0, 3), training=False), lambda: zeros(0, 3)),
    works(F.batch_norm, "a strided batch", lambda f: norm(f, x=strided(IMAGES)), lambda: norm(F.batch_norm)),
    # Pooling
    *(row for f in (F.max_pool2d, F.avg_pool2d) for row in (
        case(f, "x of rank 3", lambda f: f(X[0], 2), ValueError, "x must have 4 axes (n, height, width, channels), got shape (4, 5, 3)"),
        case(f, "a window too large", lambda f: f(X, 5), ValueError, "size: a window of height 5 does not fit into 4 pixels"),
        case(f, "a padding too large", lambda f: f(X, (2, 3), 1, (1, 2)), ValueError, "padding must be at most half of size (2, 3), got (1, 2)"),
        *each(f, "size", PAIRS, lambda f, v: f(X, v), TypeError, "size must be an integer or a pair of integers, got"),
        *each(f, "size", (0, -1, (1, 2, 3)), lambda f, v: f(X, v), ValueError, "size must be one or two integers of at least 1, got"),
        *each(f, "stride", (0, (1, -2)), lambda f, v: f(X, 2, v), ValueError, "stride must be one or two integers of at least 1, got"),
        *each(f, "padding", (-1, (0, -1)), lambda f, v: f(X, 2, 2, v), ValueError, "padding must be one or two integers of at least 0, got"),
        case(f, "integers", lambda f: f(X.astype(int), 2), TypeError, "float32 or float64, got int64"),
        works(f, "an empty batch", lambda f: f(X[:0], 2), lambda: zeros(0, 2, 2, 3)),
        works(f, "a strided array", lambda f: f(strided(IMAGES), 3, 2, 1), lambda f=f: f(IMAGES, 3, 2, 1)),
        works(f, "a stride beyond the image", lambda f: f(IMAGES, 1, 9), lambda: IMAGES[:, :1, :1]),
    )),
    case(F.global_avg_pool2d, "rank", lambda f: f(ONES), ValueError, "x must have 4 axes"),
    case(F.global_avg_pool2d, "no pixels", lambda f: f(X[:, :0]), ValueError, "mean of no elements"),
    works(F.global_avg_pool2d, "an empty batch", lambda f: f(X[:0]), lambda: zeros(0, 3)),
    # Dropout and losses
    *each(F.dropout, "p", (1, 1.5, -0.1, NAN, "0.5", None, True, [0.5]), lambda f, v: f(ONES, v), ValueError, "p must be a finite number of at least 0 and below 1, got"),
    *each(F.dropout, "training", NO_FLAGS, lambda f, v: f(ONES, 0.5, v), TypeError, "training must be True or False, got"),
    case(F.dropout, "a wrong p in evaluation, too", lambda f: f(ONES, 2, training=False), ValueError, "p must be"),
    works(F.dropout, "an empty batch", lambda f: f(zeros(0, 3), 0.5), lambda: zeros(0, 3)),
    *(case(f, "a scalar", lambda f: f(zeros()), ValueError, "x must have at least one element on its last axis, got shape ()") for f in (F.log_softmax, F.softmax)),
    *(case(f, "no classes", lambda f: f(zeros(2, 0)), ValueError, "x must have at least one element on its last axis, got shape (2, 0)") for f in (F.log_softmax, F.softmax)),
    case(F.cross_entropy, "rank of logits", lambda f: f(ONES, [0]), ValueError, "logits must have 2 axes (n, classes), got shape (3,)"),
    case(F.cross_entropy, "a label too large", lambda f: f(zeros(2, 3), [0, 3]), ValueError, "labels must lie between 0 and 2, got 0 to 3"),
    case(F.cross_entropy, "a label below 0", lambda f: f(zeros(2, 3), [-1, 0]), ValueError, "labels must lie between 0 and 2, got -1 to 0"),
    case(F.cross_entropy, "a label beyond all integers of 32 bits", lambda f: f(zeros(2, 3), [0, 2**40]), ValueError, "labels must lie between 0 and 2"),
    case(F.cross_entropy, "too few labels", lambda f: f(zeros(2, 3), [0]), ValueError, "labels must be one per row of logits (2, 3), at least one, got shape (1,)"),
    case(F.cross_entropy, "one-hot labels", lambda f: f(zeros(2, 3), zeros(2, 3, dtype=int)), ValueError, "labels must be one per row"),
    case(F.cross_entropy, "a single number", lambda f: f(zeros(1, 3), 0), ValueError, "labels must be one per row"),
    case(F.cross_entropy, "an empty batch", lambda f: f(zeros(0, 3), zeros(0, dtype=int)), ValueError, "labels must be one per row of logits (0, 3), at least one"),
    case(F.cross_entropy, "no classes", lambda f: f(zeros(1, 0), [0]), ValueError, "labels must lie between 0 and -1"),
    case(F.cross_entropy, "floats", lambda f: f(zeros(2, 3), [0.0, 1.0]), TypeError, "labels must be integers, got float64"),
    case(F.cross_entropy, "booleans", lambda f: f(zeros(1, 3), [True]), TypeError, "labels must be integers, got bool"),
    case(F.cross_entropy, "texts", lambda f: f(zeros(1, 3), ["cat"]), TypeError, "labels must be integers, got"),
    case(F.cross_entropy, "labels of different lengths", lambda f: f(zeros(2, 3), [[0], [0, 1]]), ValueError, "labels must be an array or lists of equal lengths"),
    case(F.cross_entropy, "logits of integers", lambda f: f(zeros(1, 3, dtype=int), [0]), TypeError, "float32 or float64, got int64"),
    works(F.cross_entropy, "strided logits and labels of any integers", lambda f: f(strided(random(4, 3)), np.array([0, 9, 1, 9, 2, 9, 0], np.uint8)[::2]), lambda: F.cross_entropy(random(4, 3), [0, 1, 2, 0])),
    case(F.mse_loss, "shapes", lambda f: f(zeros(2, 1), zeros(2)), ValueError, "prediction and target must have one shape, got (2, 1) and (2,)"),
    case(F.mse_loss, "nothing", lambda f: f(zeros(0), zeros(0)), ValueError, "mean of no elements"),
    case(F.mse_loss, "mixed dtypes", lambda f: f(zeros(2), np.zeros(2)), TypeError, "got float32 and float64"),
    *each(F.mse_loss, "target", NO_ARRAYS[:4], lambda f, v: f(Tensor(1.0), v), TypeError, "float32 or float64, got"),
    # NaN and infinity as data: passed on as NumPy does
    works(F.relu, "NaN", lambda f: f(np.float32([NAN, -1, INF])), lambda: np.float32([NAN, 0, INF])),
    works(F.max_pool2d, "NaN beats every number", lambda f: f(np.float32([1, NAN, INF, 2]).reshape(1, 2, 2, 1), 2), lambda: np.full((1, 1, 1, 1), NAN, np.float32)),
    works(F.avg_pool2d, "infinity", lambda f: f(np.float32([1, 1, INF, 2]).reshape(1, 2, 2, 1), 2), lambda: np.full((1, 1, 1, 1), INF, np.float32)),
    works(F.matmul, "NaN stays in its row", lambda f: f(np.array([[NAN, 1], [1, 1]]), np.eye(2))[1], lambda: np.ones(2)),
    works(F.linear, "infinity", lambda f: f(np.float32([[INF, 1]]), np.ones((2, 1), np.float32)), lambda: np.float32([[INF]])),
    works(F.sum, "NaN", lambda f: f(np.float32([NAN, 1])), lambda: np.float32(NAN)),
    works(F.max, "NaN", lambda f: f(np.float32([NAN, 1])), lambda: np.float32(NAN)),
    works(F.conv2d, "NaN reaches the windows over it, and no others", lambda f: np.isnan(f(with_nan(), WEIGHTS).data).any(axis=(0, 3)), lambda: corner()),
    works(F.batch_norm, "NaN spoils its channel, and no other", lambda f: np.isnan(norm(f, x=with_nan()).data).all(axis=(0, 1, 2)), lambda: np.array([True, False, False])),
    works(F.cross_entropy, "NaN", lambda f: f(np.float32([[NAN, 1]]), [0]), lambda: np.float32(NAN)),
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
