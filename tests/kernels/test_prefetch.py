"""Prefetching changes nothing but the time."""

import numpy as np
import pytest
from support import assert_unchanged

from mininet.kernels import exact
from mininet.kernels.jit import kernel
from mininet.kernels.prefetch import prefetch


def ask(array, start, count):
    prefetch(array, start, count)


@pytest.mark.parametrize("dtype", [np.float64, np.uint32])
def test_tiny_any_range_may_be_asked_for_and_nothing_changes(dtype):
    compiled, array = kernel(ask), np.arange(10).astype(dtype)
    for start, count in ((3, 4), (5, 100), (-50, 20), (2**40, 10), (4, 0)):
        compiled(array, start, count)
    assert_unchanged([array], [np.arange(10).astype(dtype)])


def test_tiny_every_array_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(exact, "prefetch", lambda *arguments: asked.append(arguments))
    getattr(exact._prefetch_block, "py_func", exact._prefetch_block)("x", "v", "b", "f", "values", 512)
    assert asked == [(array, 512, exact.BLOCK) for array in ("x", "v", "b", "f", "values")]
