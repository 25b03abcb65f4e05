"""Does anything grow?  ``python leaks.py train WAY`` trains for 5,000 steps, ``python leaks.py leak KIND`` leaks.

Prints, as JSON, what was counted before and after.
"""

import argparse
import ctypes
import gc
import json
import os
import pathlib
import sys
from collections import Counter

import numpy as np

from mininet import MomentumNet, Tensor, manual_seed, nn, optim, track_memory
from mininet import functional as F
from mininet.autodiff.tape import Record, Slot
from mininet.datasets import Batches, augmentation
from mininet.experiments import image_training
from mininet.kernels import buffers

STEPS, WARM_UP = 5000, 300
"""Between the two countings, and before the first."""


def census(tracker):
    """What lives now, after a collection of garbage.

    tracker : a `MemoryTracker` that has been open from the start, and so knows all arrays reported since
    """
    gc.collect()
    objects = Counter(type(each) for each in gc.get_objects())
    status = pathlib.Path("/proc/self/status").read_text()
    return {
        "tensors": sum(count for kind, count in objects.items() if issubclass(kind, Tensor)),
        "records": objects[Record],
        "slots": objects[Slot],
        "tracked objects": sum(objects.values()),
        "blocks of memory": sys.getallocatedblocks(),
        "arrays": len(tracker._buffers),
        "bytes in arrays": tracker.current_bytes,
        "idle bytes": buffers.idle_bytes(),
        "file handles": len(os.listdir("/proc/self/fd")),
        "KiB of the process": int(status.split("VmRSS:")[1].split()[0]),
    }


def watch(step, steps=STEPS):
    """The census after a warm-up and after so many more steps."""
    with track_memory() as tracker:
        for _ in range(WARM_UP):
            step()
        census(tracker)  # the first one makes its own
        before = census(tracker)
        for _ in range(steps):
            step()
        return before, census(tracker)


def training_step(way):
    """A step of a small classifier in exact arithmetic, with all that a training has."""
    manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        MomentumNet([block() for _ in range(2)], gamma=0.9, arithmetic="exact", backprop=way),
        nn.GlobalAvgPool2d(),
        nn.Linear(8, 10),
    )
    optimizer = optim.SGD(net.parameters(), 0.05, momentum=0.9)
    schedule = optim.CosineDecay(optimizer, STEPS + WARM_UP)
    split = image_training.load("digits")
    batches = Batches(split.train_images[:64], split.train_labels[:64], 8, transform=prepared, prefetch=1)

    def endless():
        while True:
            yield from batches

    feed = endless()

    def step():
        images, labels = next(feed)
        net.zero_grad()
        F.cross_entropy(net(Tensor(images)), labels).backward()
        optimizer.step()
        schedule.step()

    return step


def block():
    return nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1))


def prepared(images, random):
    return augmentation.normalized(augmentation.shifted(images, random, 1), [0.5] * 3, [0.3] * 3)


def leaking_step(kind):
    """A step that keeps one thing of a kind each time."""
    weight, kept = Tensor(np.ones(1, np.float32), requires_grad=True), []
    allocate = ctypes.CDLL(None).malloc
    allocate.restype = ctypes.c_void_p

    def step():
        if kind == "tensor":
            kept.append(Tensor(np.ones(1, np.float32)))
        elif kind == "tape":
            kept.append((weight * weight).slot)
        elif kind == "array":
            kept.append((weight * 2).data)
        elif kind == "idle buffer":
            buffers.empty(buffers.SMALLEST + len(kept), np.uint8)
            kept.append(None)
        elif kind == "object":
            kept.append(object())
        elif kind == "cycle":
            kept.append([kept])
        elif kind == "bytes of C":
            ctypes.memset(allocate(4096), 1, 4096)
        elif kind == "file handle":
            kept.append(os.open(os.devnull, os.O_RDONLY) if len(kept) < 500 else 0)
        else:
            assert kind == "nothing"

    return step


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=("train", "leak"))
    parser.add_argument("names", nargs="+", help="ways of backpropagation, or kinds of leaks")
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    make = {"train": training_step, "leak": leaking_step}[options.job]
    json.dump({name: watch(make(name), options.steps) for name in options.names}, sys.stdout)
