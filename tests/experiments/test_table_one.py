"""The paper's Table 1: each entry is measured, and compared with what the paper says."""

import numpy as np
import pytest
from reversible_support import assert_same_bits, batch

from mininet import IResNet, MomentumNet, ResidualNet, RevNet, Tensor, nn
from mininet.experiments import table_one as measured
from mininet.experiments.table_one import (
    CONTRACTIVE,
    EXPANDING,
    NETWORKS,
    CountedFunction,
    formatted,
    functions_of_slope,
    measure_properties,
    table_one,
)
from mininet.reversible import spectral_norm
from mininet.seeding import position

PAPER = {  # closed-form inverse, same parameters as the ResNet, unconstrained training
    "ResNet": (False, True, True),
    "checkpointed ResNet": (False, True, True),
    "RevNet": (True, False, True),
    "i-ResNet": (False, True, False),
    "Momentum ResNet": (True, True, True),
}


@pytest.fixture(scope="module")
def table():
    return table_one()


def test_the_table_has_every_network(table):
    assert list(table) == list(NETWORKS) == list(PAPER)


@pytest.mark.parametrize("name", PAPER)
def test_the_entries_are_those_of_the_paper(name, table):
    column = table[name]
    assert (column.closed_form_inverse, column.same_parameters, column.unconstrained_training) == PAPER[name]


def test_the_momentum_net_alone_has_all_three(table):
    everything = [name for name, column in table.items() if column.closed_form_inverse and column.same_parameters
                  and column.unconstrained_training]  # fmt: skip
    assert everything == ["Momentum ResNet"]


def test_text(table):
    lines = formatted(table).splitlines()
    assert lines[0].split("  ")[-1] == "Momentum ResNet"
    assert [line.split()[-1] for line in lines[1:]] == ["yes", "yes", "yes"]
    assert lines[3].split() == ["unconstrained", "training", "yes", "yes", "yes", "no", "yes"]


def test_measuring_draws_no_random_numbers_and_repeats():
    before = position()
    first = measure_properties(MomentumNet)
    assert position() == before
    assert measure_properties(MomentumNet) == first


@pytest.mark.parametrize("slope", [CONTRACTIVE, EXPANDING])
def test_functions_have_the_slope_they_are_said_to_have(slope):
    for function in functions_of_slope(slope, 8):
        assert np.linalg.norm(function.inner[0].weight.data, 2) == pytest.approx(slope, rel=1e-3)
        direction = np.linalg.svd(function.inner[0].weight.data)[0][:, 0]
        step = 1e-6 * direction[None]
        assert np.linalg.norm(function(Tensor(step)).data) == pytest.approx(slope * 1e-6, rel=1e-3)
    assert spectral_norm(function.inner[0]) == pytest.approx(slope, rel=1e-3)


# Each property can be missed


def test_an_inverse_that_takes_more_evaluations_is_not_closed():
    class Twice(MomentumNet):
        def invert(self, state, /, *inputs, **keywords):
            self.run(np.zeros((16, 8)))
            return super().invert(state, *inputs, **keywords)

    assert not measure_properties(Twice).closed_form_inverse


def test_parameters_of_its_own_are_not_the_same():
    def build(functions):
        return MomentumNet(functions, init_velocity=nn.Sequential(nn.Linear(8, 8), nn.Tanh()).to(np.float64))

    assert measure_properties(MomentumNet).same_parameters
    assert not measure_properties(build).same_parameters


def test_what_does_not_come_back_is_constrained():
    class Forgetful(MomentumNet):
        def invert(self, state, /, *inputs, **keywords):
            x0, v0 = super().invert(state, *inputs, **keywords)
            slopes = [spectral_norm(function.inner[0]) for function in self.functions]
            return (x0 + 1 if max(slopes) > 1 else x0), v0

    found = measure_properties(Forgetful)
    assert found.closed_form_inverse
    assert not found.unconstrained_training


def test_wrong_gradients_are_no_training():
    class Wrong(MomentumNet):
        def forward(self, x, /, *inputs, **keywords):
            y = super().forward(x, *inputs, **keywords)
            return y * 2.0 if self.backprop == "reversible" else y

    assert not measure_properties(Wrong).unconstrained_training


# The entries by hand, once


@pytest.mark.parametrize("build", [RevNet, MomentumNet])
def test_one_evaluation_for_each_undone_layer(build):
    functions = functions_of_slope(EXPANDING, 4 if build is RevNet else 8)
    net = build(functions)
    state = net.run(batch(16, 8, dtype=np.float64))
    assert [function.evaluations for function in functions] == [1] * len(functions)
    net.invert(state)
    assert [function.evaluations for function in functions] == [2] * len(functions)


@pytest.mark.parametrize("build", [IResNet, MomentumNet])
def test_the_weights_of_a_residual_network_can_be_loaded(build):
    plain = ResidualNet([CountedFunction(CONTRACTIVE, 8) for _ in range(3)])
    net = build([CountedFunction(CONTRACTIVE, 8) for _ in range(3)])
    net.load_state_dict(plain.state_dict())
    assert_same_bits(net.state_dict(), plain.state_dict())
    assert net(batch(16, 8, dtype=np.float64)).shape == (16, 8)


def test_those_of_a_revnet_are_others():
    plain = ResidualNet([CountedFunction(CONTRACTIVE, 8)])
    with pytest.raises(ValueError, match="8 features"):
        RevNet(plain.functions)(batch(16, 8, dtype=np.float64))
    net = RevNet([CountedFunction(CONTRACTIVE, 4)])
    assert net(batch(16, 8, dtype=np.float64)).shape == (16, 8)
    with pytest.raises(ValueError, match="has shape"):
        net.load_state_dict(plain.state_dict())


def test_costs():
    """Only the stored network grows by a layer's activations; times are there, not judged."""
    found = {
        name: measured.measure_costs(build, depth=8, channels=4, size=6, batch_size=3, steps=1)
        for name, build in NETWORKS.items()
    }
    array = 3 * 6 * 6 * 4 * 4  # bytes
    assert found["ResNet"].growth_bytes == 2 * array  # x, and tanh
    assert 0 < found["checkpointed ResNet"].growth_bytes < found["ResNet"].growth_bytes
    for name in ("RevNet", "i-ResNet", "Momentum ResNet"):
        assert found[name].growth_bytes == 0, name
        assert found[name].kept_bytes < found["ResNet"].kept_bytes
    assert all(cost.milliseconds > 0 for cost in found.values())
    lines = measured.formatted_costs(found).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == list(NETWORKS)
