"""CIFAR-10, with a few random images in its place."""

import dataclasses
import json

import numpy as np
import pytest

from mininet import models
from mininet.datasets import Split
from mininet.experiments.accuracy import cifar
from mininet.experiments.claim import Options
from mininet.experiments.images import image_training
from mininet.training import Training

SMALL = {
    "GAMMAS": (None, 0.5), "RATES": (0.1, 0.2), "CHOOSING_EPOCHS": 1, "EPOCHS": 2, "SEEDS": range(2), "VALIDATION": 16,
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
    for name in cifar.NETWORKS:
        monkeypatch.setattr(models, name, lambda classes: models.CifarResNet(2, classes, width=4))
    monkeypatch.setattr(Training, "_write_curves", lambda self: None)  # takes longer than the training
    for name, value in SMALL.items():
        monkeypatch.setattr(cifar, name, value)
    assert "0 of 12 trainings" in cifar.reproduce(Options(tmp_path)).text
    assert loaded == []
    text = cifar.reproduce(Options(tmp_path, data=tmp_path)).text
    assert "12 of 12 trainings" in text
    assert text.count("2/2") == 4
    assert trained_on == {1: (128, 16), 2: (144, 20)}
    found = cifar.Results(tmp_path / "accuracy")
    assert {"validation" in each: settings.epochs for settings, each in found.items()} == {True: 1, False: 2}
    monkeypatch.setattr(cifar, "held_by_a_step", None)
    assert cifar.reproduce(Options(tmp_path, data=tmp_path)).text == text


def test_both_networks_take_the_rate_that_is_best_for_their_gamma(tmp_path):
    folder = tmp_path / "accuracy"
    folder.mkdir()
    validation = {None: (0.6, 0.8, 0.7), 0.5: (0.9, 0.8, 0.7), 0.9: (0.6, 0.7, 0.8)}
    lag = {"resnet20": {None: 0, 0.5: 0.001, 0.9: -0.03}, "resnet38": {None: 0.02, 0.5: 0.02, 0.9: 0.05}}

    def write(settings, **more):
        result = {"settings": dataclasses.asdict(settings), "peak_bytes": 2**20, "seconds": 60, "date": "2026-01-02"}
        result |= {"machine": {"processor": "P", "architecture": "A"}} | more
        (folder / f"{cifar.name(settings)}.json").write_text(json.dumps(result))

    for gamma, scores in validation.items():
        for settings, score in zip(cifar.choosing(gamma), scores, strict=True):
            write(settings, validation={"accuracy": score})
    found = cifar.Results(folder)
    for network, by_gamma in lag.items():
        for gamma, more in by_gamma.items():
            for settings in found.final(network, gamma):
                write(settings, test={"accuracy": 0.8 + more + 0.001 * settings.seed})
    report = cifar.reproduce(Options(tmp_path, train=False))
    rates = [line.split("  0.")[1].split()[0] for line in report.text.splitlines() if "3/3" in line]
    assert rates == ["1", "05", "2", "1", "05", "2"]
    assert report.found.endswith(
        "**equal**: Momentum ResNet-20, γ = 0.5; Momentum ResNet-38, γ = 0.5. "
        "**worse**: Momentum ResNet-20, γ = 0.9. **better**: Momentum ResNet-38, γ = 0.9."
    )
    assert [claim.holds for claim in report.claims] == [True, False, True, True]
    assert "27 of 27 trainings are finished; 9 of the 27 choose rates." in report.text
