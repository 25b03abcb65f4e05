"""Deep linear networks: against powers of their matrices, and what training can and cannot reach."""

import dataclasses

import numpy as np

from mininet.experiments.linear_maps import linear_networks
from mininet.experiments.linear_maps.linear_flow import lowest_value
from mininet.experiments.linear_maps.linear_networks import ScaledLinear, Settings, divided, targets, train_all
from mininet.experiments.linear_maps.representable import is_exponential, is_representable

FEW = Settings(depth=4, steps=100, learning_rates=(0.3,), seeds=1, random_targets=1)


def momentum_matrix(theta, epsilon, depth):
    """The network's matrix, as a power of that of (x, u) -> (x + h u', u'), u' = (1 - h / eps) u + h / eps theta x."""
    size, h = len(theta), 1 / depth
    gamma, one = 1 - h / epsilon, np.eye(size)
    step = np.block([[one + h * (1 - gamma) * theta, h * gamma * one], [(1 - gamma) * theta, gamma * one]])
    return np.linalg.matrix_power(step, depth)[:size, :size]


def test_networks_are_their_matrices():
    theta = np.random.default_rng(0).standard_normal((2, 3, 3))
    identity = np.zeros_like(theta) + np.eye(3)
    made = {kind: make(ScaledLinear(theta.copy(), 1 / 8)) for kind, make in linear_networks.networks(8, 0.5).items()}
    for k in range(2):
        exact = momentum_matrix(theta[k], 0.5, 8), np.linalg.matrix_power(np.eye(3) + theta[k] / 8, 8)
        # exact arithmetic rounds x and v to 2^-40 in every layer
        np.testing.assert_allclose(made["momentum"].run(identity).output()[k], exact[0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(made["residual"].run(identity).output()[k], exact[1], rtol=0, atol=1e-12)
    assert made["momentum"].backprop == "reversible"
    assert made["momentum"].arithmetic == "exact"


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
        np.linalg.eigvals(divided(np.diag([3.0, -2.0]))).min(), lowest_value(1.0) / linear_networks.SLACK, rtol=1e-12
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
