"""Does anything grow?  ``python leaks.py train WAY`` trains for 5,000 steps, ``python leaks.py leak KIND`` leaks.

Prints, as JSON, what was counted before and after.
"""

import argparse
import collections
import ctypes
import gc
import json
import os
import pathlib
import sys

import numpy as np

from mininet import MomentumNet, Tensor, manual_seed, nn, optim, track_memory
from mininet import functional as F
from mininet.autodiff.tape import Record
from mininet.datasets import Batches, augmentation
from mininet.experiments.images import image_training
from mininet.kernels import buffers

STEPS, WARM_UP = 5000, 300
"""Between the two countings, and before the first: for a while, NumPy keeps ever more memory for shapes of arrays."""


def census(tracker):
    """What lives now; the `MemoryTracker` has been open from the start, and so knows all arrays reported since."""
    gc.collect()
    objects = collections.Counter(type(each) for each in gc.get_objects())
    status = pathlib.Path("/proc/self/status").read_text()
    return {
        "tensors": sum(count for kind, count in objects.items() if issubclass(kind, Tensor)),
        "records": objects[Record],
        "blocks of memory": sys.getallocatedblocks(),
        "arrays": len(tracker._allocations),
        "bytes in arrays": tracker.current_bytes,
        "idle bytes": buffers.idle_bytes(),
        "file handles": len(os.listdir("/proc/self/fd")),
        "KiB of the process": int(status.split("VmRSS:")[1].split()[0]),
    }


def watch(step, steps, warm_up):
    """The census after a warm-up and after so many more steps."""
    with track_memory() as tracker:
        for _ in range(warm_up):
            step()
        census(tracker)  # the first one makes its own
        before = census(tracker)
        for _ in range(steps):
            step()
        return before, census(tracker)


def block():
    return nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1))


def prepared(images, random):
    return augmentation.normalized(augmentation.shifted(images, random, 1), [0.5] * 3, [0.3] * 3)


def training_step(way):
    """A step of a small classifier in exact arithmetic, with all that a training has."""
    manual_seed(0)
    momentum_net = MomentumNet([block() for _ in range(2)], gamma=0.9, arithmetic="exact", backprop=way)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), momentum_net, nn.GlobalAvgPool2d(), nn.Linear(8, 10))
    optimizer = optim.SGD(net.parameters(), 0.05, momentum=0.9)
    schedule = optim.CosineDecay(optimizer, STEPS + WARM_UP)
    split = image_training.load("digits")
    batches = Batches(split.train_images[:64], split.train_labels[:64], 8, transform=prepared, prefetch=1)
    feed = (batch for _ in iter(int, 1) for batch in batches)  # without end

    def step():
        images, labels = next(feed)
        net.zero_grad()
        F.cross_entropy(net(Tensor(images)), labels).backward()
        optimizer.step()
        schedule.step()

    return step


def leaking_step(kind):
    """A step that keeps one thing of a kind each time."""
    weight, kept = Tensor(np.ones(1, np.float32), requires_grad=True), []
    allocate = ctypes.CDLL(None).malloc
    allocate.restype = ctypes.c_void_p
    leak = {
        "nothing": lambda: None,
        "tensor": lambda: Tensor(np.ones(1, np.float32)),
        "tape": lambda: (weight * weight).slot,
        "idle buffer": lambda: len(buffers.empty(buffers.SMALLEST + len(kept), np.uint8)),
        "object": object,
        "bytes of C": lambda: ctypes.memset(allocate(2**16), 1, 2**16),
        "file handle": lambda: os.open(os.devnull, os.O_RDONLY),
    }[kind]
    return lambda: kept.append(leak())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=("train", "leak"))
    parser.add_argument("names", nargs="+", help="ways of backpropagation, or kinds of leaks")
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    make = {"train": training_step, "leak": leaking_step}[options.job]
    warm_ups = collections.defaultdict(lambda: 40, {options.names[0]: WARM_UP})
    json.dump({name: watch(make(name), options.steps, warm_ups[name]) for name in options.names}, sys.stdout)
