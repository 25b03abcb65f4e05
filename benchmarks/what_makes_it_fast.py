"""What each part brings: a training step with the part switched off, over a step with everything.

    python -m benchmarks.what_makes_it_fast   # 2 minutes; prints the table of docs/fast.md

All ways take turns in one process, step by step.  Ratios are taken within a round; the table has their medians.
"""

import contextlib
import dataclasses
import statistics
import sys
import time
import types
from unittest import mock

import numba

import mininet
from mininet.kernels import buffers, convolution, direct, exact, winograd

from .cases import NETWORKS
from .with_mininet import start_training

DEPTH = 2
"""Ratios hardly depend on it."""


def _off(*replaced):
    """A context in which attributes have other values: (object, name, value)."""
    stack = contextlib.ExitStack()
    for owner, name, value in replaced:
        stack.enter_context(mock.patch.object(owner, name, value))
    return stack


def _never(*_):
    return False


def _without_winograd():
    return _off((winograd, "fits", _never))


def _without_direct():
    return _off((direct, "fits", _never), (convolution, "DIRECT_WEIGHT_GRADIENT", 0))


def _without_simd():
    return _off((winograd, "fits", _never), (direct, "fits", _never))


_nothing = numba.njit(lambda x, v, b, f, values, start: None)
_options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_waiting = {
    name: numba.njit(**_options)(
        types.FunctionType(getattr(exact, name).py_func.__code__, {**vars(exact), "_prefetch_block": _nothing})
    )
    for name in ("_step", "_undo_both")
}


def _without_prefetch():
    return _off(*((exact, name, kernel) for name, kernel in _waiting.items()))


@contextlib.contextmanager
def _without_threads():
    before = mininet.get_num_threads()
    mininet.set_num_threads(1)
    yield
    mininet.set_num_threads(before)


@contextlib.contextmanager
def _without_reused_memory():
    before = buffers.get_limit()
    buffers.set_limit(0)
    yield
    buffers.set_limit(before)


PARTS = {
    "`winograd`": _without_winograd,
    "`direct`": _without_direct,
    "register tile, which both need": _without_simd,
    "`prefetch`": _without_prefetch,
    "`threads`": _without_threads,
    "reused memory": _without_reused_memory,
}
"""What is switched off, and how."""


def ratios(network, seconds):
    """For each of `PARTS`, how many times as long a step takes without it, one number for every round."""
    train, _ = start_training(dataclasses.replace(network, depth=DEPTH), "exact", "reversible")
    ways = {None: contextlib.nullcontext, **PARTS}
    found = {part: [] for part in PARTS}
    _round(train, ways)  # compiles
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        steps = _round(train, ways)
        for part, each in found.items():
            each.append(steps[part] / steps[None])
    return found


def _round(train, ways):
    steps = {}
    for part, switched_off in ways.items():
        with switched_off():
            train()  # fills what is reused
            start = time.perf_counter()
            train()
            steps[part] = time.perf_counter() - start
    return steps


def main(seconds=30):
    """Print the table, after so many seconds for each network."""
    print(f"| without | {' | '.join(PARTS)} |")
    print("| --- |" + " ---: |" * len(PARTS), flush=True)
    for network in NETWORKS:
        found = [f"{statistics.median(each):.2f}" for each in ratios(network, seconds).values()]
        print(f"| {network.name} | {' | '.join(found)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))
