"""Tied networks, their training, and how a layer of a ResNet stretches space."""

import numpy as np
import pytest
from reversible_support import batch

from mininet import Tensor, manual_seed, nn
from mininet import functional as F
from mininet.experiments.toy import networks
from mininet.seeding import position


def test_both_kinds_start_with_flows_of_about_the_same_length():
    """With a constant f = c, the ResNet ends at 15 (c / 15), the momentum network at sum over n of (1 - gamma^n) c."""
    moved = {}
    for gamma in (0, 0.99):
        net = networks.drawn_from(3, lambda gamma=gamma: networks.network(2, gamma)).to(np.float64)
        net.functions[0][2].weight.data[...] = 0
        moved[gamma] = net(np.zeros((1, 2))).data
        constant = net.functions[0][2].bias.data * (15 if gamma == 0 else 1)
    np.testing.assert_allclose(moved[0][0], constant, rtol=np.finfo(np.float32).eps)  # c / 15 was rounded
    factor = sum(1 - 0.99**n for n in range(1, 16))
    assert factor == pytest.approx(1.15, abs=0.005)
    np.testing.assert_allclose(moved[0.99][0], factor * constant, rtol=0, atol=1e-9)  # gamma is a fraction near 0.99


def test_initial_weights_depend_on_the_seed_alone():
    manual_seed(5)
    stood = position()
    first, same, other = (networks.drawn_from(seed, lambda: networks.network(2)) for seed in (0, 0, 1))
    assert position() == stood
    for a, b, c in zip(*(net.parameters() for net in (first, same, other)), strict=True):
        assert np.array_equal(a.data, b.data)
        assert not np.array_equal(a.data, c.data)


@pytest.mark.parametrize("features", [1, 3])
def test_jacobians_are_those_of_finite_differences(features):
    function = nn.Sequential(nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, features)).to(np.float64)
    x = batch(4, 5, features, dtype=np.float64)
    found = networks.layer_jacobians(function, x)
    assert found.shape == (4, 5, features, features)
    step = 1e-5
    for i in range(features):
        shift = step * np.eye(features)[i]
        ahead, behind = (x + sign * shift + function(Tensor(x + sign * shift)).data for sign in (1, -1))
        # central differences: step^2 / 6 of a third derivative of order 10, and rounding, 1e-16 / step
        np.testing.assert_allclose(found[..., i, :], (ahead - behind) / (2 * step), rtol=0, atol=1e-8)


def test_gradients_are_clipped_together():
    """Gradients 3 and 4 have norm 5."""
    parameters = [nn.Parameter(np.zeros(1)), nn.Parameter(np.zeros(1))]
    for largest, expected in ((1.0, (0.6, 0.8)), (10.0, (3.0, 4.0))):
        parameters[0].grad, parameters[1].grad = np.array([3.0]), np.array([4.0])
        networks.clip_gradients(parameters, largest)
        np.testing.assert_allclose([parameter.grad[0] for parameter in parameters], expected, rtol=1e-15)


def test_training_is_adam_with_a_cosine_on_fresh_points():
    """Adam's first step is the learning rate, whatever the gradient; with 2 steps, the second one's is half of it."""
    model, drawn = nn.Linear(1, 1, bias=False).to(np.float64), []
    model.weight.data[...] = start = 0.0

    def loss_of_fresh_points(model, random):
        drawn.append(random.random())
        return F.mse_loss(model(Tensor(np.ones((1, 1)))), np.array([[100.0]]))

    networks.train(model, loss_of_fresh_points, 0.1, 2, seed=4)
    expected = np.random.default_rng(4)
    assert drawn == [expected.random(), expected.random()]
    # the gradient is clipped to -1 both times, so Adam's means are of equal numbers, and its steps 1 (eps = 1e-8)
    assert model.weight.data[0, 0] == pytest.approx(start + 0.1 + 0.05, abs=1e-8)
