"""Compiling kernels, where it can be cached, where it cannot, and not at all."""

import re

import numba
import numpy as np
import pytest
from support import run_python

from mininet.kernels.jit import kernel


def double(array):
    for i in range(len(array)):
        array[i] *= 2


def test_tiny_kernels_are_compiled_unless_the_jit_is_off():
    compiled = kernel(double)
    assert hasattr(compiled, "py_func") != bool(numba.config.DISABLE_JIT)
    array = np.arange(3.0)
    compiled(array)
    assert array.tolist() == [0, 2, 4]


def test_kernels_release_the_lock_and_keep_the_order_of_operations(monkeypatch):
    seen = {}
    monkeypatch.setattr(numba, "njit", lambda **options: seen.update(options) or (lambda function: function))
    kernel(double)
    assert seen["nogil"] is True
    assert not seen.get("fastmath", False)
    assert not seen.get("parallel", False)


@pytest.mark.slow
def test_kernels_pass_their_tests_in_plain_python():
    """With the JIT off a kernel is the Python that one reads, with overflow and index checks of its own.

    All kernel tests called `test_tiny_...` are small enough for that.
    """
    process = run_python(
        *("-m", "pytest", "tests/kernels", "-k", "test_tiny", "-p", "no:cacheprovider", "-o", "addopts="),
        *("--import-mode=importlib", "-q", "-W", "ignore:invalid value encountered:RuntimeWarning"),
        *("-W", "ignore:overflow encountered:RuntimeWarning"),
        NUMBA_DISABLE_JIT="1",
    )
    assert process.returncode == 0, process.stdout + process.stderr
    passed = re.search(r"(\d+) passed", process.stdout)
    assert int(passed[1]) > 400
