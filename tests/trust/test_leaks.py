"""Promise: training for long takes no more memory than training for a while.

After a warm-up, more steps leave the number of live tensors, arrays, tape records, file handles, the bytes in arrays
and in idle buffers as they were, and neither Python's objects nor the memory of the process grow by anything that every
step could have added to.  (``python tests/trust/leaks.py reversible`` takes 5,000 steps.)
"""

import json
import os

import pytest
from trust_support import TRUST, run_script

pytestmark = [pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc"), pytest.mark.slow]
STEPS = 400
MARGINS = {"blocks of memory": 320, "KiB of the process": 2048}
"""What comes and goes by itself: less than one object, or 16 KiB, for each step."""


def counted(*ways):
    return json.loads(run_script(TRUST / "leaks.py", *ways, "--steps", STEPS).stdout)


def grown(before, after):
    return {name for name in before if after[name] > before[name] + MARGINS.get(name, 0)}


def test_nothing_grows_in_training():
    for before, after in counted("reversible", "stored").values():
        assert grown(before, after) == set(), (before, after)
        assert before["idle bytes"] > 0  # buffers were used
        assert before["arrays"] > 20
