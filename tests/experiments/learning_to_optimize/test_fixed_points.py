"""Jacobians of layers against the networks themselves, and when a fixed point attracts."""

import dataclasses

import numpy as np
import pytest
from support import verdicts

from mininet import MomentumNet, ResidualNet, RevNet, Tensor
from mininet.experiments.learning_to_optimize import fixed_points
from mininet.experiments.learning_to_optimize.fixed_points import Rest, layer_jacobians, radii
from mininet.experiments.learning_to_optimize.sparse_coding import SparseCoding
from mininet.models.unrolled import IstaFunction

GAMMA = 0.7
SLOPE = np.random.default_rng(0).standard_normal((3, 3))


def linear(x):
    return x @ SLOPE.T  # rows: df/dx = SLOPE


def test_the_jacobians_are_those_of_the_networks():
    """With a linear f, running the unit vectors through one layer gives the columns."""
    found = layer_jacobians(SLOPE, GAMMA)
    np.testing.assert_allclose(found["ResNet"], ResidualNet([linear])(np.eye(3)).data.T, atol=1e-14)
    x, v = np.eye(6)[:, :3], np.eye(6)[:, 3:]
    net = MomentumNet([linear], GAMMA, init_velocity=lambda _: Tensor(v), arithmetic="float")
    np.testing.assert_allclose(found["Momentum ResNet"], np.hstack(net.run(x).values()).T, atol=1e-14)
    revnet = RevNet([linear, linear], arithmetic="float")
    np.testing.assert_allclose(found["RevNet"], revnet(np.eye(6)).data.T, atol=1e-13)


@pytest.mark.parametrize(("gamma", "limit"), [(0, 2), (0.5, 6), (0.9, 38)])
def test_stability_limit(gamma, limit):
    """At the limit an eigenvalue is -1: -1 and -gamma solve mu^2 + (1 + gamma) mu + gamma = 0."""
    assert fixed_points.stability_limit(gamma) == pytest.approx(limit)
    jacobian = layer_jacobians(np.array([[-float(limit)]]), gamma)["Momentum ResNet"]
    np.testing.assert_allclose(sorted(np.linalg.eigvals(jacobian).real), [-1, -gamma], atol=1e-12)
    around = radii(limit * np.array([0.01, 0.99, 1.01]), gamma)["Momentum ResNet"]
    assert (around < 1).tolist() == [True, True, False]


def test_radii_of_the_others():
    """1 - a; and the square of the larger root of mu^2 + a mu - 1."""
    slopes = np.array([0.1, 1.0, 3.0])
    found = radii(slopes, GAMMA)
    np.testing.assert_allclose(found["ResNet"], np.abs(1 - slopes), atol=1e-14)
    np.testing.assert_allclose(found["RevNet"], ((slopes + np.sqrt(slopes**2 + 4)) / 2) ** 2, rtol=1e-12)
    assert (found["RevNet"] > 1).all()


def test_slope_by_finite_differences():
    """f is linear between its kinks: differences are exact but for rounding, 1e-16 / 1e-6."""
    task = SparseCoding.random(4, 6, 0.1, np.random.default_rng(1))
    function = IstaFunction(task.dictionary, 0.1).to(np.float64)
    y = task.samples(1, np.random.default_rng(2))
    z = task.solve(y)[0]
    points = z + 1e-6 * np.concatenate([np.eye(6), -np.eye(6)])
    plus, minus = np.split(function(Tensor(points), np.tile(y, (12, 1))).data, 2)
    np.testing.assert_allclose(fixed_points.slope_at(z, y[0], function), ((plus - minus) / 2e-6).T, atol=1e-8)


def test_coming_to_rest_where_a_step_of_ista_solves_the_task():
    """With D = I and step 1, f(z) = z* - z: in each component, the momentum net follows its scalar recurrence."""
    task = SparseCoding(np.eye(2), 0.1)
    rest = fixed_points.come_to_rest(task, 0.5, depth=30)
    assert rest.distances["ResNet"][0] == 1
    np.testing.assert_allclose(rest.distances["ResNet"][1:], 0, atol=1e-7)  # parameters were float32
    z, v, expected = 0.0, 0.0, [1.0]
    for _ in range(30):
        v = 0.5 * v + 0.5 * (1 - z)
        z += v
        expected.append(abs(1 - z))
    np.testing.assert_allclose(rest.distances["Momentum ResNet"], expected, atol=1e-6)
    assert rest.distances["RevNet"][-1] > 1e10
    np.testing.assert_allclose(rest.jacobians["ResNet"], 0, atol=1e-7)


@pytest.fixture
def rest():
    slope = -np.diag([0.1, 0.5, 1.0])
    distances = {"ResNet": np.array([1, 1e-4]), "Momentum ResNet": np.array([1, 1e-4]), "RevNet": np.array([1, 1e4])}
    return Rest(layer_jacobians(slope, GAMMA), distances)


def test_claims(rest, monkeypatch):
    def holds(**changes):
        return verdicts(fixed_points.claims(dataclasses.replace(rest, **changes), GAMMA))

    assert holds() == [True] * 4
    unstable = rest.jacobians | {"Momentum ResNet": 1.2 * rest.jacobians["Momentum ResNet"]}
    assert holds(jacobians=unstable) == [False, True, True, True]
    shrinking = rest.jacobians | {"RevNet": 0.3 * rest.jacobians["RevNet"]}
    assert fixed_points.spectral_radius(shrinking["RevNet"]) < 1
    assert holds(jacobians=shrinking) == [True, False, True, True]
    for kind, last in (("ResNet", 0.1), ("Momentum ResNet", np.nan), ("RevNet", 1e-4)):
        assert holds(distances=rest.distances | {kind: np.array([1, last])}) == [True, True, False, True]
    assert holds(distances=rest.distances | {"RevNet": np.array([1, np.nan])}) == [True] * 4
    monkeypatch.setattr(fixed_points, "stability_limit", lambda gamma: 2.0)  # that of a ResNet
    assert holds() == [True, True, True, False]
