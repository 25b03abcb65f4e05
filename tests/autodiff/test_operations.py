"""The whole Jacobian of every operation, called in all its ways; `tests/generated/test_operations.py` draws others."""

import numpy as np
import pytest
from call_strategies import ELEMENTWISE, OF_TWO, anything, apart, dropped_attention

from mininet import check_jacobian, manual_seed
from mininet import functional as F

MASK = np.arange(24).reshape(4, 3, 2) % 5 == 0
CONDITION = np.array([[True, False, True], [False, False, True]])
LABELS = np.array([2, 0, 2])
IMAGES = (2, 3, 4, 2)


def indexing(index):
    return lambda a: F.getitem(a, index), (4, 3, 2)


def seeded_dropout(a):
    manual_seed(5)
    return F.dropout(a, 0.4)


def batch_norm(training, relu):
    running = np.array([0.3, -0.2]), np.array([0.5, 2.0])
    return lambda *inputs: F.batch_norm(*inputs, *map(np.copy, running), training=training, relu=relu)


CALLS = [  # of normally distributed inputs of these shapes
    *((lambda a, exponent=exponent: F.power(a, exponent), (2, 3)) for exponent in (0, 1, 2, 3, 4)),
    (seeded_dropout, (4, 5)), (lambda a: F.dropout(a, 0.4, training=False), (2, 3)),
    (F.sum, (2, 3)), (lambda a: F.sum(a, axis=0), (2, 3, 2)), (lambda a: F.sum(a, axis=(0, -2)), (2, 3, 2)),
    (lambda a: F.sum(a, axis=-1, keepdims=True), (2, 3, 2)), (lambda a: F.sum(a, axis=()), (2, 3)), (F.sum, ()),
    (F.mean, (2, 3)), (lambda a: F.mean(a, axis=(0, 2)), (2, 3, 2)), (lambda a: F.mean(a, 1, keepdims=True), (2, 3)),
    (F.var, (2, 3)), (lambda a: F.var(a, axis=(0, 1), keepdims=True, ddof=1), (2, 3, 2)),
    (lambda a, b: F.where(CONDITION, a, b), (2, 3), (2, 3)), (lambda a, b: F.where(CONDITION, a, b), (3,), (2, 1)),
    (lambda a, b: F.where(True, a, b), (), (3,)),
    (lambda a: F.reshape(a, 3, 4), (2, 6)), (lambda a: F.reshape(a, (2, -1, 2)), (2, 6)),
    (F.transpose, (2, 3, 4)), (lambda a: F.transpose(a, 1, 2, 0), (2, 3, 4)),
    (lambda a: F.transpose(a, (-1, 0, 1)), (2, 3, 4)), (F.flatten, (2, 3, 2)),
    *map(indexing, [1, (0, -1, 1), slice(None, None, -2), (..., 0), (slice(1, 3), None, 2), slice(2, 2), MASK,
                    [0, 2, 2, 0, 2], np.array([[3, 3], [1, 3]]), (slice(None), [0, 0, 1], [1, 1, 0]),
                    ([1, 1], ..., 0)]),
    (lambda *parts: F.concatenate(parts), (2, 3), (1, 3), (2, 3)),
    (lambda *parts: F.concatenate(parts, -1), (2, 1), (2, 3)),
    (lambda *parts: F.stack(parts), (2, 3), (2, 3)), (lambda *parts: F.stack(parts, axis=-1), (2, 3), (2, 3)),
    (lambda a: F.pad(a, 1), (2, 3)), (lambda a: F.pad(a, [(0, 1), (2, 0), (0, 0)], -0.5), (2, 1, 2)),
    (lambda a: F.split(a, 2)[1], (4, 3)), (lambda a: F.split(a, [1, 1], -1)[2], (4, 3)),
    (lambda a: F.split(a, [0, 3])[1], (4, 3)), (lambda a: F.power(a, np.array([2.0, 3.0])), (3, 2)),
    *((F.matmul, *pair) for pair in (
        ((3, 4), (4, 2)), ((4,), (4,)), ((4,), (4, 3)), ((3, 4), (4,)), ((2, 3, 4), (4, 2)), ((3, 4), (2, 4, 2)),
        ((2, 1, 3, 4), (5, 4, 2)), ((1, 3, 4), (2, 4, 1)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3)), ((1, 1), (1, 1)),
    )),
    (F.linear, (3, 4), (4, 2)), *((F.linear, x, (4, 2), (2,)) for x in ((3, 4), (2, 3, 4), (4,))),
    (lambda *inputs: F.conv2d(*inputs, padding=1), IMAGES, (3, 3, 2, 3)), (F.conv2d, IMAGES, (3, 3, 2, 2), (2,)),
    (F.conv2d, IMAGES, (1, 1, 2, 3), (3,)),
    (lambda *inputs: F.conv2d(*inputs, stride=(2, 1), padding=(0, 1)), IMAGES, (2, 3, 2, 2)),
    (lambda *inputs: F.conv2d(*inputs, padding=(1, 0), stride=(1, 2), dilation=(3, 2)), IMAGES, (2, 2, 2, 3)),
    (lambda *inputs: F.conv2d(*inputs, padding=(0, 1), groups=2), (2, 3, 4, 4), (2, 3, 2, 6), (6,)),
    (lambda *inputs: F.conv2d(*inputs, dilation=(1, 2), groups=3), (1, 3, 4, 3), (2, 2, 1, 3)),
    (F.global_avg_pool2d, IMAGES),
    *((batch_norm(training, relu), shape, (2,), (2,)) for training, shape in ((True, (6, 2)), (True, (2, 2, 2, 2)),
      (False, (5, 2))) for relu in (False, True)),
    *((lambda x, *others, n=n: F.group_norm(x, n, *others), x, x[-1:], x[-1:])
      for n, x in ((2, IMAGES), (1, (2, 3)), (2, (2, 3, 4)))),
    (F.layer_norm, (2, 3, 4), (4,), (4,)), (F.layer_norm, (3, 37), (37,), (37,)),
    (lambda table: F.embedding([[3, 1], [1, 1], [0, 3]], table), (4, 3)),
    (lambda x: F.causal_attention(x, 2), (2, 5, 18)), (dropped_attention, (1, 7, 24)),
    (lambda x: F.causal_attention(x, 1), (1, 70, 9)),
    (F.gelu, (2, 3)), (F.log_softmax, (3, 4)), (lambda a: F.log_softmax(a, axis=1), (2, 3, 2)), (F.softmax, (2, 2, 3)),
    (lambda a: F.softmax(a, 0), (3, 4)), (lambda a: F.cross_entropy(a, LABELS), (3, 4)),
    (lambda a: F.cross_entropy(a, LABELS, 0.25), (3, 4)),
    (lambda a: F.cross_entropy(a, LABELS, 0.1, 0, "none"), (3, 4)),
    (lambda a: F.cross_entropy(a, [2, -9, 2], ignore_index=-9), (3, 4)),
    (lambda a: F.cross_entropy(a, [0, -9], ignore_index=-9), (2, 1)),
    (lambda a: F.matmul(a, np.ones(3)), (2, 3)),
    (lambda a: F.cross_entropy(a, LABELS, reduction="sum"), (3, 4)), (F.mse_loss, (2, 3), (2, 3)),
]  # fmt: skip
APART = [  # of inputs away from kinks
    (lambda a: F.clip(a, -0.1, 0.2), (2, 3)), (lambda a: F.clip(a, min=0.1), (2, 3)),
    *((lambda a, f=f, settings=settings: f(a, **settings), shape) for f in (F.max, F.min) for settings, shape in (
        ({}, (2, 3)), ({"axis": 1}, (2, 3, 2)), ({"axis": (0, -1), "keepdims": True}, (2, 3, 2)), ({}, ()))),
    *((lambda x, f=f, settings=settings: f(x, *settings), IMAGES) for f in (F.max_pool2d, F.avg_pool2d)
      for settings in ((2,), ((3, 2), (1, 2), (1, 0)))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "call"), [*((anything, call) for call in CALLS), *((apart, call) for call in APART)]
)
def test_calls(domain, call):
    function, *shapes = call
    check_jacobian(function, *(np.asarray(domain(shape, number)) for number, shape in enumerate(shapes)))


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 1), (1, 3)), ((2, 3, 2), (3, 1)), ((), (2, 3))], ids=str)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name, shapes):
    for _, domain, settings in ELEMENTWISE[name]:
        arrays = [np.asarray(domain(shape, i)) for i, shape in enumerate(shapes if name in OF_TWO else shapes[:1])]
        check_jacobian(lambda *inputs, s=settings: getattr(F, name)(*inputs, **s), *arrays)


def test_the_last_axis_is_the_default():
    np.testing.assert_allclose(F.log_softmax(np.ones((2, 3, 4))).data, -np.log(4))
