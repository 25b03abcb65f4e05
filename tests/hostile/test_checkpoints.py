"""Damaged and hostile checkpoints: training goes on from all of one, or from nothing of it."""

import io
import json
import os

import numpy as np
import pytest
from hostile_support import Harmful, disguised, face, limits, mutants, same
from support import normal

from mininet import manual_seed, nn, optim, seeding
from mininet.datasets import Batches
from mininet.training import CHECKPOINT, Training

IMAGES, LABELS = normal((12, 3), np.float32), np.arange(12) % 2


def training(folder, seed=0, optimizer=optim.SGD):
    manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.2), nn.Linear(2, 2))
    keywords = {"momentum": 0.9} if optimizer is optim.SGD else {}
    optimizer = optimizer(net.parameters(), 0.1, **keywords)
    batches = Batches(IMAGES, LABELS, 4)
    schedule = optim.CosineDecay(optimizer, 9, 2)
    return Training(net, optimizer, schedule, batches, Batches(IMAGES, LABELS, 12, shuffle=False), 3, folder,
                    description={"seed": 0}, progress=False)  # fmt: skip


def outcome(one):
    """All that a checkpoint brings back."""
    arrays = one.net.state_dict() | {f"optimizer {k}": np.array(v) for k, v in one.optimizer.state_dict().items()}
    arrays |= {f"schedule {name}": np.array(value) for name, value in one.schedule.state_dict().items()}
    epoch = one._steps, one._loss, one._right, one._seen, one._seconds
    return arrays | {"random": np.array(seeding.position(), np.uint64), "history": np.array(repr(one.history)),
                     "epoch": np.array(repr(epoch))}  # fmt: skip


@pytest.fixture(params=[optim.SGD, optim.Adam], ids=["SGD", "Adam"])
def interrupted(request, tmp_path):
    """A training and the path of its checkpoint, written in the middle of the second epoch; and one to resume."""
    one = training(tmp_path, 0, request.param)
    for _ in range(3):
        one._step(IMAGES[:4], LABELS[:4])
    one._end_epoch()
    one._step(IMAGES[4:8], LABELS[4:8])
    one.save()
    expected = outcome(one)
    return training(tmp_path, 1, request.param), tmp_path / CHECKPOINT, expected


def reader(one):
    """Resumes, gives the outcome, and puts everything back; refused, it must not have changed anything."""
    before = outcome(one)
    states = one.net.state_dict(), one.optimizer.state_dict(), one.schedule.state_dict(), seeding.position()
    epoch = one._steps, one._loss, one._right, one._seen, one._seconds

    def read():
        try:
            assert one.resume()
        except Exception:
            if not same(outcome(one), before):
                raise AssertionError("refused, but something has changed") from None
            raise
        found = outcome(one)
        for part, state in zip((one.net, one.optimizer, one.schedule), states[:3], strict=True):
            part.load_state_dict(state)
        seeding.restore(states[3])
        one.history = []
        one._steps, one._loss, one._right, one._seen, one._seconds = epoch
        return found

    return read


def test_damaged_checkpoints(interrupted):
    one, path, expected = interrupted
    read = reader(one)
    assert same(read(), expected)
    read_well, tried = face(path, mutants(path.read_bytes(), 7), read, lambda found, _: same(found, expected))
    assert 0 < read_well < tried / 2


def test_hostile_checkpoints(interrupted):
    one, path, _ = interrupted
    marker = path.parent / "was_run"
    with np.load(path) as stored:
        arrays = dict(stored)
    read = reader(one)
    names = [name for name in arrays if not name.startswith("optimizer.")]
    changes = [{name: None} for name in [*names, "optimizer.lr"]]
    values = [
        np.array("text"), np.array("9" * 50), np.array(""), np.array(-1.0), np.array(-1), np.array(np.nan),
        np.array(np.inf), np.array(1e300), np.zeros(3), np.zeros((0, 0)), np.array(True), np.zeros((2, 2, 2)),
        np.array(["a", "b"]), np.array(2**63, np.uint64), np.array("[" * 100_000), np.array("{}"), np.array("null"),
    ]  # fmt: skip
    changes += [{name: value} for name in arrays for value in values]
    # an epoch of so many batches, loss, right, seen and seconds; there are three batches
    for epoch in ((4, 1, 1, 8, 1), (-1, 1, 1, 8, 1), (1.5, 1, 1, 8, 1), (1e18, 1, 1, 8, 1), (1, np.nan, 1, 8, 1),
                  (1, 1, 9, 8, 1), (1, 1, -1, 8, 1), (1, 1, 1, np.inf, 1), (1, 1, 1, 8, np.inf)):  # fmt: skip
        changes.append({"epoch": np.array(epoch, float)})
    changes += [{"history": np.zeros((2, 4))}, {"history": np.zeros((2, 6))}, {"history": np.zeros((1, 5), int)}]
    others = ("more", "net.more", "net.0", "optimizer.0.more", "optimizer.9.velocity", "optimizer.-1.velocity")
    changes += [{name: np.zeros(3)} for name in (*others, "schedule.more", ".", "net.", "other.0")]
    changes += [{"description": np.array(json.dumps(value))} for value in ([2, {"seed": 0}], [1, {"seed": 1}], [1], 1)]
    changes.append({"net.0.weight": np.array([Harmful(marker)], object)})
    cases = [(f"{change}", npz(arrays | change)) for change in changes if not may_be(change, arrays)]
    cases += disguised(marker)
    assert face(path, cases, read, lambda *_: False, (ValueError,), least=100) == (0, len(cases))
    assert not marker.exists()


def npz(arrays):
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file.getvalue()


def may_be(change, arrays):
    """Whether a training could have written the one changed array of a checkpoint."""
    ((name, value),) = change.items()
    if value is None or name not in arrays:
        return False
    if name in ("random.seed", "random.draw"):
        return value.dtype == arrays[name].dtype
    if name in ("optimizer.lr", "schedule.initial_lr", "schedule.steps") or name.endswith(".steps"):
        counts = name.endswith("steps")
        return value.ndim == 0 and value.dtype.kind in ("iub" if counts else "fiub") and 0 <= value < np.inf
    return False


def test_a_place_that_is_no_file(tmp_path, no_file):
    if os.path.lexists(no_file):
        no_file.rename(tmp_path / CHECKPOINT)
    one = training(tmp_path)
    before = outcome(one)
    if os.path.exists(tmp_path / CHECKPOINT):
        with limits(), pytest.raises((OSError, ValueError), match=CHECKPOINT):
            one.resume()
    else:  # a link to nowhere is as good as none
        assert not one.resume()
    assert same(outcome(one), before)
