"""How long a user waits before mininet computes: importing it, the first training step, compiling the kernels."""

import statistics
import tempfile
import time

from .processes import run_python, run_worker


def measure_import(repetitions):
    """Seconds of an interpreter that imports mininet, and of one that does nothing, in turn; medians."""
    seconds = {"import mininet": [], "pass": []}
    for _ in range(repetitions):
        for code, durations in seconds.items():
            start = time.perf_counter()
            run_python("-c", code)
            durations.append(time.perf_counter() - start)
    medians = {code: statistics.median(durations) for code, durations in seconds.items()}
    return {"import": {"mininet": medians["import mininet"], "nothing": medians["pass"]}}


def measure_first_step(case, threads):
    """Seconds of the first training step in a process, memory-free and exact, with the kernels compiled before."""
    return {"first step": {"seconds": _first_steps([case], threads, ["exact"])}}


def measure_compilation(cases, threads):
    """Seconds that compiling all kernels of training steps takes.

    It is the time of first steps with an empty folder for machine code, less their time with the folder it has become.
    The networks may have one layer: depth changes no kernel.
    """
    arguments = {"cases": cases, "threads": threads}
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = (run_worker("startup", "step_all", arguments, NUMBA_CACHE_DIR=folder) for _ in range(2))
    return {"compilation": {"seconds": cold["seconds"] - warm["seconds"], "warm": warm["seconds"]}}


def step_all(cases, threads):
    """Seconds of one step of every network, in both arithmetics."""
    return {"seconds": _first_steps(cases, threads, ["exact", "float"])}


def _first_steps(cases, threads, arithmetics):
    import mininet

    from .cases import Network
    from .with_mininet import start_training

    mininet.set_num_threads(threads)
    steps = [
        start_training(Network(**case), arithmetic, "reversible")[0] for case in cases for arithmetic in arithmetics
    ]
    start = time.perf_counter()
    for train in steps:
        train()
    return time.perf_counter() - start
