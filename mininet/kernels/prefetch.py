"""Asking for memory before it is needed.

A kernel that computes little per number mostly waits for memory.  The processor reads ahead by itself, but cautiously:
not far, and starting over in each page of 4 KiB.  Asking earlier saves up to a fifth of the time of an exact step.  It
changes no number, and asking for what lies outside an array does nothing.
"""

from llvmlite import ir
from numba import config
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..base.types import AnyArray

LINE_BYTES = 64
"""The size of a cache line."""


def prefetch_in_python(array: AnyArray, start: int, count: int) -> None:
    """Ask for `count` numbers of a C-contiguous array, from flat index `start` on; they may lie outside it."""


@intrinsic
def _prefetch(typing, array, start, count):
    signature = types.void(array, types.intp, types.intp)

    def generate(context, builder, signature, arguments):
        array, start, count = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        pointer, code = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, code, code, code])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        to_read, into_nearest_cache, data_not_code = (ir.Constant(code, value) for value in (0, 3, 1))
        step = ir.Constant(start.type, LINE_BYTES * 8 // signature.args[0].dtype.bitwidth)
        with cgutils.for_range_slice(builder, start, builder.add(start, count), step, start.type) as (index, _):
            address = builder.bitcast(builder.gep(data, [index]), pointer)
            builder.call(ask, [address, to_read, into_nearest_cache, data_not_code])
        return context.get_dummy_value()

    return signature, generate


prefetch = prefetch_in_python if config.DISABLE_JIT else _prefetch
