"""The layer for PyTorch, `mininet.bridges.torch`, and what else trains a momentum network in PyTorch."""

import ctypes
import functools
import importlib
import math
import time

import torch
from torch.utils.checkpoint import checkpoint

from .cases import GAMMA, Network, network_input
from .timing import peak_mib
from .with_torch import authors_net, images, residual_function, start_training, stored_net


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


def measure_times(case, threads, memory_format, seconds, least):
    """Seconds of training steps of all ways, in one process and in turn: what slows the machine slows all."""
    torch.set_num_threads(threads)
    trainings, measured = {}, {}
    for way in WAYS:
        trainings[way], check = _training(way, Network(**case), memory_format)
        measured[way] = {"check": check(), "steps": []}
    end = time.perf_counter() + seconds
    while len(measured["exact"]["steps"]) < least or time.perf_counter() < end:
        for way, train in trainings.items():
            start = time.perf_counter()
            train()
            measured[way]["steps"].append(time.perf_counter() - start)
    return {f"{way} {memory_format}": numbers for way, numbers in measured.items()}


def measure_memory(case, threads, way):
    """MiB by which the process grows in two training steps; bytes that exactness keeps for the way back."""
    ctypes.CDLL(None).mallopt(-3, 2**16)  # M_MMAP_THRESHOLD: what is freed is given back, or gaps would be counted
    torch.set_num_threads(threads)
    WAYS[way]()  # imports what it needs
    network, before = Network(**case), peak_mib()
    train, _ = _training(way, network, "contiguous")
    for _ in range(2):
        train()
    numbers = {"grown_mib": peak_mib() - before}
    if way == "exact":
        bridge = importlib.import_module("mininet.bridges.torch")
        x = images(network_input(network), "contiguous")
        net = WAYS[way]()([residual_function(network) for _ in range(network.depth)])
        _, state = bridge.Run(net, x).through(x)
        numbers |= {"words": state.words.nbytes, "spilled": sum(bits.nbytes for bits in state.spilled)}
    return {way: numbers}


def _training(way, network, memory_format):
    net = WAYS[way]()([residual_function(network) for _ in range(network.depth)])
    return start_training(net, network, memory_format)
