"""What several test files need: arrays, bounds on rounding errors, Python in a process of its own."""

import os
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
DTYPES = (np.float32, np.float64)


def normal(shape, dtype=np.float64, seed=0):
    """Normally distributed numbers, the same for the same arguments up to rounding."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def strided(array):
    """The same values at every other place of a larger array along every axis, so nowhere contiguous."""
    if array.ndim == 0:
        return array.copy()
    large = np.full(tuple(2 * size for size in array.shape), np.nan, dtype=array.dtype)
    view = large[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def assert_within(actual, expected, bound):
    """|actual - expected| <= bound elementwise, and the same shape; says by how much the worst element is off."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    error = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    excess = error - bound
    assert not np.isnan(error).any(), "NaN"
    assert (excess <= 0).all(), f"error {error.flat[np.argmax(excess)]:.3g} exceeds its bound by {excess.max():.3g}"


def assert_unchanged(arrays, copies):
    """Arrays still hold what they held when `copies` were made, bit for bit (NaN included)."""
    for array, copy in zip(arrays, copies, strict=True):
        assert array.tobytes() == copy.tobytes()


def run_python(*arguments, timeout=120, **environment):
    """Python with this source tree on its path, in a process of its own; returns the completed process."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
