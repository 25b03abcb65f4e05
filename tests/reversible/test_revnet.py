"""RevNet's own: the block of the publication, volume, and addition in exact arithmetic."""

import numpy as np
import pytest
from reversible_support import batch, dense_block, every_arithmetic, network

from mininet import RevNet, Tensor, get_num_threads, nn, set_num_threads, track_memory
from mininet.kernels import buffers, exact, threads
from mininet.reversible.revnet import ExactCoupledState

FLOATS = [0.0, 1.0, -1.0, 0.3, -(2.0**-41), 3 * 2.0**-41, -3 * 2.0**-41, 1e-30, 12345.678, -(2.0**19)]


def jacobian(net, x):
    """Of the map of one example, row by row."""
    leaf = Tensor(x, requires_grad=True)
    y = net(leaf)
    rows = []
    for unit in np.eye(x.size):
        leaf.grad = None
        y.backward(unit.reshape(x.shape), keep_tape=True)
        rows.append(leaf.grad.reshape(-1))
    return np.array(rows)


@every_arithmetic
def test_two_layers_are_a_block_of_the_publication(arithmetic):
    f, g = dense_block(2), dense_block(2)
    net, x = RevNet([f, g], arithmetic=arithmetic), batch(5, 4)
    x1, x2 = x[:, :2], x[:, 2:]
    y1 = x1 + f(Tensor(x2)).data
    y2 = x2 + g(Tensor(y1)).data
    np.testing.assert_allclose(net(x).data, np.concatenate([y1, y2], axis=1), rtol=0, atol=1e-6)  # of float32


@every_arithmetic
@pytest.mark.parametrize("backprop", RevNet.BACKPROPS)
@pytest.mark.parametrize("depth", [2, 7])
def test_volume_is_preserved(depth, backprop, arithmetic):
    """The determinant of each layer's Jacobian, [[0, 1], [1, J]], is (-1)^(half the features), whatever f."""
    net = network("RevNet", depth, features=6, dtype=np.float64, arithmetic=arithmetic, backprop=backprop)
    for parameter in net.parameters():
        parameter.data *= 3
    found = jacobian(net, batch(1, 6, dtype=np.float64))
    assert np.abs(found - np.eye(6)).max() > 0.1
    np.testing.assert_allclose(np.linalg.det(found), (-1.0) ** (3 * depth), rtol=1e-9)


def test_the_halves_are_those_of_the_last_axis():
    net = RevNet([lambda b: 0 * b])
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert np.array_equal(net(x).data, x[..., [2, 3, 0, 1]])


def test_a_run_follows_the_definition_in_integers():
    net, x = network("RevNet", 30, features=4), batch(3, 4)
    a, b = (np.rint(half.astype(np.float64) * 2**40).astype(np.int64) for half in (x[:, :2], x[:, 2:]))
    for function in net.functions:
        value = function(Tensor((b * 2.0**-40).astype(np.float32))).data
        a, b = b, a + np.rint(value.astype(np.float64) * 2**40).astype(np.int64)
    state = net.run(x)
    assert isinstance(state, ExactCoupledState)
    assert state.first.dtype == state.second.dtype == np.int64
    assert np.array_equal(state.first, a)
    assert np.array_equal(state.second, b)
    assert state.values().dtype == np.float32


def function(layer):
    """A sine, as a tanh that is saturated would not tell."""
    return lambda x: np.sin(x * (1 + layer % 3))


@pytest.mark.parametrize("more", [[], [True]])
def test_every_layer_comes_back_whether_or_not_more_are_undone(more):
    state = ExactCoupledState(batch(5, 6))
    before, inputs = [], []
    for layer in range(20):
        before.append([array.copy() for array in state.arrays()])
        inputs.append(state.input())
        state.step(function(layer)(state.input()))
    for layer in reversed(range(20)):

        def checked(x, layer=layer):
            assert np.array_equal(x, inputs[layer])
            return function(layer)(x)

        state.undo(checked, *more)
        assert state.layer == layer
        assert np.array_equal(state.input(), inputs[layer])
        assert state.equals(before[layer])
    assert state.can_be_start(None)
    state.second[0, 0] += 1
    assert not state.can_be_start(None)


def test_a_state_that_expected_more_can_be_run_forward_again():
    """Undoing with `more` has the floats of a at hand; a step changes a, and they must not be taken for it."""
    state = ExactCoupledState(batch(5, 6))
    before = [array.copy() for array in state.arrays()]

    def walk(forward, back):
        for _ in range(forward):
            state.step(function(state.layer)(state.input()))
        for _ in range(back):
            state.undo(function(state.layer - 1), state.layer > 1)

    walk(10, 4)
    walk(4, 4)
    walk(4, 10)
    assert state.equals(before)


@every_arithmetic
def test_a_wrong_way_back_is_measured_in_either_stream(arithmetic):
    """Of one layer undone with another f, only a is wrong."""
    random = np.random.default_rng(0)
    net = RevNet([lambda x: Tensor(random.standard_normal(x.shape))], arithmetic=arithmetic)
    report = net.check_inversion(batch(5, 4, dtype=np.float64))
    assert not report.is_exact
    assert report.largest_error > 1e-3


def test_a_state_that_has_come_back_holds_no_floats_beside_its_integers():
    buffers.clear()
    net = RevNet([nn.Linear(32, 32)] * 3)
    state = net.run(np.ones((1024, 64), np.float32))
    with track_memory() as memory:
        net.invert(state)
    assert memory.current_by_kind["transient"] == 0


# The kernel


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adding_rounds_to_units_and_is_undone(dtype):
    random = np.random.default_rng(0)
    f = np.concatenate([FLOATS, random.standard_normal(1000) * 10.0 ** random.integers(-14, 5, 1000)]).astype(dtype)
    x = random.integers(-(2**60), 2**60, f.size)
    start = x.copy()
    values = exact.add(x, f)
    assert [int(i) for i in x] == [int(i) + round(float(value) * 2**40) for i, value in zip(start, f, strict=True)]
    assert values.dtype == dtype
    assert np.array_equal(values, exact.to_floats(x, dtype))
    values = exact.add(x, f, sign=-1)
    assert np.array_equal(x, start)
    assert np.array_equal(values, exact.to_floats(start, dtype))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_last_sum_in_range_and_the_first_beyond(sign):
    def add(x, f):
        exact.add(np.array([0, x, 0]), np.array([0.0, f, 0.0]))

    unit = sign * 2.0**-40
    add(sign * (exact.LIMIT - 1), unit)
    add(-sign * exact.LIMIT, sign * 2.0**21)
    for x, f in [
        (sign * exact.LIMIT, unit),
        (sign * exact.LIMIT, sign * 2.0**21),
        (-sign * exact.LIMIT, sign * (2.0**21 + 2.0**-31)),  # f itself is too large
        (0, sign * np.inf),
    ]:
        with pytest.raises(OverflowError, match="x or the value of the residual function"):
            add(x, f)
    with pytest.raises(FloatingPointError, match="NaN"):
        add(0, np.nan)


def test_adding_on_several_threads():
    f = batch(3 * threads.ELEMENTS_WORTH_SHARING + 7)
    bad = f.copy()
    bad[-1] = np.nan
    found, before = [], get_num_threads()
    try:
        for count in (1, 3):
            set_num_threads(count)
            x = np.arange(f.size)
            found.append((x, exact.add(x, f)))
            with pytest.raises(FloatingPointError):
                exact.add(np.arange(f.size), bad)
    finally:
        set_num_threads(before)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(*found, strict=True))
