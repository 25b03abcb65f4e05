"""Learned ISTA: the layers against the algorithm, the three kinds of network against their recurrences."""

import numpy as np
import pytest

from mininet import Tensor, check_gradient
from mininet.experiments.learning_to_optimize.sparse_coding import SparseCoding
from mininet.models.unrolled import IstaFunction, UnrolledIsta, soft_threshold

DEPTH, PENALTY, GAMMA = 5, 0.1, 0.5
TASK = SparseCoding.random(4, 6, PENALTY, np.random.default_rng(0))
Y = TASK.samples(3, np.random.default_rng(1))


def shrink(u, threshold):
    return np.sign(u) * np.maximum(np.abs(u) - threshold, 0)


def residual(function, z, y):
    """f(z, y) in NumPy, from the function's own parameters."""
    moved = z - (z @ TASK.dictionary.T.astype(np.float32) - y) @ function.weight.data
    return shrink(moved, PENALTY * float(function.step.data)) - z


def perturbed(kind, **keywords):
    """A float64 network whose layers differ, so that their order matters."""
    net = UnrolledIsta(kind, TASK.dictionary, PENALTY, DEPTH, GAMMA, **keywords).to(np.float64)
    random = np.random.default_rng(2)
    for parameter in net.parameters():
        parameter.data = parameter.data * random.uniform(0.7, 1.3, parameter.shape)
    return net


def test_soft_threshold_by_hand():
    u = Tensor(np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5]))
    assert soft_threshold(u, 1.0).data.tolist() == [-2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.5]


def test_gradients_of_a_step():
    function = IstaFunction(TASK.dictionary, PENALTY).to(np.float64)

    def value(z, y, weight, step):
        function.weight, function.step = weight, step
        return function(z, y)

    z = np.random.default_rng(3).standard_normal((3, 6))
    check_gradient(value, z, Y, function.weight.data, function.step.data)


def test_a_step_begins_as_ista_and_vanishes_at_the_solution():
    """A step of ISTA decreases F by at least |f|^2 / (2 eta), and it can decrease by the duality gap at most."""
    function = IstaFunction(TASK.dictionary, PENALTY).to(np.float64)
    assert function.step.data == pytest.approx(TASK.step, rel=1e-6)
    function.weight.data, function.dictionary = TASK.step * TASK.dictionary, TASK.dictionary
    function.step.data = np.array(TASK.step)
    solution = TASK.solve(Y)
    bound = np.sqrt(2 * TASK.step * TASK.duality_gap(solution, Y).clip(0)) + 1e-15
    assert (np.linalg.norm(function(Tensor(solution), Y).data, axis=1) <= bound).all()
    assert (bound < 1e-6).all()
    function.weight.data = 1.1 * function.weight.data  # no longer eta D
    assert np.abs(function(Tensor(solution), Y).data).max() > 1e-3


def by_hand(net):
    """The result of a network by its recurrence."""
    z = v = b = np.zeros((len(Y), 6))
    for function in net.net.functions:
        if net.streams == 2:
            z, b = b, z + residual(function, b, Y)
        else:
            gamma = getattr(net.net, "gamma", 0)
            v = gamma * v + (1 - gamma) * residual(function, z, Y)
            z = z + v
    return b if net.streams == 2 else z


@pytest.mark.parametrize("kind", ["resnet", "momentum", "revnet"])
def test_a_network_follows_its_recurrence(kind):
    """In float64 rounding is about 1e-16 a layer, in exact arithmetic 3 * 2^-41; a layer stretches it 3 times at most.

    Ten functions of a RevNet: 10 * 1e-15 * 3^10 = 6e-10; 5 layers in exact arithmetic: 5 * 1.4e-12 * 3^5 = 1.7e-9.
    """
    net = perturbed(kind)
    expected = by_hand(net)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(net(Tensor(Y)).data, expected, rtol=0, atol=2e-9)
    trajectory = net.trajectory(Y)
    assert trajectory.shape == (DEPTH + 1, 3, 6)
    assert not trajectory[0].any()
    np.testing.assert_allclose(trajectory[-1], expected, rtol=0, atol=2e-9)


def test_one_layer_of_a_resnet_is_one_step_of_ista():
    net = UnrolledIsta("resnet", TASK.dictionary, PENALTY, 1)
    expected = shrink(TASK.step * Y @ TASK.dictionary, TASK.step * PENALTY)
    np.testing.assert_allclose(net(Tensor(Y.astype(np.float32))).data, expected, rtol=0, atol=1e-6)  # float32


def test_parameters():
    counts = {
        kind: len(list(UnrolledIsta(kind, TASK.dictionary, PENALTY, DEPTH).parameters()))
        for kind in ("resnet", "momentum", "revnet")
    }
    assert counts == {"resnet": 2 * DEPTH, "momentum": 2 * DEPTH, "revnet": 4 * DEPTH}
    short = UnrolledIsta("revnet", TASK.dictionary, PENALTY, DEPTH, step=0.01).net.functions[3]
    assert short.step.data == np.float32(0.01)
    np.testing.assert_array_equal(short.weight.data, (0.01 * TASK.dictionary).astype(np.float32))
