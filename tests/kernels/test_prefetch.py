"""Prefetching changes nothing but the time; where it happens, it must be in the machine code."""

import numba
import numpy as np
import pytest
from support import assert_unchanged

from mininet.kernels import exact
from mininet.kernels.jit import kernel
from mininet.kernels.prefetch import prefetch


def ask(array, start, count):
    prefetch(array, start, count)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint32, np.uint8])
@pytest.mark.parametrize(("start", "count"), [(0, 10), (3, 4), (5, 100), (1000, 64), (-50, 20), (2**40, 10), (4, 0)])
def test_tiny_any_range_may_be_asked_for_and_nothing_changes(dtype, start, count):
    array = np.arange(10).astype(dtype)
    kernel(ask)(array, start, count)
    assert_unchanged([array], [np.arange(10).astype(dtype)])


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="looks at compiled code")
@pytest.mark.parametrize("function", [exact._step, exact._undo_both])
def test_exact_steps_ask_for_memory(function):
    x, v, b, f = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4, np.uint32), np.zeros(4, np.float32)
    compiled = numba.njit(function.py_func)
    bad = (np.zeros(1, np.int64),) if function is exact._step else ()
    compiled(x, v, b, f, f.copy(), exact._ratio(9, 10), 1.0, *bad, 0, 4)
    (code,) = compiled.inspect_llvm().values()
    assert "llvm.prefetch" in code


def test_tiny_every_array_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(exact, "prefetch", lambda *arguments: asked.append(arguments))
    getattr(exact._prefetch_block, "py_func", exact._prefetch_block)("x", "v", "b", "f", "values", 512)
    assert asked == [(array, 512, exact.BLOCK) for array in ("x", "v", "b", "f", "values")]
