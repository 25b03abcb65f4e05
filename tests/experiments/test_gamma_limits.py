"""The ends of gamma against recurrences by hand."""

import functools

import numpy as np
import pytest

from mininet import MomentumNet, RevNet, Tensor
from mininet.experiments import gamma_limits
from mininet.experiments.gamma_limits import alternating, dense_functions, layer_determinant, limits_near_one, order
from mininet.seeding import position


def test_gamma_0_is_the_residual_network_to_the_bit():
    before = position()
    assert gamma_limits.bits_at_zero() == {"output": 0, "gradient by x": 0, "gradients by parameters": 0}
    assert position() == before


def test_another_gamma_is_not(monkeypatch):
    def nearly(functions, gamma, **keywords):
        return MomentumNet(functions, 1e-6, **keywords)

    monkeypatch.setattr(gamma_limits, "MomentumNet", nearly)
    assert all(bits > 0 for bits in gamma_limits.bits_at_zero().values())


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9, 0.99])
def test_the_determinant_is_a_power_of_gamma(gamma):
    """Entries are off by about 1e-11; those of the inverse are at most of the order of 1 / gamma."""
    assert layer_determinant(gamma, 6) == pytest.approx(gamma**6, rel=1e-8)
    assert layer_determinant(gamma, 3) == pytest.approx(gamma**3, rel=1e-8)


def values(functions, x):
    return [function(Tensor(x)).data for function in functions]


def by_hand(functions, x, gamma, scale):
    v = np.zeros_like(x)
    for function in functions:
        v = gamma * v + (1 - gamma) * scale * function(Tensor(x)).data
        x = x + v
    return x, v


def test_the_alternating_revnet_adds_f_to_v_and_v_to_x():
    functions = dense_functions(4, 3)
    x = np.random.default_rng(1).standard_normal((2, 3))
    expected, v = x, np.zeros_like(x)
    for function in functions:
        v = v + function(Tensor(expected)).data
        expected = expected + v
    both = RevNet(alternating(functions), arithmetic="float")(np.hstack([np.zeros_like(x), x])).data
    np.testing.assert_allclose(both, np.hstack([v, expected]), rtol=0, atol=1e-14)


def test_distances_by_hand():
    functions = dense_functions(10, 6, seed=0)
    x = np.random.default_rng(0).standard_normal((1, 6))
    limit, v = x, np.zeros_like(x)
    for function in functions:
        v = v + function(Tensor(limit)).data
        limit = limit + v
    rescaled, as_written = limits_near_one([0.5, 0.9])
    for number, gamma in enumerate([0.5, 0.9]):
        with_scale = by_hand(functions, x, gamma, 1 / (1 - gamma))[0]
        assert rescaled[number] == pytest.approx(np.linalg.norm(with_scale - limit), rel=1e-12)
        assert as_written[number] == pytest.approx(np.linalg.norm(by_hand(functions, x, gamma, 1)[0] - x), rel=1e-12)


def test_the_limit_is_approached_at_first_order():
    gammas = 1 - np.array([1e-4, 1e-5])
    for distances in limits_near_one(gammas):
        assert order(distances, gammas) == pytest.approx([1], abs=0.001)  # the second-order term is below 20 * 1e-4


@pytest.mark.parametrize("power", [0, 1, 2])
def test_order_of_a_power(power):
    gammas = [0.9, 0.99, 0.999]
    distances = [3 * (1 - gamma) ** power for gamma in gammas]
    np.testing.assert_allclose(order(distances, gammas), power, atol=1e-12)


def test_functions_repeat():
    first, again, other = (dense_functions(1, 3, seed)[0] for seed in (0, 0, 1))
    states = [np.concatenate([array.ravel() for array in f.state_dict().values()]) for f in (first, again, other)]
    assert np.array_equal(states[0], states[1])
    assert not functools.reduce(np.array_equal, (states[0], states[2]))
