"""The machine's own limits: how fast it multiplies matrices and copies memory, on all cores and on one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .timing import median_seconds


def measure_numpy(size, threads, effort):
    """GFLOP/s of a float32 matrix product in NumPy."""
    from threadpoolctl import threadpool_limits

    a, b, out = _matrices(size)

    def rate(count):
        with threadpool_limits(count, user_api="blas"):
            return _gflops(size, median_seconds(lambda: np.matmul(a, b, out=out), **effort))

    return {"NumPy": _on_all_and_one(rate, threads)}


def measure_torch(size, threads, effort):
    """GFLOP/s of a float32 matrix product in PyTorch."""
    import torch

    a, b, out = (torch.from_numpy(matrix) for matrix in _matrices(size))

    def rate(count):
        torch.set_num_threads(count)
        return _gflops(size, median_seconds(lambda: torch.mm(a, b, out=out), **effort))

    return {"PyTorch": _on_all_and_one(rate, threads)}


def measure_copy(mib, threads, effort):
    """GB/s of copying an array, read and written bytes together; each thread copies its part."""
    source, target = (np.full(mib * 2**20 // 4, value, np.float32) for value in (1, 0))

    def rate(count):
        parts = list(zip(np.array_split(target, count), np.array_split(source, count), strict=True))
        with ThreadPoolExecutor(count) as pool:
            seconds = median_seconds(lambda: list(pool.map(lambda part: np.copyto(*part), parts)), **effort)
        return 2 * source.nbytes / seconds / 1e9

    return {"copy": _on_all_and_one(rate, threads)}


def _on_all_and_one(rate, threads):
    return {"all cores": rate(threads), "one core": rate(1)}


def _matrices(size):
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    return a, b, np.zeros_like(a)


def _gflops(size, seconds):
    return 2 * size**3 / seconds / 1e9
