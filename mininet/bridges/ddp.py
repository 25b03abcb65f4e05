"""Memory-free training on many processes: PyTorch's DistributedDataParallel around an exact momentum ResNet.

    torchrun --nproc_per_node 2 -m mininet.bridges.ddp

Each process has its own part of the digits.  After each step it compares the gradients, averaged over processes, with
those of the same network with stored activations.
"""

import argparse
import copy

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mininet import datasets
from mininet.bridges.torch import MomentumNet


def block(channels: int) -> nn.Module:
    """A residual function."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout(0.1)
    )


def main() -> None:
    """Train, compare, and print what the first process saw."""
    parser = argparse.ArgumentParser(description="Train a momentum ResNet on digits by several processes.")
    parser.add_argument("--steps", type=int, default=50, help="of 64 images in each process")
    steps = parser.parse_args().steps
    dist.init_process_group("gloo")
    rank, processes = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    images, labels = (torch.from_numpy(array) for array in datasets.digits()[:2])
    images = images.permute(0, 3, 1, 2).float()
    layers = MomentumNet([block(16) for _ in range(10)], gamma=0.9)
    net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), layers, nn.Flatten(), nn.Linear(16 * 64, 10))
    stored = copy.deepcopy(net)
    stored[1].backprop = "stored"
    nets = [DistributedDataParallel(each) for each in (net, stored)]
    optimizers = [torch.optim.SGD(each.parameters(), lr=0.01, momentum=0.9) for each in nets]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))[rank::processes]
    different = 0
    for step in range(steps):
        chosen = order[torch.arange(64 * step, 64 * (step + 1)) % len(order)]
        for each, optimizer in zip(nets, optimizers, strict=True):
            torch.manual_seed(processes * step + rank)  # dropout: another in each process, the same for both networks
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(each(images[chosen]), labels[chosen])
            loss.backward()
        pairs = zip(net.parameters(), stored.parameters(), strict=True)
        different += sum(not torch.equal(one.grad, other.grad) for one, other in pairs)
        for optimizer in optimizers:
            optimizer.step()
    if rank == 0:
        bits = f"{different} gradients differ" if different else "0 bits between memory-free and stored gradients"
        print(f"{processes} processes, {steps} steps: loss {loss.item():.4f}, {bits}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
