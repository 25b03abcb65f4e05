"""RevNet's own: the block of the publication, volume, and addition in exact arithmetic."""

import weakref

import numpy as np
import pytest
from reversible_support import batch, dense_block, every_arithmetic, network

from mininet import MomentumNet, RevNet, Tensor, get_num_threads, manual_seed, nn, set_num_threads, track_memory
from mininet.kernels import buffers, exact
from mininet.reversible.revnet import CoupledAdjoint, ExactCoupledState

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
@pytest.mark.parametrize("backprop", RevNet.WAYS)
@pytest.mark.parametrize("depth", [1, 2, 3, 7])
def test_volume_is_preserved(depth, backprop, arithmetic):
    """The determinant of each layer's Jacobian, [[0, 1], [1, J]], is (-1)^(half the features), whatever f."""
    net = network("RevNet", depth, features=6, dtype=np.float64, arithmetic=arithmetic, backprop=backprop)
    for parameter in net.parameters():
        parameter.data *= 3
    found = jacobian(net, batch(1, 6, dtype=np.float64))
    assert np.abs(found - np.eye(6)).max() > 0.1
    np.testing.assert_allclose(np.linalg.det(found), (-1.0) ** (3 * depth), rtol=1e-9)


def test_a_momentum_net_does_not_preserve_volume():
    """Or the test above could not tell.  Of (x, v) to (x, v) it is gamma^depth; of x alone, anything."""
    manual_seed(0)
    net = MomentumNet([dense_block(6) for _ in range(3)], gamma=0.5).to(np.float64)
    assert abs(abs(np.linalg.det(jacobian(net, batch(1, 6, dtype=np.float64)))) - 1) > 0.01


def test_the_halves_are_those_of_the_last_axis():
    net = RevNet([lambda b: 0 * b])
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert np.array_equal(net(x).data, x[..., [2, 3, 0, 1]])


def test_x_need_not_be_contiguous():
    net, x = network("RevNet", 6, features=4), batch(4, 5)
    assert np.array_equal(net(x.T).data, net(np.ascontiguousarray(x.T)).data)


def test_a_run_follows_the_definition_in_integers():
    net, x = network("RevNet", 30, features=4), batch(3, 4)
    a, b = (np.rint(half.astype(np.float64) * 2**40).astype(np.int64) for half in (x[:, :2], x[:, 2:]))
    for function in net.functions:
        value = function(Tensor((b * 2.0**-40).astype(np.float32))).data
        a, b = b, a + np.rint(value.astype(np.float64) * 2**40).astype(np.int64)
    state = net.run(x)
    assert np.array_equal(state.first, a)
    assert np.array_equal(state.second, b)


def test_exact_states_hold_integers_and_nothing_else():
    state = network("RevNet", 3).run(batch(5, 4))
    assert isinstance(state, ExactCoupledState)
    assert state.first.dtype == state.second.dtype == np.int64
    assert state.values().dtype == np.float32


@pytest.mark.parametrize("go_on", [False, True])
def test_every_layer_comes_back_whether_or_not_it_goes_on(go_on):
    state = ExactCoupledState(batch(5, 6))
    before, values = [], []
    for layer in range(20):
        before.append([array.copy() for array in state.arrays()])
        values.append(state.value().copy())
        state.step(np.tanh(state.value() * (1 + layer % 3)))
    for layer in reversed(range(20)):
        state.undo_input(None)
        assert state.layer == layer
        assert np.array_equal(state.value(), values[layer])
        state.undo_rest(np.tanh(state.value() * (1 + layer % 3)), go_on)
        assert np.array_equal(state.value(), values[layer])
        assert all(np.array_equal(ours, was) for ours, was in zip(state.arrays(), before[layer], strict=True))
    state.verify_start(None)
    state.second[0, 0] += 1
    with pytest.raises(RuntimeError, match="running back did not end where the run began"):
        state.verify_start(None)


def test_a_state_that_went_on_can_be_run_forward_again():
    """Undoing with `go_on` has the floats of a at hand; a step changes a, and they must not be taken for it.

    (A sine, as a tanh that is saturated would not tell.)
    """

    def step(state):
        state.step(np.sin(state.value() * (1 + state.layer)))

    def undo(state, go_on):
        state.undo_input(None)
        state.undo_rest(np.sin(state.value() * (1 + state.layer)), go_on)

    state = ExactCoupledState(batch(5, 6))
    before = [array.copy() for array in state.arrays()]
    for _ in range(10):
        step(state)
    for _ in range(3):
        for _ in range(4):
            undo(state, go_on=True)
        for _ in range(4):
            step(state)
    for layer in reversed(range(10)):
        undo(state, go_on=layer > 0)
    assert all(np.array_equal(ours, was) for ours, was in zip(state.arrays(), before, strict=True))


def test_checkpoints_hold_no_values():
    state = ExactCoupledState(batch(5, 6))
    for _ in range(3):
        state.step(np.sin(state.value()))
    state.undo_input(None)
    state.undo_rest(np.sin(state.value()), go_on=True)
    state.value()
    with track_memory() as memory:
        checkpoint = state.copy("checkpoints")
        assert memory.current_bytes == memory.current_by_kind["checkpoints"] == 5 * 6 * 8
        alive = weakref.ref(state.value())
        state.kept_value()
        assert alive() is None, "the copy does not hold it"
    assert np.array_equal(checkpoint.value(), state.value())


@every_arithmetic
def test_a_wrong_way_back_is_measured_in_either_stream(arithmetic):
    """Of one layer undone with another f, only a is wrong."""
    random = np.random.default_rng(0)
    net = RevNet([lambda x: Tensor(random.standard_normal(x.shape))], arithmetic=arithmetic)
    report = net.check_inversion(batch(5, 4, dtype=np.float64))
    assert not report.is_exact
    assert report.largest_error > 1e-3


# The kernel


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adding_rounds_to_units_and_is_undone(dtype):
    random = np.random.default_rng(0)
    f = np.concatenate([FLOATS, random.standard_normal(1000) * 10.0 ** random.integers(-14, 5, 1000)]).astype(dtype)
    x = random.integers(-(2**60), 2**60, f.size)
    start = x.copy()
    status, values = exact.add(x, f)
    assert status == exact.FINE
    assert [int(i) for i in x] == [int(i) + round(float(value) * 2**40) for i, value in zip(start, f, strict=True)]
    assert values.dtype == dtype
    assert np.array_equal(values, exact.to_floats(x, dtype))
    status, values = exact.add(x, f, sign=-1)
    assert status == exact.FINE
    assert np.array_equal(x, start)
    assert np.array_equal(values, exact.to_floats(start, dtype))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_last_sum_in_range_and_the_first_beyond(sign):
    def add(x, f):
        return exact.add(np.array([0, x, 0]), np.array([0.0, f, 0.0]))[0]

    unit = sign * 2.0**-40
    assert add(sign * (exact.LIMIT - 1), unit) == exact.FINE
    assert add(sign * exact.LIMIT, unit) == exact.TOO_LARGE
    assert add(sign * exact.LIMIT, sign * 2.0**21) == exact.TOO_LARGE
    assert add(-sign * exact.LIMIT, sign * 2.0**21) == exact.FINE
    assert add(-sign * exact.LIMIT, sign * (2.0**21 + 2.0**-31)) == exact.TOO_LARGE, "f itself is too large"
    assert add(0, sign * np.inf) == exact.TOO_LARGE
    assert add(0, np.nan) == exact.NOT_A_NUMBER


def test_adding_on_several_threads():
    f = batch(3 * exact.ELEMENTS_WORTH_SHARING + 7)
    found, count = [], get_num_threads()
    try:
        for threads in (1, 3):
            set_num_threads(threads)
            x = np.arange(f.size)
            found.append((x, *exact.add(x, f)))
            assert exact.add(np.arange(f.size), np.where(np.arange(f.size) == f.size - 1, np.nan, f))[0] > 0
    finally:
        set_num_threads(count)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def test_both_halves_of_the_gradient_are_counted():
    half = 100 * np.dtype(np.float32).itemsize
    with track_memory() as memory:
        adjoint = CoupledAdjoint(np.ones((1, 200), np.float32))
        assert memory.current_by_kind["gradients"] == 2 * half
        handed_out = adjoint.by_residual()
        adjoint.add(np.ones((1, 100), np.float32))
        assert memory.current_by_kind["gradients"] == 2 * half + handed_out.nbytes - half
        assert memory.current_bytes == 2 * half


def test_a_state_that_has_come_back_holds_no_floats_beside_its_integers():
    buffers.clear()
    net = RevNet([nn.Linear(32, 32)] * 3)
    state = net.run(np.ones((1024, 64), np.float32))
    with track_memory() as memory:
        net.invert(state)
    assert memory.current_by_kind["transient"] == 0
