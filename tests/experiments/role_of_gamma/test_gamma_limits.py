"""The ends of gamma against recurrences by hand."""

import numpy as np
import pytest

from mininet import MomentumNet, Tensor
from mininet.experiments.role_of_gamma import gamma_limits
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


@pytest.mark.parametrize("gamma", [0.1, 0.99])
def test_the_determinant_is_a_power_of_gamma(gamma):
    """Entries are off by about 1e-11; those of the inverse are at most of the order of 1 / gamma."""
    assert gamma_limits.layer_determinant(gamma, 6) == pytest.approx(gamma**6, rel=1e-8)
    assert gamma_limits.layer_determinant(gamma, 3) == pytest.approx(gamma**3, rel=1e-8)


def by_hand(functions, x, gamma, scale):
    v = np.zeros_like(x)
    for function in functions:
        v = gamma * v + (1 - gamma) * scale * function(Tensor(x)).data
        x = x + v
    return x, v


def test_distances_by_hand():
    functions = gamma_limits.dense_functions(10, 6)
    x = np.random.default_rng(0).standard_normal((1, 6))
    limit, v = x, np.zeros_like(x)
    for function in functions:
        v = v + function(Tensor(limit)).data
        limit = limit + v
    rescaled, as_written = gamma_limits.limits_near_one([0.5, 0.9])
    for number, gamma in enumerate([0.5, 0.9]):
        with_scale = by_hand(functions, x, gamma, 1 / (1 - gamma))[0]
        assert rescaled[number] == pytest.approx(np.linalg.norm(with_scale - limit), rel=1e-12)
        assert as_written[number] == pytest.approx(np.linalg.norm(by_hand(functions, x, gamma, 1)[0] - x), rel=1e-12)
