"""Training in shards: the same bits for any number of processes, whatever happens to one of them."""

import contextlib
import importlib.util
import itertools
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher
from reversible_support import assert_same_bits
from support import ROOT, normal

from mininet import manual_seed, nn, optim, sharding
from mininet.datasets import Batches
from mininet.sharding import Shards
from mininet.training import Training

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


def test_shards_are_added_along_a_tree():
    parts = normal((5, 1000), np.float32)
    found = Shards(nn.Tanh(), 5).total(lambda shard: parts[shard])
    assert np.array_equal(found, ((parts[0] + parts[1]) + parts[2]) + (parts[3] + parts[4]))


def test_one_shard_has_the_bits_of_none():
    one, none = small_training(shards=1), small_training(shards=None)
    one.run(), none.run()
    assert_same_bits(one.net.state_dict(), none.net.state_dict())
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
    assert_same_bits(going_on.net.state_dict(), whole.net.state_dict())
    for shards in (4, None):
        with pytest.raises(ValueError, match="from another training"):
            small_training(tmp_path / "half", shards=shards).resume()


def test_more_shards_than_images():
    with pytest.raises(ValueError, match="at most the number of images"):
        small_training(shards=33).run()


def environment(**variables):
    path = os.pathsep.join(map(str, [ROOT, ROOT / "tests/support"]))
    return {**os.environ, "PYTHONPATH": path, **variables}


@pytest.fixture
def started():
    """Starts processes with mpiexec; a test that fails leaves none behind."""
    commands = []

    def start(processes, folder, *arguments, **variables):
        command = [MPIEXEC, "-n", str(processes), sys.executable, __file__, str(folder), *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        commands.append(subprocess.Popen(command, env=environment(**variables), **pipes))
        return commands[-1]

    yield start
    for command in commands:
        if command.poll() is None:
            command.terminate()
            command.communicate()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The weights after 32 steps of one process without mpiexec, and the seconds that it takes on this machine."""
    folder, start = tmp_path_factory.mktemp("alone"), time.monotonic()
    subprocess.run([sys.executable, __file__, str(folder)], env=environment(), check=True)
    return dict(np.load(folder / "weights.npz")), time.monotonic() - start


def output(process, count, folder, alone):
    """What processes print, once all have ended.

    They may take three times as long as one after the other would, but once one is killed no longer than one alone.
    Time in which this process, too, is stopped or waits for a core does not count.
    """
    turns = 10 * alone[1]
    left = 3 * count * turns
    while left > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=0.1)[0]
        left = min(left - 1, turns if (folder / "killed").exists() else left)
    raise AssertionError("the processes did not end")


def assert_trained(process, count, folder, alone):
    printed = output(process, count, folder, alone)
    assert process.returncode == 0, printed
    assert_same_bits(dict(np.load(folder / "weights.npz")), alone[0])


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4, 8])
def test_any_number_of_processes_has_the_bits_of_one(processes, tmp_path, alone, started):
    assert_trained(started(processes, tmp_path), processes, tmp_path, alone)


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "processes", "then"), [("compiling", 2, 1), ("exchanging", 4, 2), ("writing", 2, 4), ("whenever", 4, 3)]
)
def test_a_process_that_is_killed_ends_the_others_and_another_number_goes_on(
    moment, processes, then, tmp_path, alone, started
):
    variables = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")} if moment == "compiling" else {}
    process = started(processes, tmp_path, moment, **variables)
    printed = output(process, processes, tmp_path, alone)
    (tmp_path / "killed").unlink()
    assert process.returncode != 0
    assert "KILLED BY SIGNAL: 9" in printed.upper() or "EXIT CODE: 9" in printed.upper()
    assert_trained(started(then, tmp_path), then, tmp_path, alone)


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("moment", ["failing", "exiting"])
def test_an_error_in_one_process_ends_all(moment, tmp_path, alone, started):
    process = started(2, tmp_path, moment)
    printed = output(process, 2, tmp_path, alone)
    assert process.returncode != 0
    assert "a fault in process 1; this was process 1 of 2, which ends all" in printed


# One of the processes, and what may happen to it


def die():
    (folder / "killed").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def die_later():
    threading.Timer(np.random.default_rng().uniform(0, 1), die).start()  # for which the process waits at its end


def fail():
    raise ValueError("a fault in process 1")


def leave():
    with training.processes.ending_together():
        sys.exit("a fault in process 1")


MOMENTS = {  # in which process what happens before one of so many first calls of what
    "compiling": (0, die, CPUDispatcher, "compile", 1),
    "exchanging": (1, die, sharding, "_wait", 200),
    "writing": (0, die, os, "fsync", 30),
    "failing": (1, fail, Training, "_step", 30),
    "exiting": (1, leave, Training, "_step", 30),
    "whenever": (2, die_later, Training, "_step", 1),
}


def arrange(process, happen, owner, name, calls):
    function, left = getattr(owner, name), itertools.count(-np.random.default_rng().integers(calls))

    def changed(*arguments):
        if next(left) == 0:
            happen()
        return function(*arguments)

    if training.processes.rank == process:
        setattr(owner, name, changed)


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    Training._write_curves = lambda self: None
    training = small_training(folder, checkpoint_seconds=0)
    training.resume()
    for moment in sys.argv[2:]:
        arrange(*MOMENTS[moment])
    training.run()
    if training.processes.rank == 0:
        np.savez(folder / "weights.npz", **training.net.state_dict())
