"""Does anything grow?  ``python leaks.py WAY`` trains for 5,000 steps.

Prints, as JSON, what was counted before and after.
"""

import argparse
import collections
import gc
import json
import os
import pathlib
import sys

from mininet import MomentumNet, Tensor, manual_seed, nn, optim, track_memory
from mininet import functional as F
from mininet.autodiff.tape import Record
from mininet.datasets import Batches, augmentation
from mininet.experiments.images import image_training
from mininet.kernels import buffers

STEPS, WARM_UP = 5000, 400
"""Between the two countings, and before the first: for a while, NumPy and Python 3.13 keep ever more memory."""


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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="+", help="of backpropagation")
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    json.dump({way: watch(training_step(way), options.steps, WARM_UP if way == options.ways[0] else 40)
               for way in options.ways}, sys.stdout)  # fmt: skip
