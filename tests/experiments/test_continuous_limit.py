"""Networks as Euler's method, the accurate solutions, and observed orders: against loops by hand and closed forms."""

import math

import numpy as np
import pytest

from mininet.experiments import continuous_limit
from mininet.experiments.continuous_limit import Convergence, distance, momentum_net, residual_net, runge_kutta
from mininet.experiments.linear_maps.linear_flow import psi

X0 = np.array([[1.0], [-2.0]])


def pulled(x, t):
    """x -> 3 t - 2 x."""
    return 3 * t - 2 * x


def linear(rate):
    return lambda x, t: rate * x


def test_the_momentum_network_is_the_scheme_of_the_docstring():
    depth, epsilon = 8, 0.3
    h, x, u = 1 / depth, X0, np.zeros_like(X0)
    expected = [x]
    for n in range(depth):
        u = u + h * (pulled(x, n * h) - u) / epsilon
        x = x + h * u
        expected.append(x)
    net = momentum_net(pulled, epsilon, depth)
    # a few roundings a layer of numbers up to 2
    np.testing.assert_allclose(net.trajectory(X0), expected, rtol=0, atol=depth * 8 * 2.3e-16)
    assert net.arithmetic == "float"
    assert net.gamma == pytest.approx(1 - h / epsilon, rel=1e-15)


def test_the_residual_network_is_eulers_method():
    expected = [X0]
    for n in range(4):
        expected.append(expected[-1] + 0.25 * pulled(expected[-1], n / 4))
    np.testing.assert_allclose(residual_net(pulled, 4).trajectory(X0), expected, rtol=0, atol=4 * 8 * 2.3e-16)


def test_a_step_of_eps_makes_the_momentum_network_residual():
    depth = 5
    with pytest.raises(ValueError, match=r"epsilon must be a finite number above 0\.2, got 0\.2"):
        momentum_net(pulled, 1 / depth, depth)
    nearly = momentum_net(pulled, 1 / depth + 1e-9, depth).trajectory(X0)
    # u differs by gamma = 5e-9 times its size, at most 10
    np.testing.assert_allclose(nearly, residual_net(pulled, depth).trajectory(X0), rtol=0, atol=5e-8 * 10)


def test_runge_kutta():
    h = 1 / 8
    factor = 1 - h + h**2 / 2 - h**3 / 6 + h**4 / 24  # Taylor's polynomial of exp(-h), as the method has it
    states = runge_kutta(lambda x, t: -x, np.ones(1), 8)
    np.testing.assert_allclose(states[:, 0], factor ** np.arange(9), rtol=8 * 8 * 2.3e-16)
    # for x' = g(t) it is Simpson's rule, exact for polynomials of degree 3
    states = runge_kutta(lambda x, t: np.full(1, 4 * t**3), np.zeros(1), 4)
    np.testing.assert_allclose(states[:, 0], np.linspace(0, 1, 5) ** 4, rtol=0, atol=1e-15)


@pytest.mark.parametrize("epsilon", [None, 0.1, 1.0])
def test_reference_and_its_error(epsilon):
    """Against closed forms; at time t, eps x'' + x' = theta x gives Psi with eps / t and t theta."""
    found = continuous_limit.reference(linear(2.0), X0, epsilon, steps=32)
    times = np.linspace(0, 1, 33)[1:]
    values = [math.exp(2 * t) if epsilon is None else float(psi(2 * t, epsilon / t)) for t in times]
    error = np.abs(found.positions[1:] - np.array(values)[:, None, None] * X0).max()
    # the estimate has an error of its own, of the order of the step
    assert 0.5 < found.error / error < 2
    assert error < 1e-4
    np.testing.assert_array_equal(found.positions[0], X0)


def test_distance():
    path = np.array([[[0.0, 0.0]], [[9.0, 9.0]], [[1.0, 1.0]]])  # at 0, 1/2, 1
    other = np.array([[[0.0, 0.0]], [[4.0, 5.0]]])  # at 0, 1
    assert distance(path, other) == distance(other, path) == 5.0
    assert distance(path, path) == 0.0


def test_observed_orders():
    halved = (1.0, 0.5, 0.25)
    np.testing.assert_allclose(Convergence(halved, (3.0, 1.5, 0.75)).orders, [1, 1], rtol=1e-15)
    np.testing.assert_allclose(Convergence((1.0, 0.1), (3.0, 0.03)).orders, [2], rtol=1e-15)
    assert continuous_limit.described([0.95, 1.02]) == "0.950 to 1.020"


@pytest.mark.parametrize(
    ("orders", "is_first"), [([0.9, 1.1], True), ([1.0, 0.89], False), ([1.11], False), ([], False), ([np.nan], False)]
)
def test_first_order_is_a_verdict(orders, is_first):
    assert continuous_limit.is_first_order(orders) is is_first
