"""Promise: the same seed gives the same bits.

On one machine and with one version of mininet, NumPy and Numba, the weights, the optimiser's memory, the losses and the
accuracies of a training do not depend on the run, the number of threads, Python's hash seed, where the machine code
came from (compiled now, read from a cache, no cache at all), kills and resumptions, or on whether it ran in a notebook,
from the command line or in a script.
"""

import random
import time

import nbclient
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from support import ROOT
from trust_support import HANG, TRUST, files_below, run_script, started_script

from mininet import models
from mininet.experiments import image_training
from mininet.training import CHECKPOINT

SCRIPT = TRUST / "fifty_steps.py"
KILLED_IN_EPOCH = 2  # of five


def read(path):
    """(what must be equal, facts of the run)"""
    with np.load(path) as arrays:
        everything = dict(arrays)
    facts = {name.removeprefix("run: "): everything.pop(name) for name in list(everything) if name.startswith("run: ")}
    return everything, facts


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name].dtype == theirs[name].dtype, name
        assert np.array_equal(ours[name], theirs[name]), name


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("expected") / "one_thread.npz"
    run_script(SCRIPT, path, MININET_NUM_THREADS=1, PYTHONHASHSEED=0)
    arrays, facts = read(path)
    assert facts == {"threads": 1, "shares handed over": 0}
    for name in ("SGD", "Adam"):
        assert arrays[f"{name}: losses"].shape == (50,)
        assert np.isfinite(arrays[f"{name}: losses"]).all()
        assert len(np.unique(arrays[f"{name}: losses"])) == 50
    return arrays


def test_another_run(expected, tmp_path):
    run_script(SCRIPT, tmp_path / "again.npz", MININET_NUM_THREADS=1, PYTHONHASHSEED=1)
    assert_same(read(tmp_path / "again.npz")[0], expected)


@pytest.mark.parametrize("count", [2, 3])
def test_more_threads(expected, count, tmp_path):
    run_script(SCRIPT, tmp_path / "found.npz", MININET_NUM_THREADS=count)
    arrays, facts = read(tmp_path / "found.npz")
    assert facts == {"threads": count, "shares handed over": 1}  # batches are large enough for two
    assert_same(arrays, expected)


@pytest.mark.slow
def test_machine_code_compiled_now_or_read_from_the_cache(expected, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    run_script(SCRIPT, tmp_path / "cold.npz", NUMBA_CACHE_DIR=cache, MININET_NUM_THREADS=2)
    compiled = {name: (cache / name).stat().st_mtime_ns for name in files_below(cache)}
    assert sum(name.endswith(".nbc") for name in compiled) > 20
    run_script(SCRIPT, tmp_path / "warm.npz", NUMBA_CACHE_DIR=cache, MININET_NUM_THREADS=2)
    assert {name: (cache / name).stat().st_mtime_ns for name in files_below(cache)} == compiled  # nothing was new
    assert_same(read(tmp_path / "cold.npz")[0], expected)
    assert_same(read(tmp_path / "warm.npz")[0], expected)


def test_killed_and_resumed(expected, tmp_path):
    """SIGKILL somewhere in a step, once with each optimiser; there is a checkpoint after every step."""
    for name in ("SGD", "Adam"):
        with started_script(SCRIPT, tmp_path / "killed.npz", tmp_path) as process:
            wait_for_epoch(tmp_path / name / CHECKPOINT, process)
            time.sleep(random.uniform(0, 0.05))
            process.kill()
        assert process.returncode < 0
        assert not (tmp_path / "killed.npz").exists()
    run_script(SCRIPT, tmp_path / "resumed.npz", tmp_path)
    losses = {name: array for name, array in expected.items() if not name.endswith("losses")}  # those of one process
    assert_same(read(tmp_path / "resumed.npz")[0], losses)
    assert files_below(tmp_path / "SGD") == ["checkpoint.npz", "curves.csv", "curves.png"]


def wait_for_epoch(checkpoint, process):
    """Wait until a training has come to the epoch `KILLED_IN_EPOCH`; while it lasts, every checkpoint can be read."""
    end = time.monotonic() + HANG
    while time.monotonic() < end:
        if checkpoint.exists() and len(np.load(checkpoint)["history"]) >= KILLED_IN_EPOCH:
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    pytest.fail("the training hangs")


def test_in_a_notebook(expected, tmp_path):
    cells = [
        f"import sys\nsys.path[:0] = [{str(ROOT)!r}, {str(TRUST)!r}]",
        "%matplotlib inline\nimport fifty_steps",
        f"fifty_steps.main({str(tmp_path / 'found.npz')!r})",
    ]
    notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=HANG, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert_same(read(tmp_path / "found.npz")[0], expected)


def test_from_the_command_line_and_from_python(tmp_path):
    """51 steps of a Momentum ResNet-20: every parameter, every number of the checkpoint but for times, the weights."""
    options = ["--dataset", "digits", "--gamma", "0.9", "--epochs", "1", "--batch-size", "28", "--seed", "5", "--quiet"]
    run_script("-m", "mininet", "train", *options, "--output", tmp_path / "command")
    settings = image_training.Settings(dataset="digits", gamma=0.9, epochs=1, batch_size=28, seed=5)
    split = image_training.load("digits")
    training = image_training.training(settings, split, tmp_path / "python", progress=False)
    assert len(training.batches) == 51
    training.run()
    command, python = (read(tmp_path / folder / CHECKPOINT)[0] for folder in ("command", "python"))
    for arrays in (command, python):
        arrays["history"] = arrays["history"][:, :4]  # without images per second
    assert_same(command, python)
    models.save_pytorch_state_dict(models.to_residual(training.net), tmp_path / "weights.npz")
    assert_same(read(tmp_path / "weights.npz")[0], read(tmp_path / "command" / "weights.npz")[0])
