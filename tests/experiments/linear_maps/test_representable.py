"""The theorem on representable matrices, case by case, and the theta it promises."""

import numpy as np
import pytest

from mininet.experiments.linear_maps.linear_flow import lowest_value, psi_of_matrix
from mininet.experiments.linear_maps.representable import construct, is_exponential, is_representable, needed_factor

BAR = lowest_value(1.0)  # -0.6135


def jordan(value, size):
    return value * np.eye(size) + np.diag(np.ones(size - 1), 1)


def together(*blocks):
    size = sum(len(block) for block in blocks)
    matrix, start = np.zeros((size, size)), 0
    for block in blocks:
        matrix[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return matrix


def turned(matrix, seed=0):
    """The matrix in another basis, well conditioned: an orthogonal matrix times entries between 1/2 and 2."""
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.standard_normal(matrix.shape))[0] * random.uniform(0.5, 2, len(matrix))
    return basis @ matrix @ np.linalg.inv(basis)


CASES = {  # at eps = 1: representable, an exponential
    "identity": (np.eye(3), True, True),
    "-1 in even dimension": (-np.eye(2), True, True),
    "-1 in odd dimension": (-np.eye(3), False, False),
    "-1/2 in odd dimension": (-np.eye(3) / 2, True, False),
    "a mirror": (np.diag([1.0, -1.0]), False, False),
    "half a mirror": (np.diag([1.0, -0.5]), True, False),
    "a projection": (np.diag([1.0, 0.0]), True, False),
    "zero": (np.zeros((2, 2)), True, False),
    "a rotation": (np.array([[0.0, -3], [3, 0]]), True, True),
    "two different eigenvalues below": (np.diag([-2.0, -2.1]), False, False),
    "a pair and one more": (np.diag([-2.0, -2.0, -0.1]), True, False),
    "three and one": (np.diag([-2.0, -2.0, -2.0, 1.0]), False, False),
    "a Jordan block below": (jordan(-2, 2), False, False),
    "the same twice": (together(jordan(-2, 2), jordan(-2, 2)), True, True),
    "Jordan blocks of sizes 1 and 2 below": (together(jordan(-2, 1), jordan(-2, 2)), False, False),
    "a Jordan block above": (jordan(-0.5, 2), True, False),
    "a Jordan block above 0": (jordan(0.5, 3), True, True),
    "on the bar": (np.array([[BAR]]), True, False),
    "just above": (np.array([[BAR + 0.01]]), True, False),
    "just below": (np.array([[BAR - 0.01]]), False, False),
}


@pytest.mark.parametrize("case", CASES)
def test_theorem(case):
    matrix, representable, exponential = CASES[case]
    for each in (matrix, matrix.T, turned(matrix)):
        assert is_representable(each, 1.0) is representable
        assert is_exponential(each) is exponential


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 10.0])
def test_construction(epsilon):
    random = np.random.default_rng(0)
    matrices = [random.standard_normal((size, size)) for size in (1, 2, 2, 3, 3, 4, 5)]
    matrices = [matrix / needed_factor(matrix, epsilon) for matrix in matrices]  # some are on the bar then
    matrices += [-np.eye(2), -np.eye(4), turned(np.diag([-2.0, -2, 1, -0.005])), turned(np.diag([-3.0, -3, -2, -2]))]
    for matrix in matrices:
        theta = construct(matrix, epsilon)
        assert theta.dtype == np.float64
        np.testing.assert_allclose(psi_of_matrix(theta, epsilon), matrix, rtol=0, atol=1e-10)


def test_what_cannot_be_constructed():
    with pytest.raises(ValueError, match="matrix must be representable at epsilon 1"):
        construct(np.diag([1.0, -1.0]), 1.0)
    with pytest.raises(ValueError, match="matrix must be diagonalisable"):
        construct(jordan(0.5, 2), 1.0)


def test_any_matrix_up_to_a_factor():
    random = np.random.default_rng(1)
    divided = 0
    for _ in range(30):
        matrix = 3 * random.standard_normal((3, 3))
        factor = needed_factor(matrix, 1.0)
        assert is_representable(matrix / factor, 1.0)
        if factor > 1:
            assert not is_representable(matrix / (0.99 * factor), 1.0)
            divided += 1
    assert divided > 10
    assert needed_factor(np.diag([1.0, -2.0]), 1.0) == pytest.approx(-2 / BAR, rel=1e-12)
    assert needed_factor(-2 * np.eye(2), 1.0) == 1
