"""How kernels are compiled."""

import contextlib

import numba
from llvmlite import binding

if binding.get_host_cpu_features().get("avx512f") and not numba.config.CPU_NAME and not numba.config.CPU_FEATURES:
    # LLVM avoids the widest vectors because early processors slowed down with them; today they can be twice as fast
    numba.config.CPU_NAME = binding.get_host_cpu_name()
    numba.config.CPU_FEATURES = binding.get_host_cpu_features().flatten() + ",-prefer-256-bit"


def kernel(function, contract=False):
    """Compile a function on arrays with Numba, and keep the machine code on disk for the next process.

    A kernel releases Python's lock, so that several threads can run it on their parts of the data, and does not
    reorder floating-point operations, so that its result is a function of its input.  It gets C-contiguous arrays whose
    shapes were checked by its caller.

    A kernel for a range of flat arrays first cuts them to that range and then counts from 0, or with unsigned numbers:
    an index that could be negative, which in Python counts from the end, keeps the compiler from using vectors.

    contract : let the processor round a product and the sum that takes it in only once; for kernels where these are
        integers that need no rounding at all, so that it saves time and changes nothing

    With ``NUMBA_DISABLE_JIT=1`` a kernel stays plain Python, for tests and for stepping through.  Machine code is kept
    in ``__pycache__`` beside the kernel, or else in Numba's folder for the user (``NUMBA_CACHE_DIR`` overrides both).
    Where none can be written to, or the disk is full, every process compiles for itself.
    """
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"} if contract else False}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # Numba's "cannot cache function: no locator available"
        return numba.njit(**options)(function)
    _let_saving_fail(compiled)
    return compiled


def _let_saving_fail(compiled):
    """When the machine code cannot be kept, as on a full disk, it is used all the same; Numba would raise OSError."""
    cache = getattr(compiled, "_cache", None)  # of Numba's own; there is none with the JIT off
    save = getattr(cache, "save_overload", None)
    if save is None:
        return

    def save_if_possible(*arguments):
        with contextlib.suppress(OSError):
            save(*arguments)

    cache.save_overload = save_if_possible
