"""What the table of operations cannot say about them; what they refuse is in `tests/misuse`."""

import numpy as np
import pytest
from operation_table import each
from strategies import LAYOUTS, laid_out
from support import DTYPES, assert_within, normal

from mininet import Tensor, check_jacobian, manual_seed, seeding
from mininet import functional as F
from mininet.autodiff import Operation

X = np.zeros((2, 4, 5, 3))
W = np.zeros((3, 3, 3, 2))
ONES = np.ones(3)


def norm(x=None, weight=ONES, bias=ONES, mean=ONES, variance=ONES, training=True):
    x = normal((4, 3)) if x is None else x
    return F.batch_norm(x, weight, bias, mean.copy(), variance.copy(), training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("x", (4, 2)),
        ("x", (3,)),
        ("weight", (1,)),
        ("bias", ()),
        ("mean", (1,)),
        ("variance", (3, 1)),
        ("variance", (4,)),
    ],
)
def test_batch_norm_refuses_other_shapes(name, shape, training):
    # a kernel reads where it is told to: a shorter array of statistics would be read beyond its end
    with pytest.raises(ValueError, match=r"channels|shape"):
        norm(**{name: np.ones(shape)}, training=training)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_batch_norm_of_mixed_dtypes_moves_no_statistics(name):
    mean, variance, arrays = np.ones(3), np.ones(3), {"weight": ONES, "bias": ONES}
    arrays[name] = arrays[name].astype(np.float32)
    with pytest.raises(TypeError, match=r"batch_norm got .*float32"):
        F.batch_norm(normal((4, 3)), *arrays.values(), mean, variance, True)
    assert mean.tolist() == variance.tolist() == [1, 1, 1]


@pytest.mark.parametrize("shape", [(1, 3), (0, 3)])
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
    [-1, slice(0, 5, 2), (slice(None), 1), (None, 0, ..., None), np.int64(1), True, [0, 0, 2], np.array(1),
     ([0, 0], [1, 1]), np.array([True, False, True]), (slice(None), [3, 3]), np.zeros((3, 4), bool), np.array([], int)],
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


@pytest.mark.parametrize("shape", [(3,), (2, 0, 3)])
def test_softmax_is_over_the_last_axis_alone(shape):
    x = normal(shape)
    np.testing.assert_allclose(F.softmax(x).data.sum(axis=-1), 1, rtol=4 * np.finfo(float).eps)
    assert F.log_softmax(x).shape == shape


def test_labels_may_be_any_integers():
    logits = normal((2, 3))
    expected = F.cross_entropy(logits, np.array([0, 2])).item()
    for labels in ([0, 2], np.array([0, 2], np.uint8), np.array([0, 2], np.int32), (0, 2)):
        assert F.cross_entropy(logits, labels).item() == expected


@pytest.mark.parametrize(("rows", "inside", "outside"), [(40, 64, 6), (24, 37, 1), (1, 55, 64)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_linear_gives_the_same_bits_however_arrays_lie_in_memory(dtype, layout, rows, inside, outside):
    shapes = [(rows, inside), (inside, outside), (rows, outside)]

    def step(layout):
        arrays = [laid_out(normal(shape, dtype, seed), layout) for seed, shape in enumerate(shapes)]
        x, weight = (Tensor(array, requires_grad=True) for array in arrays[:2])
        y = F.linear(x, weight)
        y.backward(arrays[2])
        return y.data, x.grad, weight.grad

    for ours, theirs in zip(step(layout), step("C"), strict=True):
        assert np.array_equal(ours, theirs)


def test_dropout_keeps_what_draws_the_very_number_p():
    manual_seed(0)
    p = float(seeding.generator_for(*seeding.position()).random(1, dtype=np.float32)[0])
    assert F.dropout(np.ones(1, np.float32), p).data == np.float32(1 / (1 - p))


def test_defaults():
    x, w = normal((1, 4, 4, 2), seed=1), normal((3, 3, 2, 2), seed=2)
    assert np.array_equal(F.conv2d(x, w).data, F.conv2d(x, w, None, 1, 0).data)
    assert F.concatenate([x, x]).shape == (2, 4, 4, 2)
    manual_seed(0)
    dropped = F.dropout(np.ones(1000))
    assert set(np.unique(dropped.data)) == {0, 2}  # kept: half of them, and so doubled
    assert not Operation("plain", None, None).broadcasts


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
def test_pools_may_be_padded_by_half_of_their_size(pool):
    x = np.array([[1.0, 2], [3, 4]]).reshape(1, 2, 2, 1)
    share = 1 if pool is F.max_pool2d else 1 / 4  # each window has one pixel and three of padding, which count
    assert np.array_equal(pool(x, 2, padding=1).data, share * x)


@pytest.mark.parametrize("channels", [1, 3])
def test_two_values_of_a_channel_have_statistics(channels):
    x = np.array([[1.0] * channels, [3.0] * channels])  # mean 2, variance 1: they become -1 and 1
    one, zero = np.ones(channels), np.zeros(channels)
    out = F.batch_norm(x, one, zero, zero.copy(), one.copy(), training=True, eps=1e-12)
    np.testing.assert_allclose(out.data, [[-1.0] * channels, [1.0] * channels], rtol=1e-11)
