"""Psi_eps: closed forms, three ways to compute it, its lowest point, and its inverse."""

import math

import numpy as np
import pytest

from mininet.experiments.linear_maps import linear_flow
from mininet.experiments.linear_maps.linear_flow import exponential, lowest_point, lowest_value, psi, psi_derivative

EPSILONS = (0.1, 0.5, 1.0, 10.0)
every_epsilon = pytest.mark.parametrize("epsilon", EPSILONS)


@pytest.mark.parametrize("angle", [0.0, 0.2, 1.0, 30.0])
def test_exponential_of_a_rotation(angle):
    expected = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    # each squaring doubles the error; 2^squarings is at most 4 times the norm
    tolerance = 20 * max(1, 4 * angle) * 2.3e-16
    np.testing.assert_allclose(exponential([[0, -angle], [angle, 0.0]]), expected, rtol=0, atol=tolerance)


def test_exponential_of_nilpotent_and_diagonal_matrices():
    np.testing.assert_allclose(exponential([[0, 0.25], [0, 0.0]]), [[1, 0.25], [0, 1]], rtol=0, atol=1e-15)
    values = np.array([1 + 2j, -3.0, 0.5j])
    np.testing.assert_allclose(np.diag(exponential(np.diag(values))), np.exp(values), rtol=1e-13)


@every_epsilon
def test_values_in_closed_form(epsilon):
    assert psi(0.0, epsilon) == pytest.approx(1, rel=1e-14)
    alpha_is_0 = -1 / (4 * epsilon)
    assert psi(alpha_is_0, epsilon) == pytest.approx(math.exp(-1 / (2 * epsilon)) * (1 + 1 / (2 * epsilon)), rel=1e-13)
    # alpha = i pi: cos(pi) = -1, sin(pi) = 0
    theta = -epsilon * math.pi**2 - 1 / (4 * epsilon)
    assert psi(theta, epsilon) == pytest.approx(-math.exp(-1 / (2 * epsilon)), rel=1e-13)
    assert psi(np.array([1.0, 2.0]), epsilon).dtype == np.float64


@every_epsilon
def test_derivative(epsilon):
    theta = np.array([-30.0, -3.0, 0.0, 2.0])
    step = psi(theta + 1e-20j, epsilon).imag / 1e-20  # a complex step, without a difference
    np.testing.assert_allclose(psi_derivative(theta, epsilon), step, rtol=1e-12, atol=1e-13)
    expected = math.exp(-1 / (2 * epsilon)) / (2 * epsilon) * (1 + 1 / (6 * epsilon))  # at alpha = 0
    for alpha in (0.0, 1e-6, 1e-4):  # alpha^2 changes it by less than itself
        slope = psi_derivative(epsilon * alpha**2 - 1 / (4 * epsilon), epsilon)
        assert slope == pytest.approx(expected, rel=max(alpha**2, 1e-13))
    ends = epsilon * np.array([0.99e-3, 1.01e-3]) ** 2 - 1 / (4 * epsilon)  # the series goes over into the formula
    np.testing.assert_allclose(psi_derivative(ends, epsilon), expected, rtol=1e-6)


@every_epsilon
def test_three_ways_agree(epsilon):
    random = np.random.default_rng(1)
    for size in (1, 2, 3):
        theta = random.standard_normal((size, size)) * 3
        block = linear_flow.psi_of_matrix(theta, epsilon)
        np.testing.assert_allclose(
            linear_flow.psi_by_eigenvalues(theta, epsilon), block, rtol=0, atol=1e-12 * np.linalg.norm(block)
        )
        if size == 1:
            assert block[0, 0] == pytest.approx(float(psi(theta[0, 0], epsilon)), rel=1e-12)
    # a Jordan block: the derivative beside the diagonal
    block = linear_flow.psi_of_matrix(np.array([[-2.0, 1.0], [0.0, -2.0]]), epsilon)
    value, slope = float(psi(-2.0, epsilon)), float(psi_derivative(-2.0, epsilon))
    np.testing.assert_allclose(block, [[value, slope], [0, value]], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("epsilon", "value"), [(0.1, -0.0108), (0.5, -0.383), (1, -0.6135), (2, -0.781), (10, -0.951),
                                                (100, -0.995)])  # fmt: skip
def test_the_bar(epsilon, value):
    lowest = lowest_value(epsilon)
    assert lowest == pytest.approx(value, abs=6e-4 if epsilon > 0.2 else 6e-5)  # as many digits as were given
    theta = np.linspace(-60 * epsilon - 1 / (4 * epsilon), 2, 20_001)
    assert psi(theta, epsilon).min() >= lowest - 1e-14
    assert abs(psi_derivative(lowest_point(epsilon), epsilon)) < 1e-13
    rising = psi(theta[theta > lowest_point(epsilon)], epsilon)
    assert (np.diff(rising) > 0).all()


@every_epsilon
@pytest.mark.parametrize("value", [0.0, 1.0, 50.0, -0.01, -3.0, -3 + 0.1j, 2j, -1j, 0.01 - 0.01j, -100 + 1j])
def test_preimages(epsilon, value):
    theta = linear_flow.preimage(value, epsilon)
    assert abs(psi(theta, epsilon) - value) < 1e-12 * max(1, abs(value))
    is_real = complex(value).imag == 0 and complex(value).real >= lowest_value(epsilon)
    assert isinstance(theta, float) is is_real
    if is_real:
        assert theta >= lowest_point(epsilon)
    else:
        assert theta.imag != 0
