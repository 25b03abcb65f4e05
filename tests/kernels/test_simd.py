"""Vector instructions against the plain functions that say what they compute, and those against plain loops."""

import numba
import numpy as np
import pytest
from support import DTYPES, assert_unchanged, assert_within, normal

from mininet.kernels import simd, winograd
from mininet.kernels.simd import combination, combination_in_python, lanes, product_tile, product_tile_in_python


def test_tiny_lanes_fill_a_vector():
    for dtype in (np.float32, np.float64, "f4", np.dtype(np.float64)):
        assert lanes(dtype) * np.dtype(dtype).itemsize == simd.VECTOR_BYTES
    # sums, one row of b, and one number of a
    assert simd.TILE_ROWS * simd.TILE_VECTORS + simd.TILE_VECTORS + 1 <= simd.REGISTERS


# Products


def tile_kernel(rows, vectors):
    """Both kinds of tile, one that writes and one that adds; compiled anew, so that no cache hides a change."""

    @numba.njit
    def run(a, a_start, a_row, a_outer, a_inner, b, b_start, b_step, outer, inner, out, out_start, out_row, add):
        if add:
            product_tile(a, a_start, a_row, a_outer, a_inner, b, b_start, b_step, outer, inner, out, out_start, out_row,
                         rows, vectors, True)  # fmt: skip
        else:
            product_tile(a, a_start, a_row, a_outer, a_inner, b, b_start, b_step, outer, inner, out, out_start, out_row,
                         rows, vectors, False)  # fmt: skip

    return run


def python_kernel(rows, vectors):
    return lambda *arguments: product_tile_in_python(*arguments[:-1], rows, vectors, arguments[-1])


def tile_by_definition(a, a_start, a_row, a_outer, a_inner, b, b_start, b_step, outer, inner, out, out_start, out_row,
                       rows, vectors, add):  # fmt: skip
    """(out, what its errors are relative to): the formula in the docstring as four loops, in float64."""
    columns = vectors * lanes(out.dtype)
    expected, sizes = out.astype(np.float64), np.zeros(out.shape)
    for i in range(rows):
        for j in range(columns):
            at = out_start + i * out_row + j
            if not add:
                expected[at] = 0
            sizes[at] = abs(expected[at])
            for s in range(outer):
                for t in range(inner):
                    product = float(a[a_start + i * a_row + s * a_outer + t * a_inner])
                    product *= float(b[b_start + (s * inner + t) * b_step + j])
                    expected[at] += product
                    sizes[at] += abs(product)
    return expected, sizes


# (a_row, a_outer, a_inner), b_step beyond the columns, (outer, inner), out_row beyond the columns
LAYOUTS = {
    "rows of a matrix": ((6, 0, 1), 0, (1, 6), 0),
    "columns of a matrix": ((1, 0, 17), 0, (1, 5), 3),
    "windows of an image": ((2, 31, 1), 0, (3, 6), 5),
    "channels of an image": ((1, 40, 3), 7, (2, 4), 0),
    "nothing to add up": ((1, 1, 1), 0, (0, 3), 0),
}


def check_tile(run, rows, vectors, dtype, layout, add):
    (a_row, a_outer, a_inner), b_gap, (outer, inner), out_gap = layout
    columns = vectors * lanes(dtype)
    b_step, out_row = columns + b_gap, columns + out_gap
    a = normal(5 + rows * a_row + outer * a_outer + inner * a_inner + 1, dtype, 1)
    b = normal(3 + (outer * inner + 1) * b_step, dtype, 2)
    out = normal(7 + rows * out_row + 9, dtype, 3)
    arguments = (a, 5, a_row, a_outer, a_inner, b, 3, b_step, outer, inner, out, 7, out_row)
    expected, sizes = tile_by_definition(*arguments, rows, vectors, add)
    kept = a.copy(), b.copy()
    run(*arguments, add)
    # one rounding for every term, here and in the definition; what lies between and around the rows is left alone
    assert_within(out, expected, (outer * inner + 1) * np.finfo(dtype).eps * sizes)
    assert_unchanged((a, b), kept)


@pytest.mark.parametrize(
    ("rows", "vectors", "dtypes"),
    [(1, 1, DTYPES), (5, 2, DTYPES[1:]), (simd.TILE_ROWS, simd.TILE_VECTORS, DTYPES[:1]), (16, 1, DTYPES[:1])],
)
def test_products_of_tiles(rows, vectors, dtypes):
    run = tile_kernel(rows, vectors)
    for dtype in dtypes:
        for layout in LAYOUTS.values():
            for add in (False, True):
                check_tile(run, rows, vectors, dtype, layout, add)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_tiny_products_in_python(layout):
    for rows, vectors, add in ((1, 1, False), (3, 2, False), (3, 2, True)):
        check_tile(python_kernel(rows, vectors), rows, vectors, np.float64, layout, add)


def test_tiny_without_the_jit_the_python_functions_stand_in():
    is_off = bool(numba.config.DISABLE_JIT)
    assert product_tile is (product_tile_in_python if is_off else simd._product_tile)
    assert combination is (combination_in_python if is_off else simd._combination)


def test_a_row_does_not_depend_on_the_tile_it_is_in():
    # that is why tiles may overlap, and shares end anywhere
    columns = 2 * lanes(np.float32)
    a, b = normal(16 * 9, np.float32, 1), normal(9 * columns, np.float32, 2)
    whole, single = np.zeros(16 * columns, np.float32), np.zeros(16 * columns, np.float32)
    tile_kernel(16, 2)(a, 0, 9, 0, 1, b, 0, columns, 1, 9, whole, 0, columns, False)
    one_vector = tile_kernel(1, 1)
    for i in range(16):
        for j in (0, columns // 2):
            one_vector(a, 9 * i, 9, 0, 1, b, j, columns, 1, 9, single, i * columns + j, columns, False)
    assert whole.tobytes() == single.tobytes()


# Combinations

MATRICES = {
    "winograd, input": winograd.INPUT,
    "winograd, output transposed": winograd.OUTPUT.T,
    "minus one": [[-1]],
    "signs": [[1, -1, 1], [-1, 1, -1], [-1, -1, 0], [0, 1, -3]],
    "one column": [[1], [-1], [0], [3]],
}


def combine_kernel(matrix, make=combination):
    combine = make(matrix)

    @numba.njit
    def run(source, source_start, source_step, target, target_start, target_step):
        combine(source, source_start, source_step, target, target_start, target_step)

    return run if make is combination else combine


both_ways = pytest.mark.parametrize(
    ("make", "dtype"), [(combination, np.float32), (combination, np.float64), (combination_in_python, np.float64)]
)


@both_ways
@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_tiny_combinations_of_integers_are_exact(matrix, make, dtype):
    rows, columns = np.shape(matrix)
    count = lanes(dtype)
    for source_gap, target_gap in ((0, 0), (3, 5)):
        source_step, target_step = count + source_gap, count + target_gap
        source = np.round(10 * normal(5 + columns * source_step, dtype, 1))
        target = normal(3 + rows * target_step + 7, dtype, 2)
        expected, kept = target.copy(), source.copy()
        vectors = [source[5 + j * source_step :][:count] for j in range(columns)]
        for i in range(rows):
            place = 3 + i * target_step
            expected[place : place + count] = sum(matrix[i][j] * vectors[j] for j in range(columns))
        combine_kernel(matrix, make)(source, 5, source_step, target, 3, target_step)
        assert np.array_equal(target, expected)
        assert_unchanged([source], [kept])


@both_ways
def test_tiny_sources_are_read_before_targets_are_written(make, dtype):
    matrix, count = winograd.INPUT, lanes(dtype)
    array = np.round(10 * normal(6 * count, dtype))
    expected = matrix @ array.reshape(6, count)
    combine_kernel(matrix, make)(array, 0, count, array, 0, count)
    assert np.array_equal(array.reshape(6, count), expected)
