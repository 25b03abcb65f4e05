"""Where the time of a training step goes, with stored activations and memory-free, side by side."""

import numpy as np

from .. import optim, seeding
from ..base.types import Arithmetic
from ..profiling import Profile, profile
from .digits import WAYS, digits_network, loss_and_gradients

WARM_UP_STEPS, STEPS = 2, 5


def profile_steps(
    depth: int = 10, width: int = 16, batch_size: int = 64, size: int = 32, arithmetic: Arithmetic = "exact"
) -> dict[str, Profile]:
    """Profile `STEPS` training steps on random images: a `Profile` by the way of backpropagation."""
    random = np.random.default_rng(0)
    images = random.standard_normal((batch_size, size, size, 1), dtype=np.float32)
    labels = random.integers(0, 10, batch_size)
    profiles: dict[str, Profile] = {}
    for way in WAYS:
        seeding.manual_seed(0)
        net = digits_network(depth, width, 0.9, arithmetic, way)
        optimizer = optim.SGD(net.parameters(), 0.1, momentum=0.9)

        def train(steps, net=net, optimizer=optimizer):
            for _ in range(steps):
                loss_and_gradients(net, images, labels)
                optimizer.step()

        train(WARM_UP_STEPS)
        with profile() as profiles[way]:
            train(STEPS)
    return profiles


def table(profiles: dict[str, Profile]) -> str:
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
