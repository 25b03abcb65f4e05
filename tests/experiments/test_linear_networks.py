"""Deep linear networks: against powers of their matrices, and what training can and cannot reach."""

import dataclasses

import numpy as np
import pytest

from mininet import Tensor
from mininet.experiments.linear_flow import lowest_value, psi_of_matrix
from mininet.experiments.linear_networks import (
    SLACK,
    ScaledLinear,
    Settings,
    constructed,
    discrete_convergence,
    divided,
    networks,
    targets,
    train,
    train_all,
)
from mininet.experiments.representable import is_exponential, is_representable

FEW = Settings(depth=4, steps=100, learning_rates=(0.3,), seeds=1, random_targets=1)
HALF, MINUS = np.array([[[0.5]], [[-0.5]]])


def momentum_matrix(theta, epsilon, depth):
    """The network's matrix, as a power of that of (x, u) -> (x + h u', u'), u' = (1 - h / eps) u + h / eps theta x."""
    size, h = len(theta), 1 / depth
    gamma, one = 1 - h / epsilon, np.eye(size)
    step = np.block([[one + h * (1 - gamma) * theta, h * gamma * one], [(1 - gamma) * theta, gamma * one]])
    return np.linalg.matrix_power(step, depth)[:size, :size]


def test_constructed():
    matrix = np.array([[1.0, 0.4], [0.2, -0.5]])
    found = constructed(matrix, 1.0)
    assert found.error < 1e-12
    assert np.linalg.norm(psi_of_matrix(found.theta, 1.0) - matrix) <= found.error


def test_convergence_of_the_discrete_network():
    made = [constructed(matrix, epsilon) for matrix, epsilon in (
        (-np.eye(2), 1.0), (np.diag([1.0, -0.3]), 0.5), (np.array([[0.1, -2], [0.5, 0.3]]), 1.0), (np.eye(1) / 2, 1.0),
    )]  # fmt: skip
    depths = (64, 128, 256)
    found = discrete_convergence(made, depths)
    in_order = [made[1], made[3], made[0], made[2]]  # by eps, then by size
    for each, one in zip(found, in_order, strict=True):
        for depth, error in zip(depths, each.errors, strict=True):
            exact = np.linalg.norm(momentum_matrix(one.theta, one.epsilon, depth) - one.matrix)
            assert error == pytest.approx(exact, abs=depth * 30 * 2.3e-16)  # rounding errors of |theta| up to 14
        assert all(0.9 < order < 1.1 for order in each.orders)
    wrong = dataclasses.replace(made[0], theta=made[0].theta + 0.1)
    assert not any(0.9 < order < 1.1 for order in discrete_convergence([wrong], (1024, 2048))[0].orders)


def test_networks_are_their_matrices():
    theta = np.random.default_rng(0).standard_normal((2, 3, 3))
    identity = np.zeros_like(theta) + np.eye(3)
    made = {kind: make(ScaledLinear(theta.copy(), 1 / 8)) for kind, make in networks(8, 0.5).items()}
    for k in range(2):
        exact = momentum_matrix(theta[k], 0.5, 8), np.linalg.matrix_power(np.eye(3) + theta[k] / 8, 8)
        # exact arithmetic rounds x and v to 2^-40 in every layer
        np.testing.assert_allclose(made["momentum"].run(identity).value()[k], exact[0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(made["residual"].run(identity).value()[k], exact[1], rtol=0, atol=1e-12)
    assert made["momentum"].backprop == "reversible"
    assert made["momentum"].arithmetic == "exact"


def test_networks_of_a_stack_do_not_see_one_another():
    make_net = networks(4)["momentum"]
    theta = np.random.default_rng(1).standard_normal((2, 2, 2))
    gradients = []
    for chosen in (theta, theta[:1]):
        function = ScaledLinear(chosen.copy(), 0.25)
        loss = (make_net(function)(Tensor(np.zeros_like(chosen) + np.eye(2))) ** 2).sum()
        loss.backward()
        gradients.append(function.weight.grad[0])
    np.testing.assert_allclose(*gradients, rtol=1e-13)


def test_training_reaches_what_it_can():
    """At an even depth a residual network of one number is a square: -1/2 is missed by 1/2 at least."""
    kinds = networks(4)
    momentum = train(kinds["momentum"], np.stack([HALF, MINUS]), FEW, 0.3)
    residual = train(kinds["residual"], np.stack([HALF, MINUS]), FEW, 0.3)
    assert momentum.max() < 0.05
    assert residual[0] < 0.05
    assert residual[1] >= 0.5


def test_targets():
    chosen = targets(3)
    possible = {name: (is_representable(matrix, 1.0), is_exponential(matrix)) for name, matrix in chosen.items()}
    assert possible["mirror"] == possible["−1"] == (False, False)
    assert possible["mirror / 2"] == possible["−1 / 2"] == (True, False)
    assert possible["rotation by π"] == (True, True)
    assert [possible[f"random {k}"][0] for k in (1, 2, 3)] == [True] * 3
    assert all(matrix.shape == (3, 3) for matrix in chosen.values())
    assert len(chosen) == 8


def test_division_leaves_slack():
    np.testing.assert_allclose(
        np.linalg.eigvals(divided(np.diag([3.0, -2.0]))).min(), lowest_value(1.0) / SLACK, rtol=1e-12
    )
    np.testing.assert_array_equal(divided(np.diag([3.0, -0.5])), np.diag([3.0, -0.5]))


def test_the_best_training_counts():
    one_rate = train_all(FEW)
    both = train_all(dataclasses.replace(FEW, learning_rates=(0.3, 0.1)))
    assert [trained.name for trained in one_rate] == list(targets(1))
    for first, better in zip(one_rate, both, strict=True):
        assert all(better.distances[kind] <= first.distances[kind] for kind in ("momentum", "residual"))
        assert first.possible == {
            "momentum": is_representable(first.matrix, 1.0),
            "residual": is_exponential(first.matrix),
        }
