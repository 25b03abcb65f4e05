"""Compiled kernels stay inside their arrays.

Numba looks after indices if ``NUMBA_BOUNDSCHECK=1``: here for calls of every kernel and for the table of misuse,
and with ``make test-bounds`` for all tests of the kernels and their callers.  It does not see what talks to LLVM by
itself: the vectors of `simd`, which are loaded and stored by address.  For them, arrays end and begin where memory
without access begins and ends.  (Besides, `flags` has arrays of one element each, and `prefetch` may ask for what lies
outside: `test_prefetch` does.)
"""

import signal
import sys

import numba
import pytest
from support import ROOT, run_python

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="about compiled kernels")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages of memory")

START = f"import sys; sys.path[:0] = [{str(ROOT / 'tests')!r}, {str(ROOT / 'tests' / 'support')!r}]\n"

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
from kernel_calls import call_every_kernel
call_every_kernel(images=(1, 9, 60))  # wide, for there to be few kernels to compile
print("all inside")
"""

FENCED = """
from fences import fenced, fenced_buffers
from kernel_calls import call_every_kernel
with fenced_buffers({at_end}):
    call_every_kernel(lambda array: fenced(array, {at_end}))
print("all inside")
"""

ONE_TOO_FAR = """
import numpy as np
from fences import fenced
from mininet.kernels.jit import kernel
from mininet.kernels.simd import combination, lanes
copy_vector = combination([[1]])

@kernel
def copy(source, start, target):
    copy_vector(source, start, 0, target, 0, 0)

size = lanes(np.float32)
source, target = fenced(np.ones(size, np.float32), {at_end}), np.zeros(size, np.float32)
copy(source, 0, target)
print(target.sum() == size, flush=True)
copy(source, {step}, target)
print("not noticed")
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Environment variables for kernels that check their indices, with a folder of their own for the machine code."""
    return {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("kernels"))}


@pytest.mark.slow
def test_no_index_is_out_of_bounds(checked):
    done = run_python("-c", START + CHECKED, timeout=600, **checked)
    assert done.stdout.splitlines() == ["indices are checked", "all inside"], done.stderr


@pytest.mark.slow
def test_no_misuse_comes_to_an_index_out_of_bounds(checked):
    table = str(ROOT / "tests" / "misuse")
    done = run_python("-m", "pytest", "-q", table, "-k", "refused or works", timeout=600, **checked)
    assert done.returncode == 0, done.stdout


@linux_only
@pytest.mark.parametrize("at_end", [True, False])
def test_vectors_stay_inside_fences(at_end):
    done = run_python("-c", START + FENCED.format(at_end=at_end), timeout=600)
    assert done.stdout == "all inside\n", done.stderr


@linux_only
@pytest.mark.parametrize(("at_end", "step"), [(True, 1), (False, -1)])
def test_a_fence_notices_one_number_too_far(at_end, step):
    done = run_python("-c", START + ONE_TOO_FAR.format(at_end=at_end, step=step))
    assert done.stdout == "True\n"
    assert done.returncode == -signal.SIGSEGV
