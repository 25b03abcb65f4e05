"""What several test files need: arrays, bounds on rounding errors, Python in a process of its own."""

import contextlib
import math
import os
import pathlib
import subprocess
import sys
import unittest.mock

import numpy as np
from fences import fenced

from mininet.kernels import buffers
from mininet.kernels.convolution import convolve_gradients_reference, convolve_reference

ROOT = pathlib.Path(__file__).resolve().parents[2]
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


def in_float64(x, w, gradient, stride, padding):
    """(out, dL/dx, dL/dw) of a convolution, tap by tap; a negative padding leaves pixels out.

    For arrays that are too large for the loops of `convolve_reference`, which it is tested against.
    """
    x, w, gradient = (array.astype(np.float64) for array in (x, w, gradient))
    count, height, width, k = gradient.shape
    room = [(max(0, p), max(0, p)) for p in padding]
    padded = np.pad(x, ((0, 0), *room, (0, 0)))
    cut = [max(0, -p) for p in padding]
    out, dw, d_padded = np.zeros((count, height, width, k)), np.zeros(w.shape), np.zeros(padded.shape)
    for ky, kx in np.ndindex(w.shape[:2]):
        rows = slice(cut[0] + ky, cut[0] + ky + (height - 1) * stride[0] + 1, stride[0])
        columns = slice(cut[1] + kx, cut[1] + kx + (width - 1) * stride[1] + 1, stride[1])
        out += padded[:, rows, columns] @ w[ky, kx]
        dw[ky, kx] = np.tensordot(padded[:, rows, columns], gradient, axes=([0, 1, 2], [0, 1, 2]))
        d_padded[:, rows, columns] += gradient @ w[ky, kx].T
    return out, d_padded[:, room[0][0] :, room[1][0] :][:, : x.shape[1], : x.shape[2]], dw


def convolution_arrays(x_shape, w_shape, stride, padding, dtype):
    """Images, weights and dL/dout."""
    size = ((x_shape[1 + i] + 2 * padding[i] - w_shape[i]) // stride[i] + 1 for i in (0, 1))
    gradient_shape = (x_shape[0], *size, w_shape[3])
    return normal(x_shape, dtype, 1), normal(w_shape, dtype, 2), normal(gradient_shape, dtype, 3)


def product_bounds(x, w, gradient, stride, padding):
    """By how much (out, dL/dx, dL/dw) may be off if all products are added up, in any order, fused or not.

    A sum of K products is off by at most K eps/2 (1 + K eps) times the sum of their absolute values, which is what the
    definition gives for absolute values.  K eps leaves a factor of 2: for the definition's own errors, if it is taken
    in the same precision.
    """
    sizes = in_float64(*(np.abs(array) for array in (x, w, gradient)), stride, padding)
    terms = np.prod(w.shape[:3]), np.prod(w.shape[:2]) * w.shape[3], np.prod(gradient.shape[:3])
    return [int(count) * np.finfo(x.dtype).eps * size for count, size in zip(terms, sizes, strict=True)]


def by_definition(x, w, gradient, stride, padding):
    """(out, dL/dx, dL/dw) of a convolution by the loops of the definition."""
    return convolve_reference(x, w, stride, padding), *convolve_gradients_reference(x, w, gradient, stride, padding)


def check_convolution(compute, case, dtype, expect=in_float64, bounds=product_bounds):
    """What ``compute(x, w, gradient, stride, padding)`` gives, None for what it cannot do, of a case: shapes, stride,
    padding.  It stays inside its arrays, which it leaves as they were.
    """
    arrays = [fenced(array) for array in convolution_arrays(*case, dtype)]
    copies = [array.copy() for array in arrays]
    with guarded_buffers():
        found = compute(*arrays, *case[2:])
    assert_unchanged(arrays, copies)
    expected = expect(*(array.astype(np.float64) for array in arrays), *case[2:])
    for one, other, bound in zip(found, expected, bounds(*arrays, *case[2:]), strict=True):
        if one is not None:
            assert one.dtype == dtype
            assert_within(one, other, bound)
            assert not any(np.shares_memory(one, array) for array in arrays)


def verdicts(claims):
    """Which of an experiment's claims hold."""
    return [claim.holds for claim in claims]


@contextlib.contextmanager
def guarded_buffers():
    """Buffers begin as NaN, so that what is read without having been written shows, and nobody writes beside them."""
    empty, guard, guarded = buffers.empty, 1024, []

    def with_guards(shape, dtype, kind="transient"):
        shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        size = math.prod(shape)
        whole = empty(size + 2 * guard, dtype, kind)
        whole.fill(12345)
        array = whole[guard : guard + size]
        array.fill(np.nan)
        guarded.append(whole)
        return array.reshape(shape)

    with unittest.mock.patch.object(buffers, "empty", with_guards):
        yield
    for whole in guarded:
        assert (whole[:guard] == 12345).all()
        assert (whole[-guard:] == 12345).all()


def run_python(*arguments, timeout=120, folder=ROOT, **environment):
    """Python with this source tree on its path, in a process of its own; returns the completed process."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={name: str(value) for name, value in {**os.environ, "PYTHONPATH": path, **environment}.items()},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
