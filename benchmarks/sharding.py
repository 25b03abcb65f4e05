"""What does a step of sharded training take, and what does it send?

    python -m benchmarks.sharding                  # one process, all cores
    mpiexec -n 2 python -m benchmarks.sharding     # two, which divide the cores

A Momentum ResNet-20 (exact, memory-free) on 128 random images of 32x32, in 4 shards.
"""

import statistics

import numpy as np

from mininet import get_num_threads, manual_seed, models, optim
from mininet.datasets import Batches
from mininet.training import Training

from .timing import repeat


def main():
    """Measure, and print a line."""
    manual_seed(0)
    net = models.to_momentum(models.resnet20(), gamma=0.9)
    images = np.random.default_rng(0).standard_normal((128, 32, 32, 3)).astype(np.float32)
    batches = Batches(images, np.arange(128) % 10, 128)
    training = Training(net, optim.SGD(net.parameters(), 0.01), None, batches, batches, 1, progress=False, shards=4)
    ((images, labels),) = batches.of_epoch(0)
    training._step(images, labels)
    training.processes.sent = 0
    seconds = repeat(lambda: training._step(images, labels), seconds=0, least=8, warm_up=0)  # the same number in each
    sent = training.processes.gathered([training.processes.sent])
    if training.processes.rank == 0:
        print(
            f"{training.processes.size} processes of {get_num_threads()} threads: "
            f"median {statistics.median(seconds):.3f} s, least {min(seconds):.3f} s a step; "
            f"{sum(sent) / len(seconds):,.0f} bytes a step in all"
        )


if __name__ == "__main__":
    main()
