"""Promise: the same seed gives the same bits.

On one machine and with one version of mininet, NumPy and Numba, the weights, the optimiser's memory, the losses and the
accuracies of a training do not depend on the run, the number of threads, Python's hash seed, where the machine code
came from (`test_no_cache.py`), or on kills and resumptions.
"""

import signal

import numpy as np
import pytest
from reversible_support import assert_same_bits
from support import run_python
from trust_support import HANG, TRUST, files_below, run_script

SCRIPT = TRUST / "few_steps.py"
pytestmark = pytest.mark.slow


def read(path):
    """(what must be equal, facts of the run)"""
    with np.load(path) as arrays:
        everything = dict(arrays)
    facts = {name.removeprefix("run: "): everything.pop(name) for name in list(everything) if name.startswith("run: ")}
    return everything, facts


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("expected") / "one_thread.npz"
    run_script(SCRIPT, path, MININET_NUM_THREADS=1, PYTHONHASHSEED=0)
    arrays, facts = read(path)
    assert facts["threads"].tolist() == [1, 0]
    assert len(np.unique(facts["losses"])) == 8
    assert np.isfinite(facts["losses"]).all()
    return arrays, facts["losses"]


def test_another_run_with_more_threads_and_another_hash_seed(expected, tmp_path):
    run_script(SCRIPT, tmp_path / "found.npz", MININET_NUM_THREADS=3, PYTHONHASHSEED=1)
    arrays, facts = read(tmp_path / "found.npz")
    assert facts["threads"].tolist() == [3, 2]  # batches are large enough for three
    assert np.array_equal(facts["losses"], expected[1])
    assert_same_bits(arrays, expected[0])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills itself")
def test_killed_and_resumed(expected, tmp_path):
    folder = tmp_path / "training"
    process = run_python(SCRIPT, tmp_path / "killed.npz", folder, 6, timeout=HANG)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.npz").exists()
    run_script(SCRIPT, tmp_path / "resumed.npz", folder)
    arrays, facts = read(tmp_path / "resumed.npz")
    assert_same_bits(arrays, expected[0])
    assert len(facts["losses"]) == 3  # of the sixth step nothing was kept
    assert files_below(folder) == ["checkpoint.npz", "curves.csv", "curves.png"]
