"""Causal attention that never holds all its weights: a block of queries meets a block of keys at a time.

For one head, with queries, keys and values q, k, v (time, d), position i looks at the positions j <= i:

    s_ij = q_i . k_j / sqrt(d)      p_ij = exp(s_ij) / sum_j exp(s_ij)      o_i = sum_j p_ij v_j

The whole matrix p has time^2 elements, and nothing needs all of them at once.  Softmax can be computed online (Milakov
and Gimelshein, *Online normalizer calculation for softmax*, 2018): keep the largest score so far, m, the sum l of
exp(s - m), and the sum o of exp(s - m) v.  A further block of keys with larger scores, up to m', changes them to

    l <- exp(m - m') l + sum_j exp(s_j - m')      o <- exp(m - m') o + sum_j exp(s_j - m') v_j

and at the end o / l is the output.  Only the output and L = m + log l are kept for the backward pass, which computes
blocks of p = exp(s - L) again (Dao, Fu, Ermon, Rudra, Ré, *FlashAttention*, NeurIPS 2022).  With g = dL/do,

    dp_ij = g_i . v_j       ds_ij = p_ij (dp_ij - D_i)       D_i = sum_j p_ij dp_ij = g_i . o_i
    dv_j = sum_i p_ij g_i   dq_i = sum_j ds_ij k_j / sqrt(d)   dk_j = sum_i ds_ij q_i / sqrt(d)

Blocks are held with keys as rows and queries as columns.  So the sums over keys go row by row, and every loop runs
along queries, which lie side by side in vectors.  All products are made of `product_tile`.

Dropout sets weights p to zero and needs no stored mask either: whether p_ij stays depends on its place and a key alone.
"""

import math
from typing import Any

import numpy as np

from ..base.types import AnyArray, FloatArray
from . import buffers
from .jit import kernel
from .prefetch import prefetch
from .simd import TILE_ROWS, TILE_VECTORS, lanes, product_tile
from .threads import for_each_share, items_worth_sharing
from .transcendental import exponentials

QUERIES, KEYS = 32, 48
"""How many queries and keys make a block, at most: multiples of a tile's columns and rows on every processor.

Loops count to the length of a row: one of constant length is unrolled before the compiler looks for vectors.
"""

AHEAD = 8
"""A row is asked for from memory so many rows before its turn."""


def plain_attention(q: FloatArray, k: FloatArray, v: FloatArray) -> FloatArray:
    """Compute causal attention from its definition, for q, k and v (..., time, d)."""
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]) + np.triu(np.full(2 * [q.shape[-2]], -np.inf), 1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    output: FloatArray = weights / weights.sum(axis=-1, keepdims=True) @ v
    return output


def attention(qkv: FloatArray, heads: int, dropout: float = 0.0, key: int = 0) -> tuple[FloatArray, FloatArray]:
    """Compute the output (n, time, width), and L (n, heads, time), of causal attention.

    qkv : (n, time, 3 width), queries, keys and values side by side; the heads share each of them out in order
    dropout, key : the share of weights that are set to zero, and what decides which
    """
    n, time, width = *qkv.shape[:2], qkv.shape[2] // 3
    out = buffers.empty((n, time, width), qkv.dtype)
    log_sums = buffers.empty((n, heads, time), qkv.dtype)

    def work(first: int, last: int) -> None:
        room = _workspace(time, width // heads, qkv.dtype, backward=False)
        _forward(qkv, heads, _scale(width // heads, qkv.dtype), dropout, np.uint64(key), out, log_sums, *room,
                 first, last)  # fmt: skip

    for_each_share(work, n * heads, items_worth_sharing(2 * time * time * width // heads))
    return out, log_sums


def attention_gradient(
    qkv: FloatArray, out: FloatArray, log_sums: FloatArray, gradient: FloatArray, heads: int, dropout: float = 0.0,
    key: int = 0,
) -> FloatArray:  # fmt: skip
    """Compute dL/dqkv from `gradient` = dL/dout and what `attention` returned."""
    _, time, width = out.shape
    by_qkv = buffers.empty(qkv.shape, qkv.dtype)

    def work(first: int, last: int) -> None:
        room = _workspace(time, width // heads, qkv.dtype, backward=True)
        _backward(qkv, out, log_sums, gradient, heads, _scale(width // heads, qkv.dtype), dropout, np.uint64(key),
                  by_qkv, *room, first, last)  # fmt: skip

    for_each_share(work, len(qkv) * heads, items_worth_sharing(5 * time * time * width // heads))
    return by_qkv


def _scale(d: int, dtype: np.dtype[Any]) -> Any:
    return dtype.type(1 / math.sqrt(d))


def _workspace(time: int, d: int, dtype: np.dtype[Any], backward: bool) -> list[AnyArray]:
    """Make room for one head: sizes are rounded up to whole blocks and tiles, and what lies beyond is zero."""
    columns = TILE_VECTORS * lanes(dtype)
    times, rows = -(-time // KEYS) * KEYS, -(-d // TILE_ROWS) * TILE_ROWS
    wide = max(-(-d // columns) * columns, rows)  # as columns, and as rows
    shapes = [(times, wide), (times, wide), (rows, QUERIES), (rows, QUERIES), (KEYS, QUERIES), (3, QUERIES)]
    if backward:  # dL/dk, dL/dv; g and q as rows; g as columns; ds
        shapes += [(times, wide), (times, wide), (QUERIES, wide), (QUERIES, wide), (rows, QUERIES), (KEYS, QUERIES)]
    return [buffers.zeros(shape, dtype, "workspace") for shape in shapes]


@kernel
def _product(a, a_start, a_row, a_inner, b, b_row, inner, out, rows, columns, add):
    """out[i, j] = sum over t < inner of a[a_start + i a_row + t a_inner] b[t, j]; with `add`, it adds that to out.

    a and b are flat, rows of b are `b_row` apart, and out has whole tiles of rows and columns.
    """  # fmt: skip
    flat, out_row, step = out.reshape(-1), out.shape[1], TILE_VECTORS * lanes(out.dtype)
    for j in range(0, columns, step):
        for i in range(0, rows, TILE_ROWS):
            product_tile(a, a_start + i * a_row, a_row, 0, a_inner, b, j, b_row, 1, inner,
                         flat, i * out_row + j, out_row, TILE_ROWS, TILE_VECTORS, add)  # fmt: skip


@kernel
def _part(array, i, column, d):
    """array[i, column : column + d]; the same part of a row further on is asked for from memory."""
    prefetch(array, (i + AHEAD) * array.shape[1] + column, d)
    return array[i, column : column + d]


@kernel
def _copy_rows(source, column, d, count, target):
    """target[i, c] = source[i, column + c] for c < d."""
    for i in range(count):
        line, result = _part(source, i, column, d), target[i]
        for c in range(d):
            result[c] = line[c]


@kernel
def _copy_columns(source, first, column, d, count, factor, target):
    """target[c, i] = factor source[first + i, column + c] for c < d, and 0 from `count` on."""
    for i in range(count):
        line = _part(source, first + i, column, d)
        for c in range(d):
            target[c, i] = factor * line[c]
    target[:, count:] = 0


@kernel
def _mask(scores, first_query, first_key):
    """Set the scores of keys that come after the query to minus infinity."""
    for j in range(scores.shape[0]):
        row = scores[j]
        for i in range(min(max(0, first_key + j - first_query), scores.shape[1])):
            row[i] = -np.inf


@kernel
def _keys_from(first, end):
    """How many keys from `first` on make the next block, in whole tiles, if those from `end` on are not needed."""
    return min(KEYS, -(-(end - first) // TILE_ROWS) * TILE_ROWS)


@kernel
def _drop(weights, key, place, time, first_query, first_key, threshold, factor):
    """Multiply `weights` by `factor` where the hash of a weight's place is above the threshold, and by 0 elsewhere."""
    for j in range(weights.shape[0]):
        row = weights[j]
        for i in range(weights.shape[1]):
            z = key + np.uint64((place * time + first_query + i) * time + first_key + j) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            row[i] = row[i] * factor if (z ^ (z >> np.uint64(31))) >= threshold else row[i] * 0


@kernel
def _forward(
    qkv, heads, scale, dropout, key, out, log_sums, k, v, q, o, p, statistics, first, last,
):  # fmt: skip
    time, width = out.shape[1], out.shape[2]
    d = width // heads
    k_, v_, q_, p_ = k.reshape(-1), v.reshape(-1), q.reshape(-1), p.reshape(-1)
    m, total, shrink = statistics[0], statistics[1], statistics[2]
    threshold, factor = np.uint64(dropout * 2.0**64), p.dtype.type(1 / (1 - dropout))
    for place in range(first, last):
        x, result, head = qkv[place // heads], out[place // heads], place % heads
        _copy_rows(x, width + head * d, d, time, k)
        _copy_rows(x, 2 * width + head * d, d, time, v)
        for start in range(0, time, QUERIES):
            count = min(QUERIES, time - start)
            _copy_columns(x, start, head * d, d, count, scale, q)
            m[:], total[:], o[:] = -np.inf, 0, 0
            for other in range(0, start + count, KEYS):
                keys = _keys_from(other, start + count)
                block = p[:keys]
                _product(k_, other * k.shape[1], k.shape[1], 1, q_, QUERIES, d, block, keys, QUERIES, False)
                if other + keys > start:
                    _mask(block, start, other)
                for i in range(len(m)):
                    shrink[i] = m[i]
                for j in range(keys):
                    row = p[j]
                    for i in range(len(m)):
                        m[i] = max(m[i], row[i])
                for j in range(keys):
                    row = p[j]
                    for i in range(len(m)):
                        row[i] -= m[i]
                for i in range(len(m)):
                    shrink[i] -= m[i]
                exponentials(p_[: keys * QUERIES])
                exponentials(shrink)
                for i in range(len(m)):
                    total[i] *= shrink[i]
                for j in range(keys):
                    row = p[j]
                    for i in range(len(m)):
                        total[i] += row[i]
                if dropout > 0:
                    _drop(block, key, place, time, start, other, threshold, factor)
                for c in range(len(o)):
                    row = o[c]
                    for i in range(len(m)):
                        row[i] *= shrink[i]
                _product(v_, other * v.shape[1], 1, v.shape[1], p_, QUERIES, keys, o, len(o), QUERIES, True)
            for i in range(count):
                line = _part(result, start + i, head * d, d)
                for c in range(d):
                    line[c] = o[c, i] / total[i]
                log_sums[place // heads, head, start + i] = m[i] + np.log(total[i])


@kernel
def _backward(
    qkv, out, log_sums, gradient, heads, scale, dropout, key, by_qkv, k, v, q, by_q, p, statistics, by_k, by_v, g_rows,
    q_rows, g, by_p, first, last,
):  # fmt: skip
    time, width = out.shape[1], out.shape[2]
    d = width // heads
    k_, v_, q_, g_, p_, by_p_ = (k.reshape(-1), v.reshape(-1), q.reshape(-1), g.reshape(-1), p.reshape(-1),
                                 by_p.reshape(-1))  # fmt: skip
    g_rows_, q_rows_ = g_rows.reshape(-1), q_rows.reshape(-1)
    wide, step = g_rows.shape[1], TILE_VECTORS * lanes(p.dtype)
    columns = -(-d // step) * step
    log_sum, along = statistics[0], statistics[1]
    threshold, factor = np.uint64(dropout * 2.0**64), p.dtype.type(1 / (1 - dropout))
    for place in range(first, last):
        n, column = place // heads, place % heads * d
        _copy_rows(qkv[n], width + column, d, time, k)
        _copy_rows(qkv[n], 2 * width + column, d, time, v)
        by_k[:], by_v[:] = 0, 0
        for start in range(0, time, QUERIES):
            count = min(QUERIES, time - start)
            _copy_columns(qkv[n], start, column, d, count, scale, q)
            _copy_columns(gradient[n], start, column, d, count, p.dtype.type(1), g)
            _copy_columns(out[n], start, column, d, count, p.dtype.type(1), by_q)
            along[:] = 0
            for c in range(d):
                g_line, line = g[c], by_q[c]
                for i in range(len(along)):
                    along[i] += g_line[i] * line[i]
            q_rows[:], g_rows[:], log_sum[:], by_q[:] = 0, 0, 0, 0
            for i in range(count):
                for c in range(d):
                    q_rows[i, c] = q[c, i]
                    g_rows[i, c] = g[c, i]
                log_sum[i] = log_sums[n, place % heads, start + i]
            for other in range(0, start + count, KEYS):
                keys = _keys_from(other, start + count)
                block, by_block = p[:keys], by_p[:keys]
                _product(k_, other * wide, wide, 1, q_, QUERIES, d, block, keys, QUERIES, False)
                _product(v_, other * wide, wide, 1, g_, QUERIES, d, by_block, keys, QUERIES, False)
                if other + keys > start:
                    _mask(block, start, other)
                for j in range(keys):
                    row = p[j]
                    for i in range(len(row)):
                        row[i] -= log_sum[i]
                exponentials(p_[: keys * QUERIES])
                if dropout > 0:
                    _drop(by_block, key, place, time, start, other, threshold, factor)
                for j in range(keys):
                    row, by_row = p[j], by_p[j]
                    for i in range(len(row)):
                        by_row[i] = row[i] * (by_row[i] - along[i])
                if dropout > 0:
                    _drop(block, key, place, time, start, other, threshold, factor)
                _product(p_, 0, QUERIES, 1, g_rows_, wide, QUERIES, by_v[other : other + keys], keys, columns, True)
                _product(by_p_, 0, QUERIES, 1, q_rows_, wide, QUERIES, by_k[other : other + keys], keys, columns, True)
                _product(k_, other * wide, 1, wide, by_p_, QUERIES, keys, by_q, len(by_q), QUERIES, True)
            for i in range(count):
                line = _part(by_qkv[n], start + i, column, d)
                for c in range(d):
                    line[c] = scale * by_q[c, i]
        for i in range(time):
            _part(by_qkv[n], i, width + column, d)[:] = by_k[i, :d]
            _part(by_qkv[n], i, 2 * width + column, d)[:] = by_v[i, :d]
