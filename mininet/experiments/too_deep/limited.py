"""How large can a network or its batch be, with little memory, before a training step ends in MemoryError?

``python -m mininet.experiments.too_deep.limited METHOD MIB ...`` prints the answer for some limits as JSON.  It runs a
step without a limit, so that all code is loaded and compiled.  Then it forks for every trial.  The fork may ask for so
many MiB more address space than the process has.  It runs a training step: the network, its gradients, the optimiser.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import optim, set_num_threads
from ...base.types import Backprop
from ...kernels import buffers
from ..accuracy.digits_training import Settings, network
from ..digits import loss_and_gradients

METHODS: dict[str, tuple[str, Backprop]] = {
    "stored": ("resnet", "stored"),
    "checkpointed": ("resnet", "checkpointed"),
    "memory-free": ("momentum", "reversible"),
}
"""Kind of network and backpropagation by name."""

DEPTH, BATCH, GAMMA = 10, 64, 0.9


def unavailable() -> str:
    """Say why this system cannot limit the memory of a process; empty if it can."""
    return "" if sys.platform == "linux" else f"memory is limited on Linux only, this is {sys.platform}"


def largest(method: str, limits: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """What `search` finds for each of `limits`, in MiB, in a process of its own: lists for "depth" and "batch"."""
    command = [sys.executable, "-m", __name__, method, *map(str, limits)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed: {done.stderr}")
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def step(method: str, depth: int, batch: int) -> None:
    """One training step on random images of 8x8."""
    kind, backprop = METHODS[method]
    net = network(Settings(kind, depth, GAMMA), backprop)
    optimizer = optim.SGD(net.parameters(), 0.1, momentum=0.9)
    images = np.random.default_rng(0).random((batch, 8, 8, 1), np.float32)
    loss_and_gradients(net, images, np.arange(batch) % 10)
    optimizer.step()


def trial(method: str, limit: int, depth: int, batch: int) -> str:
    """Try a step in a fork with `limit` more MiB; returns the message of its MemoryError, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        message = "the process ended"
        try:
            _allow(2**20 * limit)
            step(method, depth, batch)
            message = ""
        except MemoryError as error:
            message = str(error) or "MemoryError"
        finally:
            os.write(writing, message.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as pipe:
        return pipe.read()


def _allow(more: int) -> None:
    import resource

    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    total = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (total, total))


def search(try_: Callable[[int], str]) -> dict[str, Any]:
    """The largest number for which `try_` returns nothing, and what it returns for the next one."""
    good, bad, message = 0, 1, try_(1)
    while not message:
        good, bad = bad, 2 * bad
        message = try_(bad)
    while bad - good > max(1, good // 50):
        middle = (good + bad) // 2
        if found := try_(middle):
            bad, message = middle, found
        else:
            good = middle
    return {"largest": good, "message": message}


def main(method: str, *limits: str) -> None:
    """Print what `largest` returns."""
    set_num_threads(1)
    buffers.set_limit(0)
    for batch in (2, BATCH):
        step(method, 2, batch)
    found: dict[str, list[dict[str, Any]]] = {"depth": [], "batch": []}
    for limit in map(int, limits):
        found["depth"].append(search(functools.partial(trial, method, limit, batch=BATCH)))
        found["batch"].append(search(functools.partial(trial, method, limit, DEPTH)))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
