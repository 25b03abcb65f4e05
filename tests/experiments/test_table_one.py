"""The paper's Table 1: each entry is measured, and compared with what the paper says."""

import numpy as np
import pytest

from mininet import MomentumNet, nn
from mininet.experiments import table_one as measured
from mininet.experiments.table_one import measure_properties
from mininet.reversible import spectral_norm

PAPER = {  # and the two that came later: closed-form inverse, same parameters as the ResNet, unconstrained training
    "ResNet": (False, True, True),
    "checkpointed ResNet": (False, True, True),
    "RevNet": (True, False, True),
    "i-ResNet": (False, True, False),
    "Momentum ResNet": (True, True, True),
    "ResNet, adjoint": (False, True, False),
    "BDIA": (True, True, True),
}


@pytest.fixture(scope="module")
def table():
    found = measured.table_one()
    assert list(found) == list(PAPER)
    return found


@pytest.mark.parametrize("name", PAPER)
def test_the_entries_are_those_of_the_paper(name, table):
    column = table[name]
    assert (column.closed_form_inverse, column.same_parameters, column.unconstrained_training) == PAPER[name]


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


def test_costs():
    """Only the stored network grows by a layer's activations; times are there, not judged."""
    found = {
        name: measured.measure_costs(measured.NETWORKS[name], depth=4, channels=4, size=6, batch_size=3, steps=1)
        for name in ("ResNet", "checkpointed ResNet", "RevNet", "Momentum ResNet", "BDIA")
    }
    array = 3 * 6 * 6 * 4 * 4  # bytes
    assert found["ResNet"].growth_bytes == 2 * array  # x, and tanh
    assert 0 < found["checkpointed ResNet"].growth_bytes < found["ResNet"].growth_bytes
    assert found["BDIA"].growth_bytes == array / 32  # a bit for four bytes
    for name in ("RevNet", "Momentum ResNet"):
        assert found[name].growth_bytes == 0, name
        assert found[name].kept_bytes < found["ResNet"].kept_bytes
    assert all(cost.milliseconds > 0 for cost in found.values())


def test_gradient_errors():
    """Exact arithmetic has none; the neighbour's falls with the depth."""
    for name in ("Momentum ResNet", "RevNet", "BDIA"):
        assert measured.gradient_errors(measured.NETWORKS[name], (5, 10)) == [0, 0], name
    shallow, deep = measured.gradient_errors(measured.NETWORKS["ResNet, adjoint"], (5, 50))
    assert 0 < deep < shallow / 10
