"""Comparing rivals over seeds: what is trained, what is said of it, and the figures."""

import numpy as np
import pytest

from mininet import models
from mininet.datasets import Split
from mininet.experiments.accuracy import cifar, images
from mininet.experiments.accuracy.images import claims, draw, table
from mininet.experiments.claim import Options
from mininet.experiments.images import image_training
from mininet.training import Training


def gave(accuracy):
    """What a training of two epochs gave."""
    return {"loss": [1.0, 0.5], "test_accuracy": [0.3, accuracy], "test": {"accuracy": accuracy}}


FOUND = {
    "ResNet-20": [gave(0.80), gave(0.82), gave(0.81)],
    "equal": [gave(0.801), gave(0.818), gave(0.811)],
    "other": [gave(0.81), gave(0.80), gave(0.83)],
    "worse": [gave(0.50), gave(0.51), gave(0.52)],
    "better": [gave(0.90), gave(0.93), gave(0.91)],
}


def test_claims():
    equal, other, worse, better = claims(FOUND)
    assert str(equal) == (
        "holds: equal: the accuracy of ResNet-20, within one point or better "
        "(+0.00 points, 90 % interval -0.29 to +0.29)"
    )
    assert [each.holds for each in (other, worse, better)] == [False, False, True]
    assert worse.evidence.startswith("-30.00 points")


def test_table_and_figure():
    first, *_ = table(FOUND).splitlines()
    assert first == f"{'ResNet-20':34}    81.00 ± 1.00 %   (80.00, 82.00, 81.00)   training loss 0.500"
    figure = draw(FOUND, {"γ = 0.1": [gave(0.4)], "γ = 0.5": [gave(0.6)]})
    assert len(figure.axes[0].lines) == 15
    assert figure.axes[1].lines[0].get_ydata() == pytest.approx([40, 60])


@pytest.mark.slow
def test_every_rival_and_seed_is_trained_once(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    make = [random.integers(0, 256, (32, 8, 8, 3), dtype=np.uint8), np.arange(32) % 10]
    for name, kind in (("resnet20", models.CifarResNet), ("revnet20", models.CifarRevNet)):
        monkeypatch.setattr(models, name, lambda classes, kind=kind: kind(2, classes, width=4))
    monkeypatch.setattr(Training, "_write_curves", lambda self: None)  # takes longer than the training
    monkeypatch.setattr(image_training, "load_for", lambda options, name: Split(*make, *make))
    monkeypatch.setattr(images, "GAMMAS", (0, 0.5, 0.9))
    settings = image_training.Settings(epochs=1, batch_size=16)
    monkeypatch.setattr(image_training, "settings_for", lambda options, epochs: settings)
    report = images.reproduce(Options(tmp_path, seeds=2))
    assert [line.split("  ")[0] for line in report.text.splitlines()] == [*images.RIVALS, "γ = 0", "γ = 0.5", "γ = 0.9"]
    assert len(report.claims) == 3
    assert len(list((tmp_path / "images").glob("cifar10-*/checkpoint.npz"))) == 9
    monkeypatch.setattr(cifar, "held_by_a_step", None)
    assert images.reproduce(Options(tmp_path, seeds=2)).text == report.text
