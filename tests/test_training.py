"""Training goes on to the same bits, whatever interrupted it."""

import csv
import dataclasses

import numpy as np
import pytest
from reversible_support import assert_same_bits
from support import normal

from mininet import manual_seed, nn, optim, seeding
from mininet.datasets import Batches
from mininet.training import CHECKPOINT, CURVES, FIGURE, Epoch, Training, accuracy, confusion

IMAGES, LABELS = normal((60, 5), np.float32), np.arange(60) % 3


def small_training(folder=None, epochs=3, batches=None, **keywords):
    manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3))
    optimizer = optim.SGD(net.parameters(), 0.1, momentum=0.9)
    batches = batches or Batches(IMAGES, LABELS, 8)
    schedule = optim.CosineDecay(optimizer, epochs * len(batches), 2)
    tests = Batches(IMAGES, LABELS, 60, shuffle=False)
    return Training(net, optimizer, schedule, batches, tests, epochs, folder, progress=False, **keywords)


def outcome(training):
    """All that must be equal: weights, the optimiser's memory, random numbers, and what was seen but for the time."""
    arrays = training.net.state_dict() | {
        f"optimizer {k}": np.array(v) for k, v in training.optimizer.state_dict().items()
    }
    arrays["random"] = np.array(seeding.position(), np.uint64)
    arrays["history"] = np.array([dataclasses.astuple(epoch)[:4] for epoch in training.history])
    return arrays


class Stop(Exception):
    pass


class Interrupted(Batches):
    """Raises `Stop` instead of giving the batch with a certain number, counted over all epochs."""

    left = 0

    def of_epoch(self, epoch, first=0):
        for batch in super().of_epoch(epoch, first):
            if self.left == 0:
                raise Stop
            self.left -= 1
            yield batch


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A training that was not interrupted, its folder, and its outcome."""
    folder = tmp_path_factory.mktemp("trained") / "new" / "folder"
    training = small_training(folder)
    training.run()
    return training, folder, outcome(training)


@pytest.mark.parametrize(
    ("done", "checkpoint_seconds"), [(0, 0), (1, 0), (7, 3600), (8, 3600), (9, 3600), (16, 0), (23, 0)]
)
def test_resumed_training_ends_with_the_same_bits(done, checkpoint_seconds, tmp_path, finished, monkeypatch):
    monkeypatch.setattr(Training, "_write_curves", lambda self: None)  # takes longer than training
    batches = Interrupted(IMAGES, LABELS, 8)
    batches.left = done
    with pytest.raises(Stop):
        small_training(tmp_path, batches=batches, checkpoint_seconds=checkpoint_seconds).run()
    resumed = small_training(tmp_path)
    manual_seed(99)  # whatever else was drawn in the meantime
    if resumed.resume():
        assert len(resumed.history) == done // 8
    else:
        assert done == 0 or (checkpoint_seconds and done < 8)
        manual_seed(0)
        resumed = small_training(tmp_path)
    resumed.run()
    assert_same_bits(outcome(resumed), finished[2])


def test_a_finished_training_stays_finished_and_has_its_files(finished):
    training, folder, expected = finished
    again = small_training(folder)
    assert again.resume()
    again.run()
    assert_same_bits(outcome(again), expected)
    history = training.history
    assert sorted(path.name for path in folder.iterdir()) == sorted([CHECKPOINT, CURVES, FIGURE])
    with open(folder / CURVES, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row.pop("epoch")) for row in rows] == [1, 2, 3]
    assert [Epoch(**{name: float(value) for name, value in row.items()}) for row in rows] == history
    assert all(epoch.images_per_second > 0 for epoch in history)
    assert history[-1].learning_rate < history[0].learning_rate


def test_history_is_right():
    training = small_training(epochs=1)
    (epoch,) = training.run()
    assert 0.5 < epoch.loss < 2
    assert epoch.test_accuracy == accuracy(training.net, training.test_batches)
    right = training.net.eval()(IMAGES).data.argmax(axis=1) == LABELS
    assert epoch.test_accuracy == right.mean()


def test_confusion_counts_by_true_and_predicted_class():
    training = small_training()
    training.net[2].eval()
    found = confusion(training.net, training.test_batches, 3)
    assert training.net.training
    assert not training.net[2].training
    pairs = list(zip(LABELS, training.net.eval()(IMAGES).data.argmax(axis=1), strict=True))
    assert found.tolist() == [[pairs.count((true, predicted)) for predicted in range(3)] for true in range(3)]
    assert found.trace() / len(LABELS) == accuracy(training.net, training.test_batches)


def test_no_checkpoint_to_resume(tmp_path):
    assert not small_training(tmp_path).resume()
    assert not small_training(tmp_path / "missing").resume()


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    small_training(tmp_path, epochs=1, description={"network": "a", "rate": 0.1}).save()
    assert small_training(tmp_path, epochs=1, description={"rate": 0.1, "network": "a"}).resume()
    with pytest.raises(ValueError, match="is from another training"):
        small_training(tmp_path, epochs=1, description={"network": "b", "rate": 0.1}).resume()


def test_divergence_is_reported_and_the_checkpoint_is_from_before(tmp_path):
    training = small_training(tmp_path, epochs=2)
    training.net[0].weight.data[0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="the loss is nan in epoch 1"):
        training.run()
    assert not list(tmp_path.glob("*.npz"))
