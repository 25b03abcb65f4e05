"""How time and memory are measured, the same for all libraries."""

import statistics
import sys
import time


def repeat(function, seconds, least, warm_up):
    """Call `function` `warm_up` times, then for so many seconds and at least `least` times; the seconds of each call.

    What it returns is dropped at once, as a training loop would.
    """
    for _ in range(warm_up):
        function()
    durations = []
    end = time.perf_counter() + seconds
    while len(durations) < least or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        durations.append(time.perf_counter() - start)
    return durations


def median_seconds(function, seconds, least, warm_up):
    """The median of `repeat`."""
    return statistics.median(repeat(function, seconds, least, warm_up))


def peak_mib():
    """The most memory this process has held so far, in MiB (peak resident set size).

    Linux counts in getrusage also what the process held before it became this program, a copy of its parent; the
    high-water mark in /proc does not.
    """
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 2**10
    except (OSError, StopIteration):
        import resource  # Windows has neither

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
