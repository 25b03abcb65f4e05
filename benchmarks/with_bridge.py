"""The layer for PyTorch, `mininet.bridges.torch`, and what else trains a momentum network in PyTorch."""

import ctypes
import functools
import importlib
import math
import time

import torch
from torch.utils.checkpoint import checkpoint

from .cases import GAMMA, Network
from .timing import peak_mib
from .with_torch import authors_net, residual_function, start_training, stored_net


def _bridge(**settings):
    bridge = importlib.import_module("mininet.bridges.torch")  # only where it is measured, for memory's sake
    return functools.partial(bridge.MomentumNet, gamma=GAMMA, **settings)


WAYS = {
    "exact": lambda: _bridge(),
    "exact, stored": lambda: _bridge(backprop="stored"),
    "float": lambda: _bridge(arithmetic="float"),
    "float, stored": lambda: _bridge(arithmetic="float", backprop="stored"),
    "autograd": lambda: stored_net(),
    "checkpoint": lambda: stored_net(_checkpointed),
    "authors": lambda: authors_net(),
}
"""What makes a network of residual functions."""


def _checkpointed(layers, x, v):
    """Run layers, keeping x and v only every sqrt(N) of them."""
    length = math.ceil(math.sqrt(len(layers)))

    def through(first, x, v):
        for layer in layers[first : first + length]:
            x, v = layer(x, v)
        return x, v

    for first in range(0, len(layers), length):
        x, v = checkpoint(through, first, x, v, use_reentrant=False)
    return x


def measure_times(case, threads, turns):
    """Seconds of training steps of all ways, in one process and in turn: what slows the machine slows all."""
    torch.set_num_threads(threads)
    trainings, measured = {}, {}
    for way in WAYS:
        trainings[way], check = _training(way, Network(**case))
        measured[way] = {"check": check(), "steps": []}  # the check warms up, too
    for _ in range(turns):
        for way, train in trainings.items():
            start = time.perf_counter()
            train()
            measured[way]["steps"].append(time.perf_counter() - start)
    return measured


def measure_memory(case, threads, way):
    """MiB by which the process grows in two training steps."""
    ctypes.CDLL(None).mallopt(-3, 2**16)  # M_MMAP_THRESHOLD: what is freed is given back, or gaps would be counted
    torch.set_num_threads(threads)
    WAYS[way]()  # imports what it needs
    before = peak_mib()
    train, _ = _training(way, Network(**case))
    for _ in range(2):
        train()
    return {way: {"grown_mib": peak_mib() - before}}


def _training(way, network):
    net = WAYS[way]()([residual_function(network) for _ in range(network.depth)])
    return start_training(net, network, "contiguous")
