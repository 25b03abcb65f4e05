"""The experiment on the two differential equations: fields, crossings, verdicts that can fail, and the figure."""

import dataclasses

import numpy as np
import pytest
from support import verdicts

from mininet.experiments import ode
from mininet.experiments.continuous_limit import Convergence, first_order
from mininet.experiments.linear_maps.linear_flow import psi

SMALL = (1 / 64, 1 / 128)


@pytest.fixture(scope="module")
def measured():
    first = Convergence((1 / 32, 1 / 64), (3 / 32, 3 / 64), 1e-9)
    elsewhere = Convergence(first.small, (1.0, 0.9), 1e-9)
    one = ode.Measurements({0.2: first, 1.0: first}, first, elsewhere, Convergence(SMALL, SMALL, 1e-9))
    return dict.fromkeys(ode.FIELDS, one)


@pytest.fixture(scope="module")
def paths():
    return ode.paths_on_a_line(depth=64, count=5)


def test_fields():
    x, a, b = np.array([[0.3, -0.7]]), np.array([[1.5, 0.5], [-0.5, 1.0]]), np.array([[-2.0, 2.0], [-2.0, -1.0]])
    np.testing.assert_allclose(first_order(ode.tanh_field)(x, 0.4), np.tanh(x @ a) @ b, rtol=1e-14)
    pull = 2 * np.tanh(2 * x[0])
    for t, expected in ((0, pull), (0.25, [-pull[1], pull[0]]), (0.5, -pull)):  # a quarter turn, half a turn
        np.testing.assert_allclose(first_order(ode.turning_field)(x, t), [expected], rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(ode.starts(5), axis=1), 1, rtol=1e-15)


def test_crossings():
    straight = np.array([[0.0, 1.0, 2.0], [0.0, 0.5, 3.0]])[..., None]
    crossing = np.array([[0.0, 1.0, 2.0], [1.5, 1.0, 3.0], [0.0, 1.0, 2.0]])[..., None]
    meeting = np.array([[0.0, 1.0], [1.0, 1.0]])[..., None]
    assert [ode.crossings(path) for path in (straight, crossing, meeting)] == [0, 1, 0]


def test_first_order_limit_of_a_linear_field():
    """Psi_{eps / t}(t theta) against exp(t theta), the largest difference over the times that both have."""
    epsilons, x0 = (0.25, 0.125), np.ones((1, 1))
    found = ode.first_order_limit(lambda x, t: -2 * x, x0, epsilons)
    times = np.arange(1, ode.REFERENCE_STEPS + 1) / ode.REFERENCE_STEPS
    for epsilon, error in zip(epsilons, found.errors, strict=True):
        exact = max(abs(float(psi(-2 * t, epsilon / t)) - np.exp(-2 * t)) for t in times)
        assert error == pytest.approx(exact, abs=4 * found.reference_error + 1e-13)  # two references, estimated
    assert found.small == epsilons


def test_claims_hold_and_can_fail(measured, paths):
    assert verdicts(ode.claims(measured, paths)) == [True] * 4
    name, one = next(iter(measured.items()))
    rough = {epsilon: dataclasses.replace(each, reference_error=0.01) for epsilon, each in one.momentum.items()}
    second_order = Convergence(one.residual.small, tuple(h**2 for h in one.residual.small))
    slow = Convergence(SMALL, tuple(epsilon**0.5 for epsilon in SMALL))
    for changes, failing in (
        ({"momentum": one.momentum | {0.2: second_order}}, 0),
        ({"momentum": rough}, 0),
        ({"residual": second_order}, 1),
        ({"residual_elsewhere": one.residual}, 1),
        ({"limit": slow}, 2),
    ):
        expected = [number != failing for number in range(4)]
        assert verdicts(ode.claims(measured | {name: dataclasses.replace(one, **changes)}, paths)) == expected
    for kind in ("residual", "momentum"):
        assert verdicts(ode.claims(measured, dict.fromkeys(("momentum", "residual"), paths[kind])))[3] is False
