"""The order of trainings, and which learning rate is chosen."""

import dataclasses
import json

import pytest

from mininet.experiments.accuracy import plan
from mininet.experiments.accuracy.digits_training import Settings
from mininet.experiments.accuracy.plan import Results, choosing, helped, trainings


def write(folder, settings, accuracy, loss=0.1):
    score = {"accuracy": accuracy, "loss": loss}
    result = {"settings": dataclasses.asdict(settings), "validation": score, "test": score}
    (folder / f"{settings.name}.json").write_text(json.dumps(result))


def test_the_rate_of_best_validation(tmp_path):
    network = Settings("momentum", 30, 0.9)
    for training in choosing([network]):
        assert Results(tmp_path).rate(network) is None
        write(tmp_path, training, {0.03: 0.9, 0.1: 0.95, 0.3: 0.95}[training.learning_rate], 1 - training.learning_rate)
    found = Results(tmp_path)
    assert found.rate(network) == 0.3  # as accurate as 0.1, at a lower loss
    assert found.rate(dataclasses.replace(network, depth=100)) == plan.RATE_OF_DEEP
    assert found.rate(dataclasses.replace(network, depth=5)) is None
    write(tmp_path, dataclasses.replace(network, learning_rate=0.3, seed=7), 0.8)
    assert list(Results(tmp_path).of(network)) == [0, 1, 2, 7]


def test_remedies():
    by_end, by_mean, by_depth = helped(2)
    assert by_end.scale == pytest.approx(1 / 0.19)
    assert by_mean.scale == pytest.approx(1 / 0.145)
    assert (by_depth.gamma, by_depth.scale) == (0.5, 1)


def test_everything_planned_is_trained(tmp_path):
    """And the order may depend on results that are written on the way."""
    for training in trainings(tmp_path):
        write(tmp_path, training, 0.9)
    found = Results(tmp_path)
    assert {network: len(found.of(network)) for network in plan.PLAN} == plan.PLAN


def test_what_has_a_result_is_not_trained_again(tmp_path, monkeypatch, capsys):
    trained = []

    def train(settings, folder):
        trained.append(settings)
        return {"test": {"accuracy": 1.0}, "seconds": 2.0}

    monkeypatch.setattr(plan, "train", train)
    first, second = Settings("resnet", 1), Settings("resnet", 2)
    write(tmp_path, first, 0.9)
    plan.run([first, second], tmp_path, progress=True)
    assert trained == [second]
    assert "digits-resnet-2-rate0.1-epochs15-seed0: 1.0000" in capsys.readouterr().out
