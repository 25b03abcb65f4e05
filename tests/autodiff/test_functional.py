"""What the operations refuse, and what the table of operations cannot say about them."""

import numpy as np
import pytest
from operation_table import each
from support import DTYPES, assert_within, normal

import mininet
from mininet import Tensor, check_gradient, check_jacobian, manual_seed, no_grad, seeding
from mininet import functional as F

X = np.zeros((2, 4, 5, 3))
W = np.zeros((3, 3, 3, 2))
ONES = np.ones(3)


# name: (call, error, what the message must say)
ERRORS = {
    "add: shapes": (lambda: F.add(np.ones((2, 3)), np.ones(2)), ValueError, "broadcast"),
    "matmul: inner sizes": (lambda: F.matmul(np.ones((2, 3)), np.ones((4, 5))), ValueError, "3|4"),
    "matmul: inner sizes, no rows": (lambda: F.matmul(np.ones((0, 3)), np.ones((4, 5))), ValueError, "3|4"),
    "matmul: scalar": (lambda: F.matmul(np.ones(()), np.ones((4, 5))), ValueError, "dimension"),
    "power: tensor": (lambda: F.power(ONES, Tensor(2.0)), TypeError, "exponent must be a Python number, got Tensor"),
    "power: array": (lambda: F.power(ONES, ONES), TypeError, "exponent must be a Python number, got ndarray"),
    "mean: no elements": (lambda: F.mean(np.ones((0, 3))), ValueError, r"mean of no elements: shape \(0, 3\)"),
    "mean: empty axis": (lambda: F.mean(np.ones((0, 3)), axis=0), ValueError, "mean of no elements.*axis 0"),
    "max: no elements": (lambda: F.max(np.ones((0, 3))), ValueError, "maximum"),
    "sum: axis": (lambda: F.sum(ONES, axis=1), ValueError, "axis 1 is out of bounds"),
    "sum: axis twice": (lambda: F.sum(np.ones((2, 3)), axis=(0, -2)), ValueError, "repeated axis"),
    "transpose: too few axes": (lambda: F.transpose(X, 0, 1), ValueError, "axes"),
    "transpose: axis twice": (lambda: F.transpose(X, 0, 0, 1, 2), ValueError, "repeated axis"),
    "reshape: size": (lambda: F.reshape(ONES, 2, 2), ValueError, r"\(2,2\)"),
    "getitem: bounds": (lambda: Tensor(ONES)[3], IndexError, "out of bounds"),
    "getitem: tensor": (lambda: Tensor(ONES)[Tensor([1.0])], IndexError, "integer"),
    "concatenate: nothing": (lambda: F.concatenate([]), ValueError, "concatenate needs at least one tensor"),
    "concatenate: shapes": (lambda: F.concatenate([np.ones((2, 3)), np.ones((2, 2))]), ValueError, "dimension"),
    "concatenate: ranks": (lambda: F.concatenate([np.ones((2, 3)), np.ones(2)], axis=1), ValueError, "number of axes"),
    "concatenate: axis": (lambda: F.concatenate([ONES, ONES], axis=1), ValueError, "axis 1 is out of bounds"),
    "linear: features": (
        lambda: F.linear(np.ones((2, 4)), np.ones((3, 2))),
        ValueError,
        "x must have 3 features",
    ),
    "linear: scalar": (lambda: F.linear(np.ones(()), np.ones((3, 2))), ValueError, "x must have 3 features"),
    "linear: weight": (
        lambda: F.linear(ONES, ONES),
        ValueError,
        r"weight must have 2 axes \(in, out\)",
    ),
    "linear: bias": (
        lambda: F.linear(ONES, np.ones((3, 2)), ONES),
        ValueError,
        r"bias must have shape \(2,\), got \(3,\)",
    ),
    "conv2d: rank of x": (lambda: F.conv2d(X[0], W), ValueError, r"x must have 4 axes \(n, height, width, channels\)"),
    "conv2d: rank of weight": (lambda: F.conv2d(X, W[0]), ValueError, "weight must have 4 axes"),
    "conv2d: channels": (lambda: F.conv2d(X[..., :2], W), ValueError, "x must have 3 channels on its last axis"),
    "conv2d: bias": (lambda: F.conv2d(X, W, np.ones((1, 2))), ValueError, r"bias must have shape \(2,\)"),
    "conv2d: height": (lambda: F.conv2d(X[:, :2], W), ValueError, "window of height 3 does not fit into 2 pixels"),
    "conv2d: width": (
        lambda: F.conv2d(X, np.zeros((3, 8, 3, 1)), padding=(0, 1)),
        ValueError,
        "window of width 8 does not fit into 5 pixels with padding 1",
    ),
    "conv2d: no window": (lambda: F.conv2d(X, W[:0]), ValueError, "height 0 does not fit"),
    "conv2d: stride 0": (lambda: F.conv2d(X, W, stride=0), ValueError, "stride must be .* at least 1, got 0"),
    "conv2d: stride -1": (lambda: F.conv2d(X, W, stride=(1, -1)), ValueError, r"stride must be .*got \(1, -1\)"),
    "conv2d: three strides": (
        lambda: F.conv2d(X, W, stride=(1, 1, 1)),
        ValueError,
        "one or two integers",
    ),
    "conv2d: stride 1.0": (lambda: F.conv2d(X, W, stride=1.0), TypeError, "stride must be an integer or a pair.*1.0"),
    "conv2d: stride text": (lambda: F.conv2d(X, W, stride="2"), TypeError, "stride must be an integer or a pair.*'2'"),
    "conv2d: padding -1": (lambda: F.conv2d(X, W, padding=-1), ValueError, "padding must be .* at least 0, got -1"),
    "conv2d: padding None": (lambda: F.conv2d(X, W, padding=None), TypeError, "padding must be an integer or a pair"),
    "max_pool2d: rank": (lambda: F.max_pool2d(X[0], 2), ValueError, "x must have 4 axes"),
    "max_pool2d: size": (lambda: F.max_pool2d(X, 0), ValueError, "size must be .* at least 1, got 0"),
    "max_pool2d: fit": (
        lambda: F.max_pool2d(X, 5),
        ValueError,
        "size: a window of height 5 does not fit",
    ),
    "max_pool2d: padding": (
        lambda: F.max_pool2d(X, 3, 1, 2),
        ValueError,
        r"at most half of size \(3, 3\)",
    ),
    "avg_pool2d: stride": (lambda: F.avg_pool2d(X, 2, 0), ValueError, "stride must be .* at least 1, got 0"),
    "avg_pool2d: padding": (lambda: F.avg_pool2d(X, (2, 3), 1, (1, 2)), ValueError, "padding must be at most half"),
    "global_avg_pool2d: rank": (lambda: F.global_avg_pool2d(ONES), ValueError, "x must have 4 axes"),
    "global_avg_pool2d: no pixels": (lambda: F.global_avg_pool2d(X[:, :0]), ValueError, "mean of no elements"),
    "flatten: scalar": (lambda: F.flatten(np.ones(())), ValueError, "at least 1 axis"),
    "dropout: p = 1": (lambda: F.dropout(ONES, 1), ValueError, "p must be at least 0 and below 1, got 1"),
    "dropout: p < 0": (lambda: F.dropout(ONES, -0.1), ValueError, "p must be at least 0 and below 1, got -0.1"),
    "dropout: p NaN": (lambda: F.dropout(ONES, float("nan")), ValueError, "p must be"),
    "dropout: p text": (lambda: F.dropout(ONES, "0.5"), ValueError, "p must be .*'0.5'"),
    "dropout: in evaluation": (lambda: F.dropout(ONES, 2, training=False), ValueError, "p must be"),
    "cross_entropy: rank": (lambda: F.cross_entropy(ONES, [0]), ValueError, r"logits must have 2 axes \(n, classes\)"),
    "cross_entropy: label": (
        lambda: F.cross_entropy(np.ones((2, 3)), [0, 3]),
        ValueError,
        "0 and 2, got 0 to 3",
    ),
    "cross_entropy: label < 0": (lambda: F.cross_entropy(np.ones((2, 3)), [-1, 0]), ValueError, "got -1 to 0"),
    "cross_entropy: count": (lambda: F.cross_entropy(np.ones((2, 3)), [0]), ValueError, "labels must be one per row"),
    "cross_entropy: rank of labels": (
        lambda: F.cross_entropy(np.ones((2, 3)), np.zeros((2, 3), int)),
        ValueError,
        "labels must be one per row",
    ),
    "cross_entropy: empty batch": (
        lambda: F.cross_entropy(np.ones((0, 3)), np.zeros(0, int)),
        ValueError,
        "labels must be .* at least one",
    ),
    "cross_entropy: floats": (lambda: F.cross_entropy(np.ones((2, 3)), [0.0, 1.0]), TypeError, "integers, got float64"),
    "cross_entropy: booleans": (lambda: F.cross_entropy(np.ones((1, 3)), [True]), TypeError, "integers, got bool"),
    "mse_loss: shapes": (lambda: F.mse_loss(np.ones((2, 1)), np.ones(2)), ValueError, "must have one shape"),
    "mse_loss: nothing": (lambda: F.mse_loss(np.ones(0), np.ones(0)), ValueError, "mean of no elements"),
    "log_softmax: no classes": (lambda: F.log_softmax(np.ones((2, 0))), ValueError, "zero-size"),
}


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS)
def test_misuse_is_an_error_that_says_what_was_expected(case):
    call, error, message = case
    with pytest.raises(error, match=message):
        call()


def norm(x=None, weight=ONES, bias=ONES, mean=ONES, variance=ONES, training=True):
    x = normal((4, 3)) if x is None else x
    return F.batch_norm(x, weight, bias, mean.copy(), variance.copy(), training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {"x": np.ones((4, 2))},
        {"x": np.ones(3)},
        {"weight": np.ones(1)},
        {"weight": np.ones((1, 3))},
        {"bias": np.ones(2)},
        {"bias": np.ones(())},
        {"mean": np.ones(2)},
        {"mean": np.ones(1)},
        {"mean": np.ones(4)},
        {"variance": np.ones(1)},
        {"variance": np.ones((3, 1))},
    ],
    ids=lambda arguments: ", ".join(f"{name} {array.shape}" for name, array in arguments.items()),
)
def test_batch_norm_refuses_other_shapes(arguments, training):
    # a kernel reads where it is told to: a shorter array of statistics would be read beyond its end
    with pytest.raises(ValueError, match=r"channels|shape"):
        norm(**arguments, training=training)


@pytest.mark.parametrize("shape", [(1, 3), (0, 3), (1, 1, 1, 3)])
def test_batch_norm_needs_two_values_to_train(shape):
    mean, variance = np.ones(3), np.ones(3)
    with pytest.raises(ValueError, match="at least 2 values in every channel"):
        F.batch_norm(np.ones(shape), ONES, ONES, mean, variance, True)
    assert (mean == 1).all()
    assert (variance == 1).all()
    assert norm(np.ones(shape), training=False).shape == shape


# Batch normalisation has a side effect


@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_norm_moves_running_statistics_in_training(dtype):
    x = normal((6, 2, 3), dtype) * dtype(2) + dtype(1)
    mean, variance = np.array([1, 2, 3], dtype), np.array([4, 5, 6], dtype)
    expected_mean = 0.8 * mean.astype(float) + 0.2 * x.astype(float).mean(axis=(0, 1))
    expected_variance = 0.8 * variance.astype(float) + 0.2 * x.astype(float).var(axis=(0, 1), ddof=1)
    F.batch_norm(x, np.ones(3, dtype), np.ones(3, dtype), mean, variance, True, momentum=0.2)
    # two products, a sum and, in float64, m additions
    bound = 4 * np.finfo(dtype).eps * 10
    assert_within(mean, expected_mean, bound)
    assert_within(variance, expected_variance, bound)
    assert mean.dtype == variance.dtype == dtype


@pytest.mark.parametrize("settings", [{"training": False}, {"training": True, "update": False}], ids=str)
def test_batch_norm_leaves_running_statistics_alone(settings):
    mean, variance = np.array([1.0, 2, 3]), np.array([4.0, 5, 6])
    F.batch_norm(normal((4, 3)), ONES, ONES, mean, variance, **settings)
    assert mean.tolist() == [1, 2, 3]
    assert variance.tolist() == [4, 5, 6]


def test_batch_norm_in_training_ignores_running_statistics():
    x = normal((4, 3))
    one = F.batch_norm(x, ONES, ONES, np.zeros(3), np.ones(3), True)
    other = F.batch_norm(x, ONES, ONES, np.full(3, 9.0), np.full(3, 7.0), True)
    assert np.array_equal(one.data, other.data)


def test_batch_norm_differentiates_with_the_statistics_of_its_call():
    # running statistics may move between forward and backward
    x = Tensor(normal((4, 3)), requires_grad=True)
    mean, variance = np.zeros(3), np.ones(3)
    y = F.batch_norm(x, ONES, ONES, mean, variance, False, eps=0.0)
    variance *= 100
    y.sum().backward()
    assert (x.grad == 1).all()


def test_batch_norm_of_a_constant_channel_is_finite():
    x = Tensor(np.full((4, 3), 5.0), requires_grad=True)
    y = F.batch_norm(x, ONES, ONES * 0.5, np.zeros(3), np.ones(3), True)
    y.backward(normal((4, 3)))
    assert (y.data == 0.5).all()
    assert np.isfinite(x.grad).all()


@pytest.mark.parametrize("case", **each(lambda case: "with ReLU" in case.label))
def test_batch_norm_with_relu_is_tried_away_from_the_kink_and_on_both_sides(case):
    """So that the table of operations may compare it with finite differences, and float32 with float64."""
    outputs = case.function(*case.inputs()).data
    assert 0.25 < (outputs > 0).mean() < 0.9
    random = np.random.default_rng(0)
    for _ in range(20):
        moved = [array + random.uniform(-0.01, 0.01, array.shape) for array in case.inputs()]
        assert np.array_equal(case.function(*moved).data > 0, outputs > 0)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_with_relu_has_the_gradients_of_finite_differences(training):
    """Larger than in the table: rows that are taken several at a time, and in groups."""
    shape = (7, 3, 2, 5)
    x, weight, bias = normal(shape), normal((5,), seed=1), normal((5,), seed=2)

    def function(x, weight, bias):
        return F.batch_norm(x, weight, bias, np.zeros(5), np.ones(5), training, relu=True)

    # no output is so near to 0 that a difference quotient, with a step of 6e-6, could reach over the kink
    plain = F.batch_norm(x, weight, bias, np.zeros(5), np.ones(5), training).data
    assert np.abs(plain).min() > 1e-4
    check_gradient(function, x, weight, bias)


# Powers


@pytest.mark.parametrize("exponent", [2, 2.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_squares_have_the_slopes_of_any_power(exponent, dtype):
    """The special case for 2 is a shorter way to the same bits as the rule n a^(n - 1)."""
    values = np.array([0.0, -0.0, 1, -1, 3.7, -2.2, 1e-30, -1e-30, 1e30, np.inf, -np.inf], dtype)
    seed = normal(values.shape, dtype)
    x = Tensor(values, requires_grad=True)
    with np.errstate(over="ignore"):
        y = F.power(x, exponent)
        assert np.array_equal(y.data, values * values)
    y.backward(seed)
    assert np.array_equal(x.grad, seed * (dtype(2) * values ** dtype(1)))
    assert x.grad.dtype == dtype


def test_squares_of_tensors_used_twice():
    x = Tensor(np.array([1.5, -2.0]), requires_grad=True)
    ((x**2) ** 2 + x**2).sum().backward()
    assert x.grad.tolist() == [4 * 1.5**3 + 2 * 1.5, 4 * (-2.0) ** 3 - 4]


# Dropout


def test_dropout_draws_its_mask_again_on_the_way_back():
    manual_seed(1)
    x = Tensor(np.ones((50, 40)), requires_grad=True)
    y = F.dropout(x, 0.25)
    z = F.dropout(x, 0.25)
    y.sum().backward()
    assert np.array_equal(x.grad, y.data)
    assert not np.array_equal(y.data, z.data)
    assert set(np.unique(y.data)) == {0, 1 / (1 - 0.25)}
    # 2000 draws: the standard deviation of the share is 0.0097
    assert abs((y.data == 0).mean() - 0.25) < 5 * 0.0097
    manual_seed(1)
    assert np.array_equal(F.dropout(x, 0.25).data, y.data)


def test_dropout_saves_no_array():
    x = Tensor(np.ones(1000), requires_grad=True)
    assert F.dropout(x, 0.5).saved_bytes == 0


def test_dropout_without_effect_returns_its_input_and_draws_nothing():
    x = Tensor(ONES)
    before = seeding.position()
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0) is x
    assert seeding.position() == before


def test_masks_do_not_depend_on_the_dtype():
    masks = []
    for dtype in DTYPES:
        manual_seed(1)
        masks.append(F.dropout(np.ones(500, dtype), 0.5).data != 0)
    assert np.array_equal(*masks)


# Where derivatives jump, and numbers that overflow


def test_slopes_at_kinks():
    for function, slope in ((F.relu, 0), (F.absolute, 0), (lambda a: F.maximum(a, 0.0), 0.5)):
        x = Tensor(np.zeros(2), requires_grad=True)
        function(x).sum().backward()
        assert x.grad.tolist() == [slope] * 2


def test_equal_maxima_share_the_gradient():
    x = Tensor(np.array([[1.0, 3, 3], [2, 2, 2]]), requires_grad=True)
    F.max(x, axis=1).backward(np.array([1.0, 3.0]))
    assert x.grad.tolist() == [[0, 0.5, 0.5], [1, 1, 1]]
    a, b = (Tensor(np.array([1.0, 2]), requires_grad=True) for _ in range(2))
    F.maximum(a, b).sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_numbers_do_not_overflow(dtype):
    huge = dtype(np.finfo(dtype).max / 4)
    x = Tensor(np.array([[huge, -huge, 0]], dtype), requires_grad=True)
    for function, expected in (
        (F.sigmoid, [[1, 0, 0.5]]),
        (F.tanh, [[1, -1, 0]]),
        (F.softmax, [[1, 0, 0]]),
        (F.relu, [[huge, 0, 0]]),
    ):
        y = function(x)
        assert np.array_equal(y.data, np.array(expected, dtype))
        y.backward(np.ones((1, 3), dtype))
        assert np.isfinite(x.grad).all()
    loss = F.cross_entropy(x, [1])
    assert loss.item() == 2 * huge
    x.grad = None
    loss.backward()
    assert x.grad.tolist() == [[1, -1, 0]]


def test_powers_of_zero_and_of_negative_numbers():
    for exponent, slope in ((0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)):
        x = Tensor(np.zeros(2), requires_grad=True)
        F.power(x, exponent).sum().backward()
        assert x.grad.tolist() == [slope] * 2
    check_jacobian(lambda a: a**3, np.array([-2.0, -0.5]))


# Indices and views


def test_views_are_shared_and_gradients_are_not():
    x = Tensor(normal((3, 4)), requires_grad=True)
    for view in (x[1:], x.T, x.reshape(12), F.flatten(x)):
        assert np.shares_memory(view.data, x.data)
        view.backward(np.ones(view.shape))
        assert not np.shares_memory(x.grad, view.data)


@pytest.mark.parametrize(
    "index",
    [0, -1, slice(0, 5, 2), (0, 1), (slice(None), 1), ..., None, (None, 0, ..., None), np.int64(1), True,
     [0, 0, 2], np.array([2, 2, 2]), np.array(1), ([0, 0], [1, 1]), np.array([True, False, True]),
     (slice(None), [3, 3]), np.zeros((3, 4), bool), np.array([], int)],
    ids=repr,
)  # fmt: skip
def test_indexing_adds_up_where_an_element_is_taken_several_times(index):
    array = normal((3, 4))
    x = Tensor(array, requires_grad=True)
    y = x[index]
    assert np.array_equal(y.data, array[index])
    places = np.arange(12).reshape(3, 4)[index]
    seed = np.round(4 * normal(y.shape, seed=1))  # integers, so that the order of additions does not matter
    y.backward(seed)
    assert np.array_equal(x.grad.ravel(), np.bincount(np.ravel(places), np.ravel(seed), minlength=12))


def test_labels_may_be_any_integers():
    logits = normal((2, 3))
    expected = F.cross_entropy(logits, np.array([0, 2])).item()
    for labels in ([0, 2], np.array([0, 2], np.uint8), np.array([0, 2], np.int32), (0, 2)):
        assert F.cross_entropy(logits, labels).item() == expected


def test_nothing_is_recorded_without_leaves_or_within_no_grad():
    x = Tensor(normal((2, 3)), requires_grad=True)
    with no_grad():
        assert not F.linear(x, normal((3, 2))).requires_grad
    assert not F.linear(x.detach(), normal((3, 2))).requires_grad
    assert F.linear(x.detach(), Tensor(normal((3, 2)), requires_grad=True)).requires_grad


def test_public_names():
    assert mininet.functional is F
    assert F.__all__ == sorted(F.__all__)
