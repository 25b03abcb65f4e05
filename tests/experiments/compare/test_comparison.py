"""The main job: small runs of what `python -m mininet compare` does."""

import dataclasses
import json

import numpy as np
import pytest

from mininet.datasets import digits
from mininet.experiments.compare import comparison, report
from mininet.experiments.compare.comparison import Settings, gradient_difference

pytestmark = pytest.mark.slow  # it trains two networks

SMALL = Settings(depth=3, width=6, epochs=2, batch_size=64)


@pytest.fixture(scope="module")
def exact():
    return comparison.compare(SMALL, (2, 20), progress=False)


@pytest.fixture(scope="module")
def in_floats():
    settings = dataclasses.replace(SMALL, arithmetic="float", gamma=0.5, epochs=1, batch_size=1437)
    return comparison.compare(settings, (), progress=False)


def test_exact_runs_are_the_same_to_the_last_bit(exact):
    assert exact.gradient_bits == 0
    assert exact.gradient_relative == 0
    assert exact.weight_bits == 0
    assert exact.runs["stored"].losses == exact.runs["reversible"].losses
    assert exact.runs["stored"].accuracy == exact.runs["reversible"].accuracy
    assert exact.inversion["exact"].is_exact


def test_float_runs_drift_and_say_so(in_floats):
    assert in_floats.gradient_bits > 0
    assert 0 < in_floats.gradient_relative < 0.1
    assert in_floats.weight_bits > 0
    assert not in_floats.inversion["float"].is_exact


def test_training_learns(exact):
    losses = exact.runs["reversible"].losses
    assert len(losses) == 46  # two epochs of 1,437 images in batches of 64
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.1
    assert exact.runs["reversible"].accuracy > 0.2  # guessing gets 0.1


def test_gradients_are_compared_at_the_weights_of_the_given_net():
    settings = Settings(depth=3, width=6, arithmetic="float", gamma=0.5)
    data = digits()
    net = comparison.digits_network(settings.depth, settings.width, settings.gamma, "float", "stored")
    found = []
    for _ in range(2):
        before = net.state_dict()
        found.append(gradient_difference(net, settings, data.train_images[:32], data.train_labels[:32])[1])
        assert all(np.array_equal(array, before[name]) for name, array in net.state_dict().items())
        for parameter in net.parameters():
            parameter.data *= np.float32(1.5)
    assert found[0] != found[1]


def test_memory_by_depth_is_flat_without_stored_activations(exact):
    assert list(exact.memory) == ["stored", "checkpointed", "float", "exact"]
    for method in ("exact", "float"):
        shallow, deep = exact.memory[method]
        assert deep.by_kind["activations"] == shallow.by_kind["activations"]
        assert deep.kept_for_backward == shallow.kept_for_backward


def test_stored_activations_grow_by_what_a_layer_saves(exact):
    # x_n, both convolutions' outputs and the ReLU's, 16 images of 8x8 pixels and 6 channels in float32; and mean and
    # deviation of each channel for both batch norms
    saved_by_a_layer = 4 * (16 * 64 * 6 * 4) + 4 * (6 * 4)
    shallow, deep = exact.memory["stored"]
    assert (
        deep.by_kind["activations"] - shallow.by_kind["activations"]
        == (exact.depths[1] - exact.depths[0]) * saved_by_a_layer
    )


def test_table_and_summary(exact):
    text = report.table(exact)
    assert "0 bits" in text
    assert f"{exact.runs['stored'].accuracy:.4f}" in text
    exact.runs["stored"].losses.append(float("nan"))
    numbers = report.summary(exact)
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    assert numbers["settings"]["depth"] == 3
    assert numbers["gradient_difference_bits"] == 0
    assert numbers["runs"]["stored"]["losses"].pop() is None
