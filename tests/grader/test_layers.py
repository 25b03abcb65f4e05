"""The functions that implementations are given: their gradients, and what is noted of their use."""

import numpy as np
import pytest

from mininet.grader.layers import Centred, Dense, Scale, Watch

RANDOM = np.random.default_rng(0)
LAYERS = {
    "scale": (Scale(-0.5), (3, 4)),
    "dense": (Dense.random(4, RANDOM), (3, 4)),
    "dense, images": (Dense.random(4, RANDOM), (2, 3, 3, 4)),
    "centred": (Centred(RANDOM.uniform(-1, 1, 4)), (5, 4)),
}
every_layer = pytest.mark.parametrize(("layer", "shape"), LAYERS.values(), ids=LAYERS)


@every_layer
def test_pullbacks_are_slopes(layer, shape):
    """<s, f> along a random direction of x and of the parameters, by central differences."""
    x, s, by_x = (RANDOM.standard_normal(shape) for _ in range(3))
    by_parameters = [RANDOM.standard_normal(theta.shape) for theta in layer.parameters]
    _, pullback = layer.vjp(x)
    gradient, gradients = pullback(s)
    slope = np.sum(gradient * by_x) + sum(np.sum(a * b) for a, b in zip(gradients, by_parameters, strict=True))

    def difference(h):
        there, here = (np.sum(s * layer.moved(by_parameters, t).value(x + t * by_x)) for t in (h, -h))
        return (there - here) / (2 * h)

    # the error of the smaller step is a third of the difference; rounding errors of sums of a hundred numbers, over h
    h = 1e-4
    tolerance = abs(difference(h) - difference(2 * h)) + 100 * np.finfo(np.float64).eps * np.abs(s).sum() / h
    assert abs(slope - difference(h)) <= tolerance
    assert tolerance < 1e-4 * abs(slope)


@every_layer
def test_slopes_are_at_most_one_and_float32_stays(layer, shape):
    layer = type(layer)(*(theta.astype(np.float32) for theta in layer.parameters))
    x, s = (RANDOM.standard_normal(shape).astype(np.float32) for _ in range(2))
    value, pullback = layer.vjp(x)
    by_x, by_parameters = pullback(s)
    assert np.linalg.norm(by_x) <= np.linalg.norm(s)
    assert {array.dtype for array in (value, layer(x), by_x, *by_parameters)} == {np.dtype(np.float32)}


def test_running_means_move_unless_it_is_a_replay():
    layer, x = Centred(np.ones(2)), np.array([[1.0, 2.0], [3.0, 4.0]])
    layer(x, replay=True)
    layer.vjp(x, replay=True)
    layer.value(x)
    assert layer.moves == 0
    layer(x)
    layer.vjp(x)
    assert layer.moves == 2
    assert np.allclose(layer.running_mean, (0.1 + 0.09) * np.array([2.0, 3.0]), rtol=1e-15)


def test_a_watch_counts_pullbacks_and_keeps_points():
    layer, watch = Scale(-0.5), Watch(keeps_points=True)
    layer.watch = watch
    for _ in range(5):
        layer.vjp(np.zeros(1))
    assert watch.most_alive == 1
    alive = [layer.vjp(np.full(1, each))[1] for each in (1.0, 2.0, 3.0)]
    assert watch.most_alive == len(alive)
    layer(np.full(1, 4.0))
    assert [x[0] for x in watch.points[layer]] == [0, 0, 0, 0, 0, 1, 2, 3, 4]


def test_what_is_stored_answers_from_there():
    layer = Dense.random(2, RANDOM)
    point, elsewhere = RANDOM.standard_normal((2, 3, 2))
    stored = layer.stored_at(point)
    assert np.array_equal(stored(elsewhere), layer(point))
    assert np.array_equal(stored.vjp(elsewhere)[1](point)[0], layer.vjp(point)[1](point)[0])
