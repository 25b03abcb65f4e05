"""Compiled kernels stay inside their arrays.

Numba looks after indices if ``NUMBA_BOUNDSCHECK=1``: here for some kernels, and with ``make test-bounds`` for all tests
of the kernels and their callers.  It does not see what talks to LLVM by itself: the vectors of `simd`, which are loaded
and stored by address.  For them, the tests of convolutions use arrays that end where memory without access begins.
"""

import sys

import numba
import pytest
from support import ROOT, run_python

pytestmark = [pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="about compiled kernels"), pytest.mark.slow]

CHECKED = """
import numpy as np
from mininet.kernels.jit import kernel

@kernel
def element(array, index):
    return array[index]

try:
    element(np.zeros(3), 3)
except IndexError:
    print("indices are checked")
"""
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


def test_no_index_is_out_of_bounds(tmp_path):
    checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert run_python("-c", CHECKED, **checked).stdout == "indices are checked\n"
    names = ["exact", "momentum", "remainders", "pooling"]
    files = [f"tests/kernels/test_{name}.py" for name in names]
    options = ["-k", "test_tiny", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--import-mode=importlib"]
    done = run_python("-m", "pytest", *files, *options, timeout=600, **checked)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages of memory")
def test_a_fence_notices_one_number_too_far():
    done = run_python("-c", ONE_TOO_FAR)
    assert (done.stdout, done.returncode) == ("True\n", -11), done.stderr
