"""Damaged and hostile checkpoints: training goes on from all of one, or from nothing of it."""

import json

import numpy as np
import pytest
from hostile_support import Harmful, disguised, face, mutants, npz, same, unchanged_if_refused
from support import normal

from mininet import manual_seed, nn, optim, seeding
from mininet.datasets import Batches
from mininet.training import CHECKPOINT, Training

IMAGES, LABELS = normal((12, 3), np.float32), np.arange(12) % 2


def training(folder, seed):
    manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.2), nn.Linear(2, 2))
    optimizer = optim.SGD(net.parameters(), 0.1, 0.9)
    schedule = optim.CosineDecay(optimizer, 9, 2)
    batches, tests = Batches(IMAGES, LABELS, 4), Batches(IMAGES, LABELS, 12, shuffle=False)
    return Training(net, optimizer, schedule, batches, tests, 3, folder, description={"seed": 0}, progress=False)


def outcome(one):
    """All that a checkpoint brings back."""
    arrays = one.net.state_dict() | {f"optimizer {k}": np.array(v) for k, v in one.optimizer.state_dict().items()}
    arrays |= {f"schedule {name}": np.array(value) for name, value in one.schedule.state_dict().items()}
    epoch = one._steps, one._loss, one._right, one._seen, one._seconds
    return arrays | {"random": np.array(seeding.position(), np.uint64), "history": np.array(repr((one.history, epoch)))}


@pytest.fixture
def interrupted(tmp_path):
    """A reader of the checkpoint, its path, in the middle of the second epoch, and what is to come back."""
    one = training(tmp_path, 0)
    for _ in range(3):
        one._step(IMAGES[:4], LABELS[:4])
    one._end_epoch()
    one._step(IMAGES[4:8], LABELS[4:8])
    one.save()
    expected = outcome(one)

    def read():
        other = training(tmp_path, 1)
        assert unchanged_if_refused(other.resume, lambda: outcome(other))()
        return outcome(other)

    return read, tmp_path / CHECKPOINT, (tmp_path / CHECKPOINT).read_bytes(), expected


def test_damaged_checkpoints(interrupted):
    read, path, whole, expected = interrupted
    cases = [("whole", whole), *mutants(whole, 7)]
    read_well, tried = face(path, cases, read, lambda found, _: same(found, expected))
    assert 1 < read_well < tried / 2


def test_hostile_checkpoints(interrupted):
    read, path, _, _ = interrupted
    marker = path.parent / "was_run"
    with np.load(path) as stored:
        arrays = dict(stored)
    changes = [{name: None} for name in arrays if name == "optimizer.lr" or not name.startswith("optimizer.")]
    values = (np.array("text"), np.array(-1.0), np.array(np.nan), np.zeros(3), np.array(2**63, np.uint64))
    changes += [{name: value} for name in arrays for value in values]
    # an epoch of so many batches, loss, right, seen and seconds; there are three batches
    for epoch in ((4, 1, 1, 8, 1), (-1, 1, 1, 8, 1), (1.5, 1, 1, 8, 1), (1, np.nan, 1, 8, 1), (1, 1, 9, 8, 1),
                  (1, 1, -1, 8, 1), (1, 1, 1, np.inf, 1), (1, 1, 1, 8, np.inf)):  # fmt: skip
        changes.append({"epoch": np.array(epoch, float)})
    changes += [{"history": np.zeros((2, 4))}, {"history": np.zeros((1, 5), int)}]
    others = ("more", "net.more", "net.0", "optimizer.0.more", "optimizer.9.velocity", "optimizer.-1.velocity")
    changes += [{name: np.zeros(3)} for name in (*others, "schedule.more", ".", "net.", "other.0")]
    descriptions = [json.dumps(value) for value in ([2, {"seed": 0}], [1, {"seed": 1}], [1], 1)]
    changes += [{"description": np.array(text)} for text in (*descriptions, "[" * 100_000)]
    changes.append({"net.0.weight": np.array([Harmful(marker)], object)})
    cases = [
        (f"{change}", npz(**{name: array for name, array in (arrays | change).items() if array is not None}))
        for change in changes
        if not may_be(change, arrays)
    ]
    cases += disguised(marker)
    assert face(path, cases, read) == (0, len(cases))
    assert not marker.exists()


def may_be(change, arrays):
    """Whether a training could have written the one changed array of a checkpoint."""
    ((name, value),) = change.items()
    numbers = (".lr", ".initial_lr", ".steps", "random.seed", "random.draw")
    return value is not None and name in arrays and name.endswith(numbers) and value.dtype == np.uint64
