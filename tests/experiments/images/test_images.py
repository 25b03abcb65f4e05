"""Comparing rivals over seeds: what is trained, what is said of it, and the figures."""

import math
import statistics

import numpy as np
import pytest

from mininet import models, plotting
from mininet.experiments.images import images
from mininet.experiments.images.image_training import Settings
from mininet.experiments.images.images import Accuracies, accuracies, claims, draw, table, train_all
from mininet.training import Epoch


def history(accuracy):
    return [Epoch(1.0, 0.5, 0.3, 0.1, 100.0), Epoch(0.5, 0.7, accuracy, 0.0, 100.0)]


HISTORIES = {
    "ResNet-20": [history(0.80), history(0.82), history(0.81)],
    "other": [history(0.81), history(0.80), history(0.83)],
    "worse": [history(0.50), history(0.51), history(0.52)],
}


def test_accuracies():
    found = accuracies(HISTORIES)["other"]
    assert found.values == (0.81, 0.80, 0.83)
    assert found.mean == pytest.approx(0.81333333)
    assert found.deviation == statistics.stdev(found.values)
    assert str(found) == "81.33 ± 1.53 %"
    assert str(Accuracies((0.5,))) == "50.00 %"
    assert math.isnan(Accuracies((0.5,)).deviation)


def test_claims():
    same, different = claims(accuracies(HISTORIES))
    assert str(same) == "holds: other: same accuracy as ResNet-20 (+0.33 points, standard error 1.05)"
    assert not different.holds
    assert str(different).startswith("DOES NOT HOLD: worse: same accuracy as ResNet-20 (-30.00 points")


def test_table_and_figure():
    assert "81.00 ± 1.00 %" in table(HISTORIES)
    assert "(80.00, 82.00, 81.00)" in table(HISTORIES)
    figure = draw(HISTORIES, {"γ = 0.1": [history(0.4)], "γ = 0.5": [history(0.6)]})
    assert len(figure.axes[0].lines) == 9
    assert figure.axes[1].lines[0].get_ydata() == pytest.approx([40, 60])


@pytest.fixture(scope="module")
def split():
    random = np.random.default_rng(0)
    make = [random.integers(0, 256, (32, 8, 8, 3), dtype=np.uint8), np.arange(32) % 10]
    return images.image_training.datasets.Split(*make, *make)


@pytest.mark.slow
def test_every_rival_and_seed_is_trained_once(split, tmp_path, monkeypatch):
    for name, kind in (("resnet20", models.CifarResNet), ("revnet20", models.CifarRevNet)):
        monkeypatch.setattr(models, name, lambda classes, kind=kind: kind(2, classes, width=4))
    monkeypatch.setattr(plotting, "save", lambda figure, path: None)
    settings = Settings(epochs=1, batch_size=16)
    histories = train_all(split, settings, tmp_path, seeds=(0, 1), progress=False)
    assert histories.keys() == images.RIVALS.keys()
    assert [len(by_seed) for by_seed in histories.values()] == [2, 2, 2, 2]
    assert len(list(tmp_path.glob("*/checkpoint.npz"))) == 8
    assert train_all(split, settings, tmp_path, seeds=(0, 1), progress=False) == histories  # times and all: read back
    everything = images.gammas(split, settings, tmp_path, histories, (0.5,), progress=False)
    assert list(everything) == ["γ = 0", "γ = 0.5", "γ = 0.9"]
    assert everything["γ = 0.9"] == histories["Momentum ResNet-20, v₀ = 0"][:1]
