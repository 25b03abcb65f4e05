"""One training on the digits: a stack of residual functions, run as a residual, a momentum or a reversible network.

All networks have the same functions, conv3x3 - batch norm - ReLU - conv3x3 - batch norm on `WIDTH` channels.  A
RevNet's functions see half of its channels, so it carries twice as many.  1,200 of the training images train, and the
other 237 choose the learning rate.  The test images are looked at once, after the last epoch.

Trainings store their activations, which takes less time: without storing them the gradients are the same bits.  The
memory of a step is measured without.
"""

import dataclasses
import functools
import pathlib
import statistics
import time
from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np

from ... import datasets, nn, optim
from ...autodiff import Tensor, no_grad
from ...autodiff import functional as F
from ...base.checks import one_of
from ...base.files import read_json
from ...base.types import AnyArray, Backprop
from ...datasets import Batches
from ...datasets.batches import Batch
from ...models.resnet import residual_function
from ...reversible import MomentumNet, ResidualNet, RevNet
from ...seeding import manual_seed
from ..digits import loss_and_gradients
from ..images.image_training import velocity_function
from ..step_memory import held_by_a_step
from .result import write

WIDTH, BATCH, TRAIN_IMAGES = 16, 64, 1200
KINDS = ("resnet", "momentum", "revnet")
FAILED = {"accuracy": 0.0, "loss": 0.0}


@dataclasses.dataclass(frozen=True)
class Settings:
    """A training; its learning rate rises for an epoch, then falls along a cosine."""

    kind: str  # one of `KINDS`
    depth: int  # how many residual functions
    gamma: float = 0.0  # of a momentum network
    learned_velocity: bool = False  # whether v_0 is conv3x3 - batch norm of x_0, or 0
    scale: float = 1.0  # the first weight of each function's last batch norm
    learning_rate: float = 0.1
    epochs: int = 15
    seed: int = 0

    @property
    def network(self) -> str:
        """The network in words that can be part of a file's name."""
        words = [self.kind, str(self.depth)]
        if self.kind == "momentum":
            words += [f"gamma{self.gamma:.6g}"] + ["learned"] * self.learned_velocity
        return "-".join(words + [f"scale{self.scale:.3g}"] * (self.scale != 1))

    @property
    def name(self) -> str:
        """The training in words that can be a file's name."""
        return f"digits-{self.network}-rate{self.learning_rate:g}-epochs{self.epochs}-seed{self.seed}"


def network(settings: Settings, backprop: Backprop = "reversible") -> nn.Sequential:
    """The network of `settings`, with weights drawn from its seed; "reversible" is "stored" for a residual network."""
    one_of("kind", settings.kind, KINDS)
    manual_seed(settings.seed)
    width = 2 * WIDTH if settings.kind == "revnet" else WIDTH
    stem = nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    functions = [residual_function(WIDTH) for _ in range(settings.depth)]
    for function in functions:
        function[-1].weight.data *= settings.scale
    layers: nn.Module
    if settings.kind == "resnet":
        layers = ResidualNet(functions, backprop="stored" if backprop == "reversible" else backprop)
    elif settings.kind == "revnet":
        layers = RevNet(functions, backprop=backprop)
    else:
        start = velocity_function(WIDTH) if settings.learned_velocity else None
        layers = MomentumNet(functions, settings.gamma, start, backprop=backprop)
    return nn.Sequential(*stem, layers, nn.GlobalAvgPool2d(), nn.Linear(width, 10))


def score(net: nn.Module, images: AnyArray, labels: AnyArray) -> dict[str, float]:
    """Accuracy and mean cross-entropy, in nats, of `net` in evaluation mode; 0 and 0 if its numbers are too large."""
    net.eval()
    try:
        with no_grad():
            logits = net(Tensor(images))
            loss = F.cross_entropy(logits, labels).item()
    except (FloatingPointError, OverflowError):
        return FAILED
    return (
        {"accuracy": float(np.mean(logits.data.argmax(axis=1) == labels)), "loss": loss} if isfinite(loss) else FAILED
    )


def train(settings: Settings, folder: pathlib.Path) -> dict[str, Any]:
    """Run one training and write what it gave to ``<name>.json`` in `folder`, or read it there.

    In the first epochs the running statistics of batch norm lag behind, and a deep network can leave the range of exact
    arithmetic in evaluation.  That scores 0, and the training goes on.  A training that diverges scores 0, too.
    """
    path = folder / f"{settings.name}.json"
    if path.exists():
        result: dict[str, Any] = read_json(path)
        return result
    start = time.monotonic()
    data = datasets.digits()
    training = data.train_images[:TRAIN_IMAGES], data.train_labels[:TRAIN_IMAGES]
    validation = data.train_images[TRAIN_IMAGES:], data.train_labels[TRAIN_IMAGES:]
    batches = Batches(*training, BATCH, settings.seed)
    memory = held_by_a_step(functools.partial(network, settings), *next(batches.of_epoch(0)))
    net = network(settings, "stored")
    optimizer = optim.SGD(net.parameters(), settings.learning_rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = optim.CosineDecay(optimizer, settings.epochs * len(batches), warmup=len(batches) - 1)
    losses: list[float] = []
    by_epoch = []
    scores: dict[str, Any] = {}
    try:
        for epoch in range(settings.epochs):
            losses.append(_epoch(net, optimizer, schedule, batches.of_epoch(epoch)))
            by_epoch.append(score(net, *validation)["accuracy"])
    except (FloatingPointError, OverflowError) as error:
        scores["diverged"] = str(error)
    for name, split in {"validation": validation, "test": data[2:]}.items():
        scores[name] = FAILED if "diverged" in scores else score(net, *split)
    return write(path, settings, losses, memory, start, validation_accuracy=by_epoch, **scores)


def _epoch(net: nn.Module, optimizer: optim.Optimizer, schedule: optim.Schedule, batches: Iterator[Batch]) -> float:
    """Train for an epoch, and return the mean loss of its batches."""
    net.train()
    losses = []
    for images, labels in batches:
        losses.append(loss_and_gradients(net, images, labels))
        optimizer.step()
        schedule.step()
    if not isfinite(losses[-1]):
        raise FloatingPointError(f"the loss is {losses[-1]}")
    return statistics.fmean(losses)
