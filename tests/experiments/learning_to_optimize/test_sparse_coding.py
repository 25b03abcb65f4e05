"""The lasso: closed-form solutions, and a bound that holds."""

import numpy as np

from mininet.experiments.learning_to_optimize.sparse_coding import SparseCoding

RANDOM = SparseCoding.random(5, 9, 0.1, np.random.default_rng(0))


def orthonormal(penalty):
    """With D orthonormal, the solution is ST(D^T y, lambda)."""
    dictionary = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    return SparseCoding(dictionary, penalty)


def test_loss_by_hand():
    task = SparseCoding(np.array([[1.0, 0.0], [0.0, 2.0]]), 0.5)
    assert task.loss(np.array([[1.0, -1.0]]), np.array([[2.0, 0.0]])).tolist() == [0.5 * (1 + 4) + 0.5 * 2]


def test_zero_is_the_solution_from_lambda_1_on():
    y = RANDOM.samples(20, np.random.default_rng(2))
    assert not SparseCoding(RANDOM.dictionary, 1 + 1e-12).solve(y, 100).any()
    assert (np.abs(SparseCoding(RANDOM.dictionary, 0.99).solve(y, 100)).max(axis=1) > 0).all()


def test_the_solution_is_optimal():
    """Subgradients: D^T (y - D z) is lambda sign(z) where z is not 0, and not larger elsewhere."""
    y = RANDOM.samples(20, np.random.default_rng(2))
    z = RANDOM.solve(y)
    slope = (y - z @ RANDOM.dictionary.T) @ RANDOM.dictionary
    assert (np.abs(slope) <= 0.1 + 1e-6).all()
    np.testing.assert_allclose(slope[z != 0], 0.1 * np.sign(z[z != 0]), rtol=0, atol=1e-6)
    assert RANDOM.duality_gap(z, y).max() < 1e-6


def test_the_gap_bounds_the_excess():
    task = orthonormal(0.3)
    random = np.random.default_rng(4)
    y = random.standard_normal((50, 4))
    solution = task.solve(y, 10)
    z = solution + 0.1 * random.standard_normal(solution.shape)
    excess = task.loss(z, y) - task.loss(solution, y)
    gap = task.duality_gap(z, y)
    assert (excess > 0).all()
    assert (gap >= excess - 1e-14).all()
    assert np.abs(task.duality_gap(solution, y)).max() < 1e-13
