"""How kernels are compiled."""

import contextlib
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import binding

if binding.get_host_cpu_features().get("avx512f") and not numba.config.CPU_NAME and not numba.config.CPU_FEATURES:
    # LLVM avoids the widest vectors because early processors slowed down with them; today they can be twice as fast
    numba.config.CPU_NAME = binding.get_host_cpu_name()
    numba.config.CPU_FEATURES = binding.get_host_cpu_features().flatten() + ",-prefer-256-bit"


def kernel(function: Callable[..., Any], contract: bool = False) -> Callable[..., Any]:
    """Compile a function on arrays with Numba, and keep the machine code on disk for the next process.

    A kernel releases Python's lock, so several threads can run it on their parts of the data.  It does not reorder
    floating-point operations, so its result is a function of its input.  Its caller passes C-contiguous arrays and
    checks their shapes.

    A kernel for a range of flat arrays first slices them and then counts from 0, or counts with unsigned numbers.  An
    index that could be negative, which Python counts from the end, keeps the compiler from using vectors.

    With `contract`, the processor may round a product and the sum that takes it in only once.  Use it where these are
    integers that need no rounding, so that it changes nothing, or where an error bound allows either.

    With ``NUMBA_DISABLE_JIT=1`` a kernel stays plain Python, for tests and debugging.  Machine code is kept in
    ``__pycache__`` beside the kernel or in Numba's folder for the user; ``NUMBA_CACHE_DIR`` overrides both.  If neither
    can be written to, or the disk is full, every process compiles for itself; a damaged file is replaced.
    """
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"} if contract else False}
    try:
        compiled: Callable[..., Any] = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # Numba's "cannot cache function: no locator available"
        compiled = numba.njit(**options)(function)
    else:
        _let_caching_fail(compiled)
    return compiled


def _let_caching_fail(compiled: Any) -> None:
    """What cannot be saved, as on a full disk, is used all the same, and what is damaged is compiled anew."""
    cache: Any = getattr(compiled, "_cache", None)  # of Numba's own; there is none with the JIT off
    if not hasattr(cache, "save_overload") or not hasattr(cache, "load_overload"):
        return
    save, load = cache.save_overload, cache.load_overload

    def save_if_possible(*arguments: Any) -> None:
        with contextlib.suppress(OSError):
            save(*arguments)

    def load_if_whole(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except Exception:  # whatever unpickling a damaged file raises
            with contextlib.suppress(OSError):
                cache.flush()
            return None

    cache.save_overload, cache.load_overload = save_if_possible, load_if_whole
