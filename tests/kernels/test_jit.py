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


def test_where_nothing_can_be_cached_a_kernel_is_compiled_all_the_same(monkeypatch):
    njit, requests = numba.njit, []

    def without_cache(*arguments, cache=False, **options):
        requests.append((cache, options))
        if cache:
            raise RuntimeError("cannot cache function 'double': no locator available for file '<string>'")
        return njit(*arguments, **options)

    monkeypatch.setattr(numba, "njit", without_cache)
    array = np.arange(3.0)
    kernel(double)(array)
    assert array.tolist() == [0, 2, 4]
    (first_cached, first), (second_cached, second) = requests
    assert (first_cached, second_cached) == (True, False)
    assert first == second  # nothing but the cache is given up


def test_kernels_release_the_lock_and_keep_the_order_of_operations(monkeypatch):
    seen = {}
    monkeypatch.setattr(numba, "njit", lambda **options: seen.update(options) or (lambda function: function))
    kernel(double)
    assert seen["nogil"] is True
    assert not seen.get("fastmath", False)
    assert not seen.get("parallel", False)


def test_division_by_zero_is_floating_point_not_an_error():
    @kernel
    def divide(a, b):
        return a / b

    with np.errstate(all="ignore"):
        assert divide(np.float64(1), np.float64(0)) == np.inf


@pytest.mark.slow
def test_kernels_pass_their_tests_in_plain_python():
    """With the JIT off a kernel is the Python that one reads, with overflow and index checks of its own.

    All kernel tests called `test_tiny_...` are small enough for that.
    """
    process = run_python(
        *("-m", "pytest", "tests/kernels", "-k", "test_tiny", "-p", "no:cacheprovider", "-o", "addopts="),
        *("--import-mode=importlib", "-q"),
        NUMBA_DISABLE_JIT="1",
    )
    assert process.returncode == 0, process.stdout + process.stderr
    passed = re.search(r"(\d+) passed", process.stdout)
    assert int(passed[1]) > 1000
