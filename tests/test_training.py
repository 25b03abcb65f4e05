"""Training goes on to the same bits, whatever interrupted it."""

import csv
import dataclasses
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support import ROOT, normal

from mininet import manual_seed, nn, optim, seeding
from mininet.datasets import Batches
from mininet.training import CHECKPOINT, CURVES, FIGURE, Epoch, Training, accuracy, confusion, draw_curves

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
    arrays = training.net.state_dict() | {f"optimizer {k}": v for k, v in training.optimizer.state_dict().items()}
    arrays["random"] = np.array(seeding.position(), np.uint64)
    arrays["history"] = np.array([dataclasses.astuple(epoch)[:4] for epoch in training.history])
    return arrays


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name


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


@pytest.mark.parametrize("checkpoint_seconds", [0, 3600])
@pytest.mark.parametrize("done", [0, 1, 5, 7, 8, 9, 16, 23])
def test_resumed_training_ends_with_the_same_bits(done, checkpoint_seconds, tmp_path):
    whole = small_training()
    whole.run()
    expected = outcome(whole)
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
    assert_same(outcome(resumed), expected)


def test_a_finished_training_stays_finished(tmp_path):
    training = small_training(tmp_path)
    training.run()
    expected = outcome(training)
    again = small_training(tmp_path)
    assert again.resume()
    again.run()
    assert_same(outcome(again), expected)


def test_files(tmp_path):
    training = small_training(tmp_path / "new" / "folder")
    history = training.run()
    folder = tmp_path / "new" / "folder"
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
    found = confusion(training.net, training.test_batches, 3)
    pairs = list(zip(LABELS, training.net.eval()(IMAGES).data.argmax(axis=1), strict=True))
    assert found.tolist() == [[pairs.count((true, predicted)) for predicted in range(3)] for true in range(3)]
    assert found.trace() / len(LABELS) == accuracy(training.net, training.test_batches)


def test_accuracy_leaves_the_modes_alone():
    training = small_training()
    training.net.train()
    training.net[2].eval()
    accuracy(training.net, training.test_batches)
    assert training.net.training
    assert not training.net[2].training


def test_no_checkpoint_to_resume(tmp_path):
    assert not small_training(tmp_path).resume()
    assert not small_training(tmp_path / "missing").resume()


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    small_training(tmp_path, epochs=1, description={"network": "a", "rate": 0.1}).run()
    assert small_training(tmp_path, epochs=1, description={"rate": 0.1, "network": "a"}).resume()
    with pytest.raises(ValueError, match="is from another training"):
        small_training(tmp_path, epochs=1, description={"network": "b", "rate": 0.1}).resume()


def test_damaged_checkpoints_are_refused(tmp_path):
    small_training(tmp_path, epochs=1).run()
    content = (tmp_path / CHECKPOINT).read_bytes()
    for broken in (b"", content[: len(content) // 2], b"x" * 1000):
        (tmp_path / CHECKPOINT).write_bytes(broken)
        with pytest.raises(ValueError, match=r"is not a whole \.npz file"):
            small_training(tmp_path, epochs=1).resume()
    np.savez(tmp_path / CHECKPOINT, description=np.array(json.dumps([1, {}])))
    with pytest.raises(ValueError, match="is not a whole checkpoint"):
        small_training(tmp_path, epochs=1).resume()


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    for name in (".checkpoint-abc.npz", ".curves-abc.csv", ".curves-abc.png"):
        (tmp_path / name).write_bytes(b"half")
    mine = tmp_path / ".curves-of-mine.txt"
    mine.write_text("whole")
    assert not small_training(tmp_path).resume()
    assert list(tmp_path.iterdir()) == [mine]


def test_divergence_is_reported_and_the_checkpoint_is_from_before(tmp_path):
    training = small_training(tmp_path, epochs=2)
    training.net[0].weight.data[0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="the loss is nan in epoch 1"):
        training.run()
    assert not list(tmp_path.glob("*.npz"))


def test_curves_of_several_trainings():
    history = [Epoch(1.0, 0.5, 0.5, 0.1, 100.0)] * 2
    figure = draw_curves({"a": history, "b": history})
    assert [line.get_label() for line in figure.axes[0].lines] == ["a", "b"]
    assert all(axes.get_xlabel() == "epoch" for axes in figure.axes)


TRAIN = ["-m", "mininet", "train", "--network", "resnet20", "--gamma", "0.9", "--dataset", "digits", "--epochs", "2",
         "--batch-size", "128", "--quiet", "--checkpoint-seconds", "0"]  # fmt: skip


def arrays_of(folder):
    with np.load(folder / CHECKPOINT) as arrays:
        found = dict(arrays)
    found["history"], found["epoch"] = found["history"][:, :4], found["epoch"][:4]  # without times
    return found


@pytest.mark.slow
def test_killed_at_five_random_moments(tmp_path):
    """SIGKILL, which no program can prepare for, and `--resume`, until it is done; then once more, up to five kills."""
    command = [sys.executable, *TRAIN, "--output"]
    start = time.monotonic()
    subprocess.run([*command, tmp_path / "whole"], cwd=ROOT, check=True, capture_output=True)
    duration = time.monotonic() - start
    random = np.random.default_rng()
    folder, kills = tmp_path / "killed 0", 0
    while kills < 5:
        process = subprocess.Popen([*command, folder, "--resume"], cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            assert process.wait(random.uniform(0.2, 0.8) * duration) == 0
            assert_same(arrays_of(folder), arrays_of(tmp_path / "whole"))
            duration *= 0.8  # the machine may have been busier at first
            folder = tmp_path / f"killed {kills}"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    subprocess.run([*command, folder, "--resume"], cwd=ROOT, check=True, capture_output=True)
    assert_same(arrays_of(folder), arrays_of(tmp_path / "whole"))
