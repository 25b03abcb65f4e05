"""CIFAR-10, with a few random images in its place."""

import numpy as np
import pytest

from mininet import models
from mininet.datasets import Split
from mininet.experiments.accuracy import cifar
from mininet.experiments.claim import Options
from mininet.experiments.images import image_training
from mininet.training import Training

SMALL = {
    "NETWORKS": [("resnet20", None), ("resnet20", 0.5), ("resnet38", None), ("resnet38", 0.5)], "RATES": (0.1, 0.2),
    "CHOOSING_EPOCHS": 1, "EPOCHS": 2, "SEEDS": range(2), "VALIDATION": 16,
}  # fmt: skip


@pytest.mark.slow
def test_rates_are_chosen_then_all_seeds_trained(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (144, 8, 8, 3), dtype=np.uint8), np.arange(144) % 10
    split = Split(images, labels, images[:20], labels[:20])
    loaded, trained_on = [], {}
    train = cifar.train

    def train_and_note(settings, split, *more):
        trained_on[settings.epochs] = len(split.train_images), len(split.test_images)
        return train(settings, split, *more)

    monkeypatch.setattr(cifar, "train", train_and_note)
    monkeypatch.setattr(image_training, "load", lambda name, folder: loaded.append(folder) or split)
    for name, _ in SMALL["NETWORKS"]:
        monkeypatch.setattr(models, name, lambda classes: models.CifarResNet(2, classes, width=4))
    monkeypatch.setattr(Training, "_write_curves", lambda self: None)  # takes longer than the training
    for name, value in SMALL.items():
        monkeypatch.setattr(cifar, name, value)
    assert "0 of 12 trainings" in cifar.reproduce(Options(tmp_path)).text
    assert loaded == []
    report = cifar.reproduce(Options(tmp_path, data=tmp_path))
    text = report.text
    assert "12 of 12 trainings" in text
    assert text.count("2/2") == 4
    (panel,) = report.figures["cifar10"].axes
    assert [label.get_text()[-7:] for label in panel.get_yticklabels()] == ["γ = 0.5", "γ = 0.5"]
    assert report.found.endswith("**not known**: Momentum ResNet-20, γ = 0.5; Momentum ResNet-38, γ = 0.5.")
    assert trained_on == {1: (128, 16), 2: (144, 20)}
    found = cifar.Results(tmp_path / "accuracy", "cifar10", image_training.Settings)
    assert {"validation" in each: settings.epochs for settings, each in found.items()} == {True: 1, False: 2}
    monkeypatch.setattr(cifar, "held_by_a_step", None)
    assert cifar.reproduce(Options(tmp_path, data=tmp_path)).text == text
