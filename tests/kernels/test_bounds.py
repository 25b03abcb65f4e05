"""Compiled kernels stay inside their arrays.

With the JIT off, Python looks after indices (`test_jit.py`); in compiled kernels Numba does with ``make test-bounds``.
Neither sees what talks to LLVM by itself: the vectors of `simd`, which are loaded and stored by address.  For them, the
tests of convolutions use arrays that end where memory without access begins.
"""

import sys

import numba
import pytest
from support import ROOT, run_python

pytestmark = [pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="about compiled kernels"), pytest.mark.slow]

ONE_TOO_FAR = f"""
import sys
sys.path.append({str(ROOT / "tests" / "support")!r})
import numpy as np
from fences import fenced
from mininet.kernels.jit import kernel
from mininet.kernels.simd import combination, lanes
copy_vector = combination([[1]])

@kernel
def copy(source, start, target):
    copy_vector(source, start, 0, target, 0, 0)

size = lanes(np.float32)
source, target = fenced(np.ones(size, np.float32)), np.zeros(size, np.float32)
copy(source, 0, target)
print(target.sum() == size, flush=True)
copy(source, 1, target)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages of memory")
def test_a_fence_notices_one_number_too_far():
    done = run_python("-c", ONE_TOO_FAR)
    assert (done.stdout, done.returncode) == ("True\n", -11), done.stderr
