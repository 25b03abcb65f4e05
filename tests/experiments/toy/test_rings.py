"""Nested rings: the points, what is measured of networks that separate them, and the verdicts."""

import numpy as np
import pytest
from matplotlib import pyplot

from mininet import MomentumNet, ResidualNet, nn
from mininet.experiments.toy import nested_rings, rings
from mininet.experiments.toy.nested_rings import Result, Run, examine, sample


def test_points_lie_on_their_rings_and_classes_alternate():
    """Ring k between the radii 1.5 k and 1.5 k + 0.6, evenly in radius and angle."""
    x, labels = sample(4, 5000, np.random.default_rng(0))
    assert x.shape == (20_000, 2)
    assert x.dtype == np.float32
    assert labels.reshape(4, 5000).tolist() == [[ring % 2] * 5000 for ring in range(4)]
    radii = np.linalg.norm(x.astype(np.float64), axis=1).reshape(4, 5000)
    for ring, radius in enumerate(radii, start=1):
        assert 1.5 * ring - 1e-5 <= radius.min() < radius.max() <= 1.5 * ring + 0.6 + 1e-5
        # 5 standard errors of the mean of 5,000 uniform numbers: 0.6 / sqrt(12 * 5000) * 5
        assert radius.mean() == pytest.approx(1.5 * ring + 0.3, abs=0.0123)
    angles = np.arctan2(x[:, 1], x[:, 0])
    counts = np.histogram(angles, bins=8, range=(-np.pi, np.pi))[0]
    assert np.abs(counts - 2500).max() < 5 * np.sqrt(20_000 / 8 * 7 / 8)


def still(kind=ResidualNet, **settings):
    """A network whose function is 0, with a linear layer that says 1 right of the vertical axis."""
    function = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    model = nn.Sequential(kind([function] * 15, **settings), nn.Linear(2, 2))
    for parameter in model.parameters():
        parameter.data[...] = 0
    model[1].weight.data[0, 1] = 1.0
    return model


def test_accuracy_is_that_of_the_known_answer():
    """Right of a line x = 2.25 there is nothing of the inner ring, which reaches to 2.1, and part of the outer one."""
    model = still()
    model[1].bias.data[1] = -2.25
    x, labels = sample(2, nested_rings.TEST_POINTS, np.random.default_rng(nested_rings.UNSEEN))
    expected = np.where(x[:, 0] > 2.25, 1, 0)
    assert expected[labels == 0].sum() == 0 < expected[labels == 1].sum()
    assert np.array_equal(nested_rings.classify(model, x), expected)
    assert examine(model, 2).accuracy == np.mean(expected == labels)
    assert examine(still(MomentumNet), 2).least_determinant is None


@pytest.mark.parametrize(("slope", "folds"), [(-0.5, False), (-1.5, True)])
def test_a_resnet_that_mirrors_the_middle_folds(slope, folds):
    """f(x) = (slope tanh(x_1), 0): the determinant is 1 + slope (1 - tanh(x_1)^2), least on the axis x_1 = 0."""
    model = still()
    first, _, second = model[0].functions[0]
    first.weight.data[0, 0], second.weight.data[0, 0] = 1.0, slope
    run = examine(model, 2)
    # of 1,000 points some come within 0.02 of the axis, where tanh^2 < 0.0004
    assert run.least_determinant == pytest.approx(1 + slope, abs=1.5 * 0.0004)
    assert (run.least_determinant < 0) == folds


def test_the_best_learning_rate_is_that_of_the_best_median(monkeypatch):
    given = {0.1: (0.9, 0.2, 0.3), 0.2: (0.5, 0.6, 0.4), 0.3: (0.45, 0.45, 1.0)}
    monkeypatch.setattr(nested_rings, "train", lambda rings, name, rate, steps, seed, label: (rate, seed))
    monkeypatch.setattr(nested_rings, "examine", lambda model, rings: run(given[model[0]][model[1]]))
    found = nested_rings.compare(4, 10, {"ResNet": (0.1, 0.2, 0.3)}, seeds=3)["ResNet"]
    assert (found.learning_rate, found.median, found.accuracies) == (0.2, 0.5, [0.5, 0.6, 0.4])
    assert str(found) == "0.5000 (0.4000 to 0.6000)"


def run(accuracy, determinant=None, model=None):
    return Run(model, accuracy, determinant)


def results(two=0.999, four=0.98, resnet=0.95):
    """With the accuracies of the momentum network on 2 and 4 rings, and of the ResNet on 4, as medians of three."""
    return {
        2: {"ResNet": Result(0.1, (run(0.9, 0.5),) * 3), "Momentum ResNet": Result(0.1, (run(two),) * 3)},
        4: {
            "ResNet": Result(0.1, (run(0.0, -0.5), run(resnet, 0.5), run(1.0, -0.2))),
            "Momentum ResNet": Result(0.1, (run(0.0), run(four), run(1.0))),
        },
    }


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({}, [True, True, True]),
        ({"two": 0.9899}, [False, True, True]),
        ({"four": 0.9699}, [True, False, True]),
        ({"resnet": 0.98}, [True, True, False]),
        ({"resnet": 0.99}, [True, True, False]),
    ],
)
def test_each_claim_can_fail(changes, verdicts):
    assert [claim.holds for claim in rings.claims(results(**changes))] == verdicts


def test_the_table_has_medians_and_counts_folds():
    lines = rings.table(results()).splitlines()
    assert lines[3].split() == ["4", "rings,", "ResNet", "0.9500", "(0.0000", "to", "1.0000)", "0.1", "-0.50"]
    assert lines[4].split()[-1] == "0.1"
    assert lines[5].startswith("2 of 6 ResNets fold the plane")


def test_the_figures_show_all_accuracies_and_the_points_layer_by_layer():
    runs = tuple(run(accuracy, 1.0, still()) for accuracy in (0.1, 0.6, 0.9))
    found = {2: {"ResNet": Result(0.1, runs), "Momentum ResNet": Result(0.1, runs)}}
    summary, layers = rings.draw(found), rings.draw_layers(found)
    assert list(summary.axes[0].lines[0].get_ydata()) == [0.1, 0.6, 0.9]
    assert list(summary.axes[0].lines[1].get_ydata()) == [0.6, 0.6]
    assert "0.600" in summary.axes[1].get_title()
    x, _ = sample(2, 250, np.random.default_rng(nested_rings.UNSEEN))
    for panel in layers.axes:  # nothing moves
        np.testing.assert_allclose(panel.collections[0].get_offsets(), x, rtol=1e-6)
    pyplot.close(summary)
    pyplot.close(layers)
