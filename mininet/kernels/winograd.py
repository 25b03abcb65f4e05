"""3x3 convolution with a quarter of the multiplications: Winograd's method F(4x4, 3x3) (Lavin and Gray, CVPR 2016).

A one-dimensional convolution is a product of polynomials, and one of 4 with one of 3 coefficients has 6 coefficients.
Evaluate both factors at 6 points, one of them infinity (the leading coefficients), multiply pointwise, and interpolate:
that takes 6 multiplications instead of 12.  Computing 4 outputs y from 6 inputs d with 3 taps g is the transpose of
that, in d.  With constant matrices,

    y = A^T [ (G g) * (B^T d) ]                                       (* is elementwise)

and in two dimensions, for a tile of 6x6 inputs and 4x4 outputs, Y = A^T [ (G g G^T) * (B^T d B) ] A: 36 multiplications
instead of 144.  Over channels the elementwise product becomes a sum over c, so there are three stages:

    V[p] = B^T d B   for every tile and channel c      (input transform, p = 1 ... 36)
    M[p] = V[p] U[p]                                   (36 matrix products: tiles x c times c x k, with U = G g G^T)
    Y = A^T M A      for every tile and channel k      (output transform)

All stages are linear, so gradients are their transposes.  The gradient of the input is itself a 3x3 convolution, with
the rotated kernel; the gradient of the weights is

    dL/dM = A dL/dY A^T      dL/dU[p] = V[p]^T dL/dM[p]      dL/dg = G^T dL/dU G

The price is precision: numbers grow in the transforms before they cancel, which costs float32 more than half a decimal
digit.  How much depends on the points.  Of the sets 0, a, -a, b, -b on a grid of sixteenths, a = 5/8 and b = 3/2 are
best, with half the error of the usual 1 and 2.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base.types import AnyArray, FloatArray
from . import buffers
from .direct import copy_padded, partial_sums, rows_dividing, vectors_of
from .jit import kernel
from .shapes import Shape, Window, require_convolution
from .simd import TILE_ROWS, TILE_VECTORS, combination, lanes, product_tile
from .threads import for_each_share, items_worth_sharing


def _matrices(points: Sequence[float]) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Compute (A^T, G, B^T) for 4 outputs, 3 taps, 5 finite points and infinity."""
    a, b = np.polynomial.polynomial.polyvander(points, 3).T, np.polynomial.polynomial.polyvander(points, 2)
    others = [[q for q in points if q != p] for p in points]
    interpolation = [[*np.polynomial.polynomial.polyfromroots(roots), 0] for roots in others]
    denominators = [np.prod([p - q for q in roots]) for p, roots in zip(points, others, strict=True)]
    return (
        np.column_stack([a, [0, 0, 0, 1]]),
        np.vstack([b / np.array(denominators)[:, None], [0, 0, 1]]),
        np.vstack([interpolation, np.polynomial.polynomial.polyfromroots(points)]),
    )


OUTPUT, WEIGHT, INPUT = _matrices((0, 5 / 8, -5 / 8, 3 / 2, -3 / 2))
"""A^T, G and B^T: evaluation at the points, evaluation divided by the denominators of Lagrange's interpolation, and the
coefficients of its polynomials."""

OUTPUTS, INPUTS, POINTS = 4, 6, 36
"""The side of a tile of outputs, the side of the tile of inputs under it, and how many products it takes."""

WORKSPACE_BYTES = 2**19
"""Workspace for V and M of one piece of work; it fits into a level-2 cache."""

TILES_AT_LEAST = 64
"""If a piece has at least this many tiles, the time for reading U does not matter."""

_to_points = combination(INPUT)
_from_points = combination(OUTPUT)
_weight_to_points = combination(WEIGHT)
_output_to_points = combination(OUTPUT.T)
_weight_from_points = combination(WEIGHT.T)


def fits(w_shape: Shape, stride: Window, dtype: np.dtype[Any]) -> bool:
    """Whether the method applies: 3x3, stride 1, and channel counts that fill whole vectors."""
    whole = all(channels > 0 and channels % lanes(dtype) == 0 for channels in w_shape[2:])
    return w_shape[:2] == (3, 3) and stride == (1, 1) and whole


def share_of_use(height: int, width: int) -> float:
    """Compute which share of the tiles over an output of height x width is inside it."""
    return height * width / (-(-height // OUTPUTS) * -(-width // OUTPUTS) * OUTPUTS**2)


def convolve(x: FloatArray, w: FloatArray, padding: Window, out_shape: Shape) -> FloatArray:
    """Convolve x (n, height, width, c) with w (3, 3, c, k)."""
    require_convolution(x, w, (1, 1), padding, out_shape)
    if not fits(w.shape, (1, 1), w.dtype):
        raise ValueError(f"w must be 3x3 with channels in multiples of {lanes(w.dtype)}, got shape {w.shape}")
    out = buffers.empty(out_shape, x.dtype)
    tiling = _Tiling(out_shape, w.shape, x.dtype)
    vectors = vectors_of(out_shape[3], x.dtype)
    rows = TILE_ROWS * TILE_VECTORS // vectors
    u = _transformed_weights(w, vectors)
    run = _forward_kernel(rows, vectors)
    rows_at_once = max(tiling.rows_at_once, -(-rows // tiling.across))

    def work(first: int, last: int) -> None:
        workspace = tiling.workspace(rows_at_once)
        run(x, u, out, *workspace, rows_at_once, *padding, first, last)

    for_each_share(work, tiling.rows, items_worth_sharing(2 * POINTS * w.shape[2] * w.shape[3] * tiling.across))
    return out


def weight_gradient(x: FloatArray, gradient: FloatArray, w_shape: Shape, padding: Window) -> FloatArray:
    """Compute dL/dw from `gradient` = dL/dout."""
    _, _, c, k = w_shape
    tiling = _Tiling(gradient.shape, w_shape, x.dtype)
    sums = max(1, min(tiling.rows, partial_sums(tiling.rows * tiling.across)))
    partial = (buffers.empty if tiling.rows else buffers.zeros)((sums, POINTS * c * k), x.dtype, "workspace")
    vectors = vectors_of(k, x.dtype)
    run = _weight_gradient_kernel(rows_dividing(c, vectors), vectors)

    def work(first: int, last: int) -> None:
        workspace = tiling.workspace(tiling.rows_at_once)
        for group in range(first, last):
            start, stop = (tiling.rows * i // len(partial) for i in (group, group + 1))
            run(x, gradient, partial[group], *workspace, tiling.rows_at_once, *padding, start, stop)

    operations = 2 * POINTS * c * k * tiling.rows * tiling.across
    for_each_share(work, len(partial), items_worth_sharing(operations // len(partial)))
    dw = buffers.empty(w_shape, x.dtype)

    def finish(first: int, last: int) -> None:
        by_points, stage = (buffers.empty(POINTS * size, x.dtype) for size in (k, lanes(x.dtype)))
        _add_up_weights(partial, dw, by_points, stage, first, last)

    for_each_share(finish, c, items_worth_sharing(POINTS * k * len(partial) * 16))
    return dw


class _Tiling:
    """Cuts an output into tiles, and rows of tiles into pieces of work."""

    def __init__(self, out_shape: Shape, w_shape: Shape, dtype: np.dtype[Any]) -> None:
        count, height, width, _ = out_shape
        self._c, self._k, self._dtype = w_shape[2], w_shape[3], dtype
        self.across = -(-width // OUTPUTS)
        self.rows = count * -(-height // OUTPUTS)
        tiles = max(TILES_AT_LEAST, WORKSPACE_BYTES // (POINTS * (self._c + self._k) * dtype.itemsize))
        self.rows_at_once = max(1, min(self.rows, tiles // max(1, self.across)))

    def workspace(self, rows: int) -> list[FloatArray]:
        """Make V, M, a strip of the padded input and one of the output, and a tile on its way through the stages."""
        lane_count, tiles = lanes(self._dtype), rows * self.across
        shapes = (
            (
                POINTS,
                tiles * self._c + lane_count,
            ),  # one vector more, so that the points do not all fall on the same cache lines
            (POINTS, tiles * self._k + lane_count),
            (INPUTS, OUTPUTS * self.across + INPUTS - OUTPUTS, self._c),
            (OUTPUTS, OUTPUTS * self.across, self._k),
            (POINTS * lane_count,),
        )
        sizes = [math.prod(shape) for shape in shapes]
        ends = list(itertools.accumulate(sizes))
        room = buffers.empty(ends[-1], self._dtype, "workspace")
        return [room[end - size : end].reshape(shape) for size, end, shape in zip(sizes, ends, shapes, strict=True)]


def _transformed_weights(w: FloatArray, vectors: int) -> FloatArray:
    """Compute U = G w G^T: for each point its panels (c, columns), and one vector more."""
    c, k = w.shape[2:]
    columns = vectors * lanes(w.dtype)
    u = buffers.empty((POINTS, c * k + lanes(w.dtype)), w.dtype, "workspace")

    def work(first: int, last: int) -> None:
        _transform_weights(w, u, columns, buffers.empty(POINTS * lanes(w.dtype), w.dtype, "workspace"), first, last)

    for_each_share(work, c, max(1, 2**15 // k))
    return u


@kernel
def _transform_weights(w, u, columns, stage, first, last):
    c, k = w.shape[2], w.shape[3]
    lane_count = lanes(stage.dtype)
    w_, u_ = w.reshape(-1), u.reshape(-1)
    for channel in range(first, last):
        for column in range(0, k, lane_count):
            for kx in range(3):
                _weight_to_points(w_, (kx * c + channel) * k + column, 3 * c * k,
                                  stage, kx * lane_count, 3 * lane_count)  # fmt: skip
            place = (column // columns * c + channel) * columns + column % columns
            for i in range(6):
                _weight_to_points(stage, i * 3 * lane_count, lane_count, u_, i * 6 * u.shape[1] + place, u.shape[1])


@kernel
def _add_up_weights(partial, dw, by_points, stage, first, last):
    """Compute dL/dw = G^T dL/dU G for some input channels, where dL/dU (36, c, k) is the sum of `partial`."""
    c, k = dw.shape[2], dw.shape[3]
    lane_count = lanes(stage.dtype)
    dw_ = dw.reshape(-1)
    for channel in range(first, last):
        for point in range(36):
            place = (point * c + channel) * k
            for column in range(k):
                by_points[point * k + column] = partial[0, place + column]
            for number in range(1, len(partial)):
                for column in range(k):
                    by_points[point * k + column] += partial[number, place + column]
        for column in range(0, k, lane_count):
            for j in range(6):
                _weight_from_points(by_points, j * k + column, 6 * k, stage, j * lane_count, 6 * lane_count)
            for ky in range(3):
                place = (ky * 3 * c + channel) * k + column
                _weight_from_points(stage, ky * 6 * lane_count, lane_count, dw_, place, c * k)


@kernel
def _transform_input(x, v, strip, stage, row, tiles_down, across, padding_y, padding_x, first_tile):
    """Compute V for one row of tiles, the first of which is number `first_tile` of v."""
    c = x.shape[3]
    lane_count = lanes(stage.dtype)
    copy_padded(x[row // tiles_down], strip, row % tiles_down * 4 - padding_y, -padding_x)
    line = strip.shape[1] * c
    strip_, v_ = strip.reshape(-1), v.reshape(-1)
    for tile in range(across):
        for channel in range(0, c, lane_count):
            for j in range(6):
                _to_points(strip_, (tile * 4 + j) * c + channel, line, stage, j * lane_count, 6 * lane_count)
            place = (first_tile + tile) * c + channel
            for i in range(6):
                _to_points(stage, i * 6 * lane_count, lane_count, v_, place + i * 6 * v.shape[1], v.shape[1])


@kernel
def _transform_output(m, out, strip, stage, row, tiles_down, across, first_tile):
    """Compute the output for one row of tiles from M; leave out what lies beyond the image."""
    _, height, width, k = out.shape
    lane_count = lanes(stage.dtype)
    n, y = row // tiles_down, row % tiles_down * 4
    line = strip.shape[1] * k
    strip_, m_, out_ = strip.reshape(-1), m.reshape(-1), out.reshape(-1)
    for tile in range(across):
        whole = tile * 4 + 4 <= width
        for column in range(0, k, lane_count):
            place = (first_tile + tile) * k + column
            for j in range(6):
                _from_points(m_, place + j * m.shape[1], 6 * m.shape[1], stage, j * lane_count, 6 * lane_count)
            for i in range(min(4, height - y)):
                if whole:
                    target = ((n * height + y + i) * width + tile * 4) * k + column
                    _from_points(stage, i * 6 * lane_count, lane_count, out_, target, k)
                else:
                    _from_points(stage, i * 6 * lane_count, lane_count, strip_, i * line + tile * 4 * k + column, k)
        if not whole:
            for i in range(min(4, height - y)):
                for j in range(tile * 4, width):
                    for column in range(k):
                        out[n, y + i, j, column] = strip[i, j, column]


@kernel
def _transform_output_gradient(gradient, m, strip, stage, row, tiles_down, across, first_tile):
    """Compute dL/dM = A dL/dY A^T for one row of tiles, the transpose of `_transform_output`."""
    k = gradient.shape[3]
    lane_count = lanes(stage.dtype)
    copy_padded(gradient[row // tiles_down], strip, row % tiles_down * 4, 0)
    line = strip.shape[1] * k
    strip_, m_ = strip.reshape(-1), m.reshape(-1)
    for tile in range(across):
        for column in range(0, k, lane_count):
            for j in range(4):
                _output_to_points(strip_, (tile * 4 + j) * k + column, line, stage, j * lane_count, 4 * lane_count)
            place = (first_tile + tile) * k + column
            for i in range(6):
                _output_to_points(stage, i * 4 * lane_count, lane_count, m_, place + i * 6 * m.shape[1], m.shape[1])


@functools.cache
def _forward_kernel(rows: int, vectors: int) -> Callable[..., None]:
    """Make a kernel of the three stages, with product tiles of `rows` image tiles and `vectors` vectors."""

    @kernel
    def forward(x, u, out, v, m, in_strip, out_strip, stage, rows_at_once, padding_y, padding_x, first, last):
        tiles_down = (out.shape[1] + 3) // 4
        across = (out.shape[2] + 3) // 4
        c, k = x.shape[3], out.shape[3]
        columns = vectors * lanes(stage.dtype)
        u_, v_, m_ = u.reshape(-1), v.reshape(-1), m.reshape(-1)
        for start in range(first, last, rows_at_once):
            stop = min(last, start + rows_at_once)
            for row in range(start, stop):
                tile = (row - start) * across
                _transform_input(x, v, in_strip, stage, row, tiles_down, across, padding_y, padding_x, tile)
            tiles = max(rows, (stop - start) * across)
            for point in range(36):
                for column in range(0, k, columns):
                    for step in range(0, tiles, rows):
                        tile = min(step, tiles - rows)  # the last tile overlaps the one before, with the same result
                        product_tile(
                            v_, point * v.shape[1] + tile * c, c, 0, 1,
                            u_, point * u.shape[1] + column * c, columns, 1, c,
                            m_, point * m.shape[1] + tile * k + column, k, rows, vectors, False,
                        )  # fmt: skip
            for row in range(start, stop):
                _transform_output(m, out, out_strip, stage, row, tiles_down, across, (row - start) * across)

    return forward


@functools.cache
def _weight_gradient_kernel(rows: int, vectors: int) -> Callable[..., None]:
    """Make a kernel for dL/dU, with product tiles of `rows` input channels and `vectors` vectors."""

    @kernel
    def backward(x, gradient, by_points, v, m, in_strip, out_strip, stage, rows_at_once, padding_y, padding_x, first,
                 last):  # fmt: skip
        tiles_down = (gradient.shape[1] + 3) // 4
        across = (gradient.shape[2] + 3) // 4
        c, k = x.shape[3], gradient.shape[3]
        columns = vectors * lanes(stage.dtype)
        v_, m_ = v.reshape(-1), m.reshape(-1)
        for start in range(first, last, rows_at_once):
            stop = min(last, start + rows_at_once)
            for row in range(start, stop):
                tile = (row - start) * across
                _transform_input(x, v, in_strip, stage, row, tiles_down, across, padding_y, padding_x, tile)
                _transform_output_gradient(gradient, m, out_strip, stage, row, tiles_down, across, tile)
            for point in range(36):
                for channel in range(0, c, rows):
                    for column in range(0, k, columns):
                        product_tile(
                            v_, point * v.shape[1] + channel, 1, 0, c,
                            m_, point * m.shape[1] + column, k, 1, (stop - start) * across,
                            by_points, (point * c + channel) * k + column, k, rows, vectors, start > first,
                        )  # fmt: skip

    return backward
