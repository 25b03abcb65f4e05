"""check_inversion: how far x_n and v_n come back from where they were."""

import math

import numpy as np
import pytest
from reversible_support import assert_same_bits, batch, conv_block, engine_modes, every_arithmetic, momentum_net

from mininet import MomentumNet, RevNet, Tensor, manual_seed, nn
from mininet import functional as F
from mininet.reversible import InversionReport
from mininet.seeding import position


@pytest.mark.parametrize("gamma", [0.6, 0.9])
def test_float_errors_grow_like_a_power_of_gamma(gamma):
    """With functions that do not depend on x, each undone layer divides the error of v by gamma, and nothing else."""

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = Tensor(batch(4000, dtype=np.float64))

        def forward(self, x):
            return self.value

    depth = 60
    net = MomentumNet([Constant()] * depth, gamma, arithmetic="float")
    report = net.check_inversion(batch(4000, dtype=np.float64))
    assert not report.is_exact
    # The sum of errors e_k gamma^(n - k) over k > n is ruled by the oldest, the last layers': below layer N - m, newer
    # ones add a share of at most gamma^m per layer to the slope; 30 layers down it is at most 0.9^30 / (1 - 0.9) / 30.
    layers = np.arange(1, depth - 30)
    slope = np.polyfit(layers, np.log(report.velocity_errors[layers]), 1)[0]
    assert slope == pytest.approx(math.log(gamma), rel=gamma**30 / (1 - gamma) / 30 / -math.log(gamma))
    assert report.position_errors[0] > report.position_errors[depth // 2] > 0


def test_the_unit_in_floats_is_the_spacing_at_the_largest_position_of_all_layers():
    """x goes from -4 to 6 and back to 2.25; v is 10 at most."""
    to_six, to_two = (lambda x: 0 * x + 20), (lambda x: 0 * x - 17.5)
    report = MomentumNet([to_six, to_two], 0.5, arithmetic="float").check_inversion(np.full(3, -4, np.float32))
    assert report.unit == 2.0**-21  # floats from 4 to 8 are 2^(2 - 23) apart
    assert np.array_equal(report.position_errors, report.position_units * 2.0**-21)


@every_arithmetic
def test_no_side_effects(arithmetic):
    def block():
        return nn.Sequential(conv_block(), nn.Dropout(0.1))

    net = momentum_net(4, block, start=block, arithmetic=arithmetic)
    statistics = net.state_dict()
    manual_seed(11)
    before = position()
    x = batch(2, 4, 4, 3)
    was = x.copy()
    report = net.check_inversion(x)
    assert position() == before
    assert engine_modes() == (True, False)
    assert_same_bits(net.state_dict(), statistics)
    assert np.array_equal(x, was)
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    # 4 layers undone: of rounding, a few units; a second dropout mask would be 2^20 off
    assert report.largest_units <= (0 if arithmetic == "exact" else 1000)


@every_arithmetic
def test_depth_zero_and_an_empty_batch(arithmetic):
    assert MomentumNet([], arithmetic=arithmetic).check_inversion(batch(5, 4)).is_exact
    report = momentum_net(3, arithmetic=arithmetic).check_inversion(batch(0, 4))
    assert report.is_exact
    assert report.bits == 0
    assert report.unit == (2.0**-40 if arithmetic == "exact" else np.spacing(np.float32(0)))  # as of positions of 0


def test_text():
    exact = str(momentum_net(7).check_inversion(batch(5, 4)))
    assert exact == "every x_n and v_n comes back exactly, 0 bits lost, after 7 layers"
    report = InversionReport(0.25, np.array([3.0, 1, 0]), np.array([2.0, 7, 0]))
    assert str(report) == "x_0 and v_0 come back within 0.75: 3 units of 0.25, 2 bits, after 2 layers"
    assert np.array_equal([report.position_errors, report.velocity_errors], [[0.75, 0.25, 0], [0.5, 1.75, 0]])
    assert not report.is_exact
    infinite = InversionReport(1.0, np.array([np.inf, 0]), np.zeros(2))
    assert infinite.bits == math.inf
    assert "within inf" in str(infinite)


@every_arithmetic
@pytest.mark.parametrize("kind", [MomentumNet, RevNet])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_wrong_way_back_is_measured(depth, kind, arithmetic):
    """The report must be able to say no: a function that is not deterministic does not come back.

    Of one layer of a RevNet that is undone with another f, only a is wrong.
    """
    random = np.random.default_rng(0)
    net = kind([lambda x: x + Tensor(random.standard_normal(x.shape))] * depth, arithmetic=arithmetic)
    report = net.check_inversion(batch(5, 4, dtype=np.float64))
    assert not report.is_exact
    assert report.largest_error > 1e-3


@every_arithmetic
def test_errors_in_units(arithmetic):
    """f is 1 on the way there and 1.25 on the way back: v_1 = 1/2, and v_0 = (1/2 - 1.25/2) / (1/2) = -1/4, not 0."""
    values = iter([1.0, 1.25])
    net = MomentumNet([lambda x: 0 * x + next(values)], 0.5, arithmetic=arithmetic)
    report = net.check_inversion(np.zeros(3, np.float32))
    unit = 2.0**-40 if arithmetic == "exact" else 2.0**-24  # floats from 1/2 to 1 are 2^(-1 - 23) apart
    assert report.unit == unit
    assert report.position_units.tolist() == [0, 0]
    assert report.velocity_units.tolist() == [0.25 / unit, 0]
    assert report.largest_error == 0.25


def test_functions_that_overflow_on_the_way_back_give_no_warning():
    """x comes to rest at 0.79; on the way back it leaves that, until it is infinite, and then x - x is not a number."""
    net = MomentumNet([lambda x: 0.5 - x * x * x + (x - x)] * 100, 0.1, arithmetic="float")
    report = net.check_inversion(np.full(3, 0.5))
    assert report.largest_error == math.inf


def test_bits_by_layer():
    report = momentum_net(20, gamma=0.8, arithmetic="float").check_inversion(batch(5, 4))
    assert report.position_bits.shape == report.velocity_bits.shape == (21,)
    assert report.position_bits[-1] == 0
    assert report.bits == max(report.position_bits[0], report.velocity_bits[0]) > 0
    # n bits: the error is below 2^n units, and not below 2^(n-1)
    assert (report.position_units < 2**report.position_bits).all()
    assert (report.position_units + 1 > 2 ** (report.position_bits - 1)).all()


def test_nothing_can_come_back_from_infinity():
    """An element of x alone becomes infinite."""
    net = MomentumNet([lambda x: 0 * x, lambda x: 0 * x + 3e38], 0.5, arithmetic="float")
    with pytest.raises(OverflowError, match="not finite after layer 1"):
        net.check_inversion(np.array([1, 3e38], np.float32))


def test_v_is_measured_where_x_came_back_infinite():
    """x, up to 1 / (1 - gamma) = 5 times as large as v, is infinite some layers sooner."""
    net = MomentumNet([lambda x, n=n: n * 1e28 * F.tanh(x) for n in range(200)], gamma=0.8, arithmetic="float")
    report = net.check_inversion(np.ones(1, np.float32))
    assert np.isinf(report.position_units).sum() - 1 > np.isinf(report.velocity_units).sum() > 0


def test_nothing_is_evaluated_where_the_way_back_is_infinite():
    def refuses(x):
        if not np.isfinite(x.data).all():
            raise ArithmeticError
        return x * -1.5

    net = MomentumNet([refuses, *[lambda x: x * -1.5] * 300], gamma=0.05, arithmetic="float")
    units = net.check_inversion(np.ones((2, 2), np.float32)).position_units
    assert np.isinf(units[0])
    assert units[-1] == 0
