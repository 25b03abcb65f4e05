"""Training in shards: the same bits for any number of processes, whatever happens to one of them."""

import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support import ROOT, normal

from mininet import manual_seed, nn, optim
from mininet.datasets import Batches
from mininet.sharding import Shards
from mininet.training import CHECKPOINT, Training

MPIEXEC = pathlib.Path(sys.executable).with_name("mpiexec")
needs_mpi = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or not MPIEXEC.exists(),
    reason="needs the extra mpi: pip install -e '.[mpi]'",
)


def small_training(folder=None, shards=8, epochs=4, plain=False, **keywords):
    """32 steps, with batch norm and dropout."""
    manual_seed(0)
    middle = [nn.Tanh()] if plain else [nn.BatchNorm2d(8), nn.Tanh(), nn.Dropout(0.2)]
    net = nn.Sequential(nn.Linear(5, 8), *middle, nn.Linear(8, 3))
    optimizer = optim.SGD(net.parameters(), 0.1, momentum=0.9)
    batches = Batches(normal((256, 5), np.float32), np.arange(256) % 3, 32)
    tests = Batches(normal((60, 5), np.float32), np.arange(60) % 3, 60, shuffle=False)
    return Training(net, optimizer, None, batches, tests, epochs, folder, progress=False, shards=shards, **keywords)


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name


def test_shards_are_added_along_a_tree():
    parts = normal((5, 1000), np.float32)
    found = Shards(nn.Tanh(), 5).total(lambda shard: parts[shard])
    assert np.array_equal(found, ((parts[0] + parts[1]) + parts[2]) + (parts[3] + parts[4]))


def test_one_shard_has_the_bits_of_none():
    one, none = small_training(shards=1), small_training(shards=None)
    one.run(), none.run()
    assert_same(one.net.state_dict(), none.net.state_dict())
    assert [epoch.loss for epoch in one.history] == [epoch.loss for epoch in none.history]


def test_what_shards_compute():
    """Without batch norm and dropout, the gradient of the whole batch, up to the rounding of sums of 32."""
    states = []
    for shards in (None, 3, 8):
        training = small_training(shards=shards, epochs=1, plain=True)
        training.run()
        states.append(training.net.state_dict())
    for name, array in states[0].items():
        for state in states[1:]:
            np.testing.assert_allclose(state[name], array, rtol=1e-4, atol=1e-5)


def test_statistics_and_random_numbers_belong_to_shards(tmp_path):
    whole = small_training(tmp_path / "whole")
    whole.run()
    state = whole.shards.state_dict()
    assert len(np.unique(state["1.running_mean"], axis=0)) == len(np.unique(state["positions"], axis=0)) == 8
    np.testing.assert_allclose(whole.net[1].running_mean, state["1.running_mean"].mean(axis=0), rtol=1e-5, atol=1e-6)
    half = small_training(tmp_path / "half", epochs=2)
    half.run()
    going_on = small_training(tmp_path / "half")
    assert going_on.resume()
    going_on.run()
    assert_same(going_on.net.state_dict(), whole.net.state_dict())
    for shards in (4, None):
        with pytest.raises(ValueError, match="from another training"):
            small_training(tmp_path / "half", shards=shards).resume()


@pytest.mark.parametrize(("shards", "says"), [(0, "shards must be"), (33, "at most the number of images")])
def test_impossible_shards(shards, says):
    with pytest.raises(ValueError, match=says):
        small_training(shards=shards).run()


@pytest.fixture
def started():
    """Starts processes with mpiexec; a test that fails leaves none behind."""
    commands = []

    def start(processes, folder, *arguments):
        command = [MPIEXEC, "-n", str(processes), sys.executable, __file__, str(folder), *arguments]
        path = os.pathsep.join(map(str, [ROOT, ROOT / "tests/support"]))
        environment = {**os.environ, "PYTHONPATH": path}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        commands.append(subprocess.Popen(command, env=environment, **pipes))
        return commands[-1]

    yield start
    for command in commands:
        if command.poll() is None:
            command.terminate()
            command.communicate()


@pytest.fixture(scope="module")
def finished():
    """The weights after 32 steps of one process without mpiexec."""
    training = small_training()
    training.run()
    return training.net.state_dict()


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_any_number_of_processes_has_the_bits_of_one(processes, tmp_path, finished, started):
    process = started(processes, tmp_path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert_same(dict(np.load(tmp_path / "weights.npz")), finished)


@needs_mpi
@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_and_another_number_goes_on(tmp_path, finished, started):
    process = started(4, tmp_path, "slowly")
    while not (tmp_path / CHECKPOINT).exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    os.kill(int((tmp_path / "pid.2").read_text()), signal.SIGKILL)
    killed = time.monotonic()
    out, errors = process.communicate(timeout=60)
    assert time.monotonic() - killed < 10
    assert process.returncode != 0
    assert "KILLED BY SIGNAL: 9" in (out + errors).upper() or "EXIT CODE: 9" in (out + errors).upper()
    process = started(3, tmp_path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert_same(dict(np.load(tmp_path / "weights.npz")), finished)


@needs_mpi
@pytest.mark.slow
def test_an_error_in_one_process_ends_all(tmp_path, started):
    process = started(2, tmp_path, "failing")
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "a fault in process 1; this was process 1 of 2, which ends all" in errors


if __name__ == "__main__":  # one of the processes
    folder, how = pathlib.Path(sys.argv[1]), sys.argv[2:]
    Training._write_curves = lambda self: None
    training = small_training(folder, checkpoint_seconds=0)
    rank = training.processes.rank
    (folder / f"pid.{rank}").write_text(str(os.getpid()))
    with training.processes.ending_together():
        training.resume()
        step = training._step

        def slow_step(images, labels):
            time.sleep(0.05 if "slowly" in how else 0)
            if "failing" in how and rank == 1:
                raise ValueError("a fault in process 1")
            step(images, labels)

        training._step = slow_step
        training.run()
    if rank == 0:
        np.savez(folder / "weights.npz", **training.net.state_dict())
