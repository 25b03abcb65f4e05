"""The search for theta: its derivatives, what it finds, and how near it comes where there is nothing to be found."""

import numpy as np
import pytest

from mininet.experiments.linear_maps import matrix_search
from mininet.experiments.linear_maps.linear_flow import lowest_value, psi_derivative, psi_of_matrix
from mininet.experiments.linear_maps.matrix_search import MARGIN, derivatives, draw_all, search
from mininet.experiments.linear_maps.representable import is_representable, unpaired


def test_derivatives():
    assert derivatives(np.array([[-2.0]]), 0.5)[0, 0] == pytest.approx(float(psi_derivative(-2.0, 0.5)), rel=1e-12)
    theta = np.random.default_rng(0).standard_normal((4, 3, 3))
    found = derivatives(theta, np.full((4, 1, 1), 0.7))
    step = 1e-5  # a central difference has an error of step^2 and of 1e-16 / step
    for entry in range(9):
        direction = step * np.eye(9)[entry].reshape(3, 3)
        difference = (psi_of_matrix(theta + direction, 0.7) - psi_of_matrix(theta - direction, 0.7)) / (2 * step)
        np.testing.assert_allclose(found[:, entry], difference.reshape(4, 9), rtol=0, atol=1e-8)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_it_finds_what_there_is(size):
    random = np.random.default_rng(1)
    epsilons = np.array([0.5, 1.0, 10.0])
    matrices = psi_of_matrix(random.standard_normal((3, size, size)), epsilons[:, None, None])
    for attempt in search(matrices, epsilons, starts=8, iterations=30):
        assert attempt.found
        value = psi_of_matrix(attempt.theta, attempt.epsilon)
        assert np.linalg.norm(value - attempt.matrix) == pytest.approx(attempt.distance, rel=1e-6, abs=1e-13)


def test_a_number_below_the_bar_is_missed_by_the_difference():
    epsilons = np.array([0.5, 1.0, 10.0])
    bars = np.array([lowest_value(epsilon) for epsilon in epsilons])
    attempts = search((bars - 0.3)[:, None, None], epsilons, starts=5, iterations=50)
    # towards the minimum of Psi the search slows down; the difference there is of second order
    np.testing.assert_allclose([attempt.distance for attempt in attempts], 0.3, rtol=0, atol=1e-6)
    assert not any(attempt.found for attempt in attempts)


def equal_eigenvalue(matrix):
    """The eigenvalue that is there twice, up to rounding errors times the condition of the eigenvectors."""
    values = np.linalg.eigvals(matrix)
    (found,) = [a.real for i, a in enumerate(values) for b in values[:i] if abs(a - b) < 1e-12]
    return found


def test_random_matrices_keep_their_margins():
    pairs = draw_all(80)
    for k, (matrix, epsilon) in enumerate(pairs):
        values, vectors = np.linalg.eig(matrix)
        bar = lowest_value(epsilon)
        alone = [value for value in unpaired(matrix) if value < bar]
        assert all(value < bar - MARGIN for value in alone)
        assert is_representable(matrix, epsilon) is (not alone)
        if k % matrix_search.PAIRED_EVERY:
            assert np.linalg.cond(vectors) < matrix_search.CONDITION
            assert min(abs(a - b) for i, a in enumerate(values) for b in values[:i]) > 2 * MARGIN
        else:
            assert equal_eigenvalue(matrix) < bar - MARGIN
    assert {epsilon for _, epsilon in pairs} == set(matrix_search.EPSILONS)
    assert {len(matrix) for matrix, _ in pairs} == {2, 3}
    representable = sum(is_representable(*pair) for pair in pairs)
    assert 20 < representable < 60
    again = draw_all(80)
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(pairs, again, strict=True))


def test_search_all_takes_all_sizes():
    pairs = [(np.eye(2), 1.0), (np.eye(1), 0.5), (np.diag([2.0, 0.5]), 2.0)]
    attempts = matrix_search.search_all(pairs, starts=5, iterations=20)
    assert [(len(attempt.matrix), attempt.epsilon) for attempt in attempts] == [(1, 0.5), (2, 1.0), (2, 2.0)]
    assert all(attempt.found for attempt in attempts)
