"""Plain arrays in, plain arrays out: loops compiled by Numba, and BLAS calls.  Nothing here knows about tensors."""

from .threads import get_num_threads, set_num_threads

__all__ = ["get_num_threads", "set_num_threads"]
