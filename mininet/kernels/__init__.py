"""Plain arrays in, plain arrays out: the loops, compiled by Numba, and the BLAS calls.  Knows nothing of tensors."""

from .threads import get_num_threads, set_num_threads

__all__ = ["get_num_threads", "set_num_threads"]
