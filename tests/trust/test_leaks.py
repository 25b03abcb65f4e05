"""Promise: training for long takes no more memory than training for a while.

After 300 steps, 5,000 more leave the number of live tensors, arrays, tape records and slots, the bytes in them, in idle
buffers and of the whole process within 1 % of what they were.  So do 1,000 with the other ways of backpropagation.
"""

import contextlib
import json
import os

import pytest
from trust_support import HANG, TRUST, run_script, started_script

SCRIPT = TRUST / "leaks.py"
pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")


def grown(before, after):
    """What has become more than 1 % more; of objects, where 1 % is many, also 500 more."""
    assert before.keys() == after.keys()
    return {name for name in before if after[name] > most(name, before[name])}


def most(name, count):
    return min(1.01 * count, count + 500) if name in ("tracked objects", "blocks of memory") else 1.01 * count


STEPS = {"reversible": 5000, "stored": 1000, "checkpointed": 1000}


@pytest.fixture(scope="module")
def trained():
    """What was counted, by way of backpropagation; they are trained at the same time."""
    with contextlib.ExitStack() as stack:
        running = {
            way: stack.enter_context(started_script(SCRIPT, "train", way, "--steps", steps))
            for way, steps in STEPS.items()
        }
        outputs = {way: process.communicate(timeout=3 * HANG) for way, process in running.items()}
    assert all(process.returncode == 0 for process in running.values()), outputs
    return {way: json.loads(output)[way] for way, (output, _) in outputs.items()}


@pytest.mark.slow
@pytest.mark.parametrize("way", STEPS)
def test_nothing_grows_over_thousands_of_steps(trained, way):
    before, after = trained[way]
    assert grown(before, after) == set(), (before, after)
    for exact in ("tensors", "records", "slots"):
        assert after[exact] == before[exact]
    assert before["idle bytes"] > 0  # buffers were used
    assert before["arrays"] > 20


LEAKS = {
    "nothing": set(),
    "tensor": {"tensors", "arrays", "bytes in arrays", "blocks of memory", "tracked objects"},
    "tape": {"records", "slots", "blocks of memory", "tracked objects"},
    "array": {"arrays", "bytes in arrays", "blocks of memory"},
    "idle buffer": {"idle bytes", "arrays", "bytes in arrays", "blocks of memory", "KiB of the process"},
    "object": {"blocks of memory"},
    "cycle": {"tracked objects", "blocks of memory"},
    "bytes of C": {"KiB of the process"},
    "file handle": {"file handles"},
}
"""What must be found if one thing of a kind is kept at each step, in any case."""


@pytest.fixture(scope="module")
def found():
    return json.loads(run_script(SCRIPT, "leak", *LEAKS).stdout)


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_is_found(found, kind):
    seen = grown(*found[kind])
    assert seen >= LEAKS[kind], found[kind]
    assert seen or kind == "nothing"
    if kind == "nothing":
        assert seen == set(), found[kind]
