"""What users met: leaves returned by functions, changes between a run and its inversion, what cannot come back."""

import itertools

import numpy as np
import pytest
from reversible_support import INVERTIBLE, MODES, NETWORKS, batch, every_network

from mininet import MomentumNet, Tensor, nn, no_grad
from mininet.kernels.exact import as_fraction

X = batch(3, 4)


class Constant(nn.Module):
    """Returns its own parameter."""

    def __init__(self, features):
        super().__init__()
        self.value = nn.Parameter(np.ones((3, features), np.float32))

    def forward(self, x):
        return self.value


@every_network
def test_functions_may_return_their_own_parameter(kind, arithmetic, backprop):
    net = NETWORKS[kind]([Constant(2 if kind == "RevNet" else 4)] * 2, backprop=backprop)
    net.arithmetic = arithmetic
    x = Tensor(X, requires_grad=True)
    net(x).backward(np.ones_like(X))
    # each layer passes on what arrives: dL/dtheta is 2 for x + f, and 0.1 (1 + 1.9) with gamma = 0.9
    np.testing.assert_allclose(net.functions[0].value.grad, 0.29 if kind == "MomentumNet" else 2)
    assert np.array_equal(x.grad, np.ones_like(X))
    with no_grad():
        net(X)
    net.run(X)
    net.trajectory(X)
    if (kind, arithmetic) in INVERTIBLE:
        net.invert(net.run(X))
        assert net.check_inversion(X).largest_error < 1e-5


@pytest.mark.parametrize(("arithmetic", "backprop"), MODES)
def test_functions_may_return_an_input_or_x(arithmetic, backprop):
    settings = {"gamma": 0.5, "arithmetic": arithmetic, "backprop": backprop}
    extra = Tensor(X, requires_grad=True)
    MomentumNet([lambda x, extra: extra] * 3, **settings)(X, extra).sum().backward()
    np.testing.assert_allclose(extra.grad, 0.5 * (1 + 1.5 + 1.75))
    x = Tensor(X, requires_grad=True)
    net = MomentumNet([nn.Dropout(0.5).eval()], init_velocity=lambda x: x, **settings)
    net(x).sum().backward()  # v_1 = x / 2 + x / 2
    np.testing.assert_allclose(x.grad, 2)


def test_a_run_that_leaves_the_floats_says_so_in_check_inversion():
    net = MomentumNet([lambda x: x * 1e30] * 3, arithmetic="float")
    with pytest.raises(OverflowError, match="layer 0"), np.errstate(over="ignore"):
        net.check_inversion(np.full((2, 2), 1e38, np.float32))
    with pytest.raises(ValueError, match="x must be finite"):
        net.check_inversion(np.full((2, 2), np.nan, np.float32))


def test_the_fraction_of_gamma_keeps_both_errors_small():
    """Together below 1e-7 for a gamma that is no simple fraction; simple fractions stay what they are."""
    for gamma in np.random.default_rng(0).uniform(0.1, 0.9, 50):
        fraction = as_fraction(float(gamma))
        assert abs(fraction - gamma) / min(gamma, 1 - gamma) + fraction.numerator * 2.0**-40 < 1e-7
    for n, d in itertools.product((1, 7, 9, 2499), (2500, 10_000, 50_000)):
        assert as_fraction(n / d) * d == n
