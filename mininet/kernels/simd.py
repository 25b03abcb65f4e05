"""Computing on vectors: the two building blocks of convolutions, one instruction stream each.

A processor core multiplies and adds whole vectors, 8 or 16 neighbouring float32 at once and two vectors per cycle, but
only in registers: loading numbers and storing sums costs more than the arithmetic.  So fast code reads little and
computes a lot with it.  Two building blocks do:

`product_tile` is a small matrix product whose result, a few rows of a few vectors, stays in registers until it is
complete.  Every number that it loads serves a whole tile.  Convolutions, their gradients and the products inside
Winograd's method are loops around it.  That this one block suffices was shown by Georganas et al., *Harnessing Deep
Learning via a Single Building Block* (IPDPS 2020).

`combination(matrix)` makes a function that multiplies a small constant matrix with vectors: Winograd's transforms.

Numba has no vector type and does not keep such a tile in registers by itself, so this file talks to the compiler behind
it, LLVM.  The plain functions `product_tile_in_python` and `combination_in_python` say what the instructions compute,
and replace them with ``NUMBA_DISABLE_JIT=1``.

(Numba's cache does not see that kernels elsewhere depend on this file: after editing it, run ``make clean``.)
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import config
from numba.core import cgutils, types
from numba.extending import intrinsic, overload
from numpy.typing import DTypeLike

from ..base.types import AnyArray, FloatArray

VECTOR_BYTES, REGISTERS = (64, 32) if binding.get_host_cpu_features().get("avx512f") else (32, 16)
"""The size of a vector register, and how many there are."""

TILE_ROWS, TILE_VECTORS = (8, 2) if REGISTERS == 32 else (6, 2)
"""The shape of a full tile: its sums, one row of b, and one number of a at a time fit into the registers."""


def lanes(dtype: DTypeLike) -> int:
    """Say how many numbers of `dtype` make a vector."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


@overload(lanes)
def _lanes_in_kernels(dtype):
    count = VECTOR_BYTES * 8 // dtype.dtype.bitwidth
    return lambda dtype: count


def product_tile_in_python(
    a: FloatArray, a_start: int, a_row: int, a_outer: int, a_inner: int, b: FloatArray, b_start: int, b_step: int,
    outer: int, inner: int, out: FloatArray, out_start: int, out_row: int, rows: int, vectors: int, add: bool,
) -> None:  # fmt: skip
    """Compute one tile of a matrix product: for `rows` rows i and the columns j of `vectors` vectors,

        out[i, j] = sum over s < outer, t < inner of  a[i, s, t] * b[s * inner + t, j]        (`add`: out[i, j] += ...)

    In the flat arrays, a[i, s, t] is at a_start + i a_row + s a_outer + t a_inner, row r of b starts at b_start +
    r b_step, row i of out starts at out_start + i out_row, and columns are neighbours.  Each sum runs in the order of
    (s, t), and rounds once per multiplication and addition.  `rows` and `vectors` are compile-time constants.
    """  # fmt: skip
    columns = np.arange(vectors * lanes(out.dtype))
    s, t = np.divmod(np.arange(outer * inner), max(1, inner))
    for i in range(rows):
        of_a = a[a_start + i * a_row + s * a_outer + t * a_inner]
        of_b = b[b_start + (s * inner + t)[:, None] * b_step + columns]
        place = slice(out_start + i * out_row, out_start + i * out_row + len(columns))
        out[place] = of_a @ of_b + (out[place] if add else 0)


@intrinsic(prefer_literal=True)
def _product_tile(typing, a, a_start, a_row, a_outer, a_inner, b, b_start, b_step, outer, inner, out, out_start,
                  out_row, rows, vectors, add):  # fmt: skip
    signature = types.void(a, a_start, a_row, a_outer, a_inner, b, b_start, b_step, outer, inner, out, out_start,
                           out_row, rows, vectors, add)  # fmt: skip

    def generate(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        a, a_start, a_row, a_outer, a_inner, b, b_start, b_step, outer, inner, out, out_start, out_row = (
            code.argument(position) for position in range(13)
        )
        rows, vectors = (signature.args[position].literal_value for position in (13, 14))
        adds = builder.icmp_signed("!=", code.argument(15), code.integer(0))
        tile = [(i, j) for i in range(rows) for j in range(vectors)]

        def out_at(i, j):
            return builder.add(builder.add(out_start, builder.mul(code.integer(i), out_row)), code.nth_vector(j))

        # LLVM keeps these variables in registers, as nothing takes their address
        sums = {ij: cgutils.alloca_once(builder, code.vector) for ij in tile}
        for ij in tile:
            builder.store(builder.select(adds, code.load(out, out_at(*ij)), code.zeros), sums[ij])
        b_at = cgutils.alloca_once(builder, code.index)
        builder.store(b_start, b_at)
        with cgutils.for_range(builder, outer) as outer_loop:
            start = builder.add(a_start, builder.mul(outer_loop.index, a_outer))
            starts = [builder.add(start, builder.mul(code.integer(i), a_row)) for i in range(rows)]
            with cgutils.for_range(builder, inner) as inner_loop:
                row_of_b = builder.load(b_at)
                columns = [code.load(b, builder.add(row_of_b, code.nth_vector(j))) for j in range(vectors)]
                offset = builder.mul(inner_loop.index, a_inner)
                for i in range(rows):
                    number = code.broadcast(a, builder.add(starts[i], offset))
                    for j in range(vectors):
                        total = code.multiply_add(number, columns[j], builder.load(sums[i, j]))
                        builder.store(total, sums[i, j])
                builder.store(builder.add(row_of_b, b_step), b_at)
        for ij in tile:
            code.store(builder.load(sums[ij]), out, out_at(*ij))
        return context.get_dummy_value()

    return signature, generate


def combination_in_python(matrix: AnyArray) -> Callable[..., None]:
    """Make a function that computes, for each row i of the small constant `matrix`, the vector

        target[target_start + i target_step : ... + one vector]  =
            sum over j of  matrix[i, j] * source[source_start + j source_step : ... + one vector]

    It reads all sources before it writes the first target.
    """  # fmt: skip
    matrix = np.array(matrix)

    def combine(
        source: FloatArray, source_start: int, source_step: int, target: FloatArray, target_start: int, target_step: int
    ) -> None:
        columns = np.arange(lanes(source.dtype))
        vectors = source[source_start + np.arange(matrix.shape[1])[:, None] * source_step + columns]
        target[target_start + np.arange(matrix.shape[0])[:, None] * target_step + columns] = matrix @ vectors

    return combine


def _combination(matrix: AnyArray) -> Any:
    rows = [[float(factor) for factor in row] for row in matrix]

    @intrinsic
    def combine(typing, source, source_start, source_step, target, target_start, target_step):
        signature = types.void(source, source_start, source_step, target, target_start, target_step)

        def generate(context, builder, signature, arguments):
            code = _Code(context, builder, signature, arguments)
            source, start, step, target, target_start, target_step = (code.argument(i) for i in range(6))

            def at(start, step, i):
                return builder.add(start, builder.mul(code.integer(i), step))

            vectors = [code.load(source, at(start, step, j)) for j in range(len(rows[0]))]
            for i, row in enumerate(rows):
                total = None
                for factor, vector in zip(row, vectors, strict=True):
                    total = code.add_multiple(total, factor, vector)
                code.store(code.zeros if total is None else total, target, at(target_start, target_step, i))
            return context.get_dummy_value()

        return signature, generate

    return combine


class _Code:
    """Writes instructions for vectors of the first argument's dtype; that argument is an array."""

    def __init__(self, context, builder, signature, arguments):
        self._context, self._builder = context, builder
        self._types, self._arguments = signature.args, arguments
        dtype = signature.args[0].dtype
        self._lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        self._itemsize = dtype.bitwidth // 8
        self._number = context.get_data_type(dtype)
        self.vector = ir.VectorType(self._number, self._lanes)
        self.index = ir.IntType(64)
        self.zeros = ir.Constant(self.vector, None)

    def integer(self, value):
        return ir.Constant(self.index, value)

    def nth_vector(self, j):
        return self.integer(j * self._lanes)

    def argument(self, position):
        """Get an argument: the address of an array, or an integer."""
        kind, value = self._types[position], self._arguments[position]
        if isinstance(kind, types.Array):
            return self._context.make_array(kind)(self._context, self._builder, value).data
        if isinstance(kind, (types.IntegerLiteral, types.BooleanLiteral)):
            return self.integer(int(kind.literal_value))
        return self._context.cast(self._builder, value, kind, types.int64)

    def load(self, array, at):
        return self._builder.load(self._vector_address(array, at), align=self._itemsize)

    def store(self, vector, array, at):
        self._builder.store(vector, self._vector_address(array, at), align=self._itemsize)

    def _vector_address(self, array, at):
        return self._builder.bitcast(self._builder.gep(array, [at]), self.vector.as_pointer())

    def broadcast(self, array, at):
        """Load one number into all lanes."""
        number = self._builder.load(self._builder.gep(array, [at]))
        nothing = ir.Constant(self.vector, ir.Undefined)
        first = self._builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self._lanes), [0] * self._lanes)
        return self._builder.shuffle_vector(first, nothing, everywhere)

    def multiply_add(self, a, b, c):
        """Compute a * b + c, rounded once."""
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fma.v{self._lanes}f{8 * self._itemsize}"
        return self._builder.call(cgutils.get_or_insert_function(self._builder.module, kind, name), [a, b, c])

    def add_multiple(self, total, factor, vector):
        """Compute total + factor * vector for a constant factor; `total` is None for nothing."""
        if factor == 0:
            return total
        if total is not None and factor in (1, -1):
            return (self._builder.fadd if factor == 1 else self._builder.fsub)(total, vector)
        constant = ir.Constant(self.vector, [factor] * self._lanes)
        if total is None:
            return vector if factor == 1 else self._builder.fmul(constant, vector)
        return self.multiply_add(constant, vector, total)


product_tile = product_tile_in_python if config.DISABLE_JIT else _product_tile
combination = combination_in_python if config.DISABLE_JIT else _combination
