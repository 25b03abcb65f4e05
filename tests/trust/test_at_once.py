"""Promise: nets may be trained at the same time, and each comes out as it would alone, to the last bit.

In threads of one process: each has its own random numbers (seed them in the thread), recording mode and tape, and they
share mininet's pool of threads.  (A net, an optimiser or a tensor belongs to one thread at a time; `track_memory`
counts for all threads.)  In processes, however they are started: a forked child starts a pool of its own, even if the
parent's was at work.
"""

import multiprocessing

import pytest
from trust_support import TRUST, run_script

METHODS = set(multiprocessing.get_all_start_methods()) - {"forkserver"}  # which forks one that was spawned


@pytest.mark.slow
def test_same_bits_as_one_after_the_other():
    process = run_script(TRUST / "at_once.py", "threads", "threads", *METHODS, timeout=150)
    assert process.stderr == ""
