"""Where the time of a training step goes, with stored activations and memory-free, side by side."""

import numpy as np

from .. import optim, seeding
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..profiling import profile
from .compare import WAYS, digits_network

WARM_UP_STEPS, STEPS = 2, 5


def profile_steps(depth=10, width=16, batch_size=64, size=32, arithmetic="exact"):
    """Profile training steps of a momentum network on random images.

    Parameters
    ----------
    depth, width : int
        Momentum layers, and channels.
    batch_size, size : int
        Images in a step, and their height and width.
    arithmetic : {"exact", "float"}

    Returns
    -------
    dict of str to Profile
        By the way of backpropagation, each of `STEPS` steps after `WARM_UP_STEPS` others.
    """
    random = np.random.default_rng(0)
    images = random.standard_normal((batch_size, size, size, 1), dtype=np.float32)
    labels = random.integers(0, 10, batch_size)
    profiles = {}
    for way in WAYS:
        seeding.manual_seed(0)
        net = digits_network(depth, width, 0.9, arithmetic, way)
        optimizer = optim.SGD(net.parameters(), 0.1, momentum=0.9)
        for _ in range(WARM_UP_STEPS):
            _step(net, optimizer, images, labels)
        with profile() as profiles[way]:
            for _ in range(STEPS):
                _step(net, optimizer, images, labels)
    return profiles


def _step(net, optimizer, images, labels):
    net.zero_grad()
    F.cross_entropy(net(Tensor(images)), labels).backward()
    optimizer.step()


def table(profiles):
    """The profiles as a text table of milliseconds and calls for a step, the costliest work first."""
    stored, reversible = profiles.values()
    names = sorted({**stored.seconds, **reversible.seconds}, key=lambda name: -reversible.seconds.get(name, 0))
    totals = [sum(entry.seconds.values()) for entry in (stored, reversible)]
    lines = [f"{'':26}{'stored activations':^26}{'memory-free':^26}",
             f"{'':26}" + 2 * f"{'calls':>7}{'ms':>9}{'share':>8}  "]  # fmt: skip
    for name in names:
        line = f"{name:26}"
        for entry, total in zip((stored, reversible), totals, strict=True):
            seconds, calls = entry.seconds.get(name, 0.0), entry.calls.get(name, 0)
            line += f"{calls / STEPS:7g}{1e3 * seconds / STEPS:9.2f}{seconds / total:8.1%}  "
        lines.append(line.rstrip())
    lines.append(f"{'total':26}" + "".join(f"{'':7}{1e3 * total / STEPS:9.2f}{1:8.0%}  " for total in totals).rstrip())
    return "\n".join(lines)
