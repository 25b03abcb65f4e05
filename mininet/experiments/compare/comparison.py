"""The main job: train one network on real digits twice, with stored activations and without, and compare.

Both networks start from the same weights and see the same batches in turn, step by step.  In exact arithmetic they must
stay the same to the last bit all the way; what differs is what they hold in memory.
"""

import dataclasses
import math
import statistics
import time

import numpy as np
from tqdm import tqdm

from ... import optim
from ...datasets import Batches, digits
from ...memory import MemoryTracker, track_memory
from ...precision import bits_of_difference
from ...seeding import manual_seed
from ..digits import METHODS, WAYS, accuracy, check_inversion, digits_network, loss_and_gradients
from ..step_memory import by_method

DEPTHS = (1, 2, 5, 10, 20, 50, 100, 200)
MEMORY_BATCH = 16


@dataclasses.dataclass(frozen=True)
class Settings:
    """What `compare` trains; the learning rate rises for an epoch, then falls along a cosine."""

    depth: int = 10
    width: int = 16
    gamma: float = 0.9
    arithmetic: str = "exact"
    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 0.1
    seed: int = 0


@dataclasses.dataclass
class Run:
    """What was seen of one of the two networks."""

    losses: list = dataclasses.field(default_factory=list)
    seconds: list = dataclasses.field(default_factory=list)
    accuracy: float = float("nan")
    memory: MemoryTracker | None = None

    @property
    def seconds_per_step(self):
        """The median, or None if no step was timed."""
        return statistics.median(self.seconds) if self.seconds else None


@dataclasses.dataclass
class Comparison:
    """What `compare` found."""

    settings: Settings
    runs: dict  # of `Run`, by the way of backpropagation
    gradient_bits: int  # the largest `gradient_difference` in training, in bits and relative
    gradient_relative: float
    weight_bits: int  # by which trained weights and running statistics differ at most
    inversion: dict  # of the network trained with stored activations, an `InversionReport` by arithmetic
    depths: tuple
    memory: dict  # for each of `METHODS`, a `MemoryTracker` of one training step at each of `depths`
    element_count: int  # of x in the memory measurement, for the information limit


def _network(settings, way):
    manual_seed(settings.seed)
    return digits_network(settings.depth, settings.width, settings.gamma, settings.arithmetic, way)


def compare(settings=None, depths=DEPTHS, progress=True):
    """Train both ways, and measure memory at `depths`; raises OverflowError or FloatingPointError if it diverges."""
    settings = settings or Settings()
    data = digits()
    runs = {way: Run() for way in WAYS}
    nets = {way: _network(settings, way) for way in WAYS}
    gradient_bits, gradient_relative = _train(nets, runs, data, settings, progress)
    for way, net in nets.items():
        runs[way].accuracy = accuracy(net, data.test_images, data.test_labels)
    states = [net.state_dict() for net in nets.values()]
    weight_bits = max(bits_of_difference(states[0][name], states[1][name]) for name in states[0])
    batch = data.test_images[: settings.batch_size]
    inversion = {arithmetic: check_inversion(nets["stored"], batch, arithmetic) for arithmetic in ("exact", "float")}
    images, labels = (array[:MEMORY_BATCH] for array in data[:2])
    memory = memory_by_depth(images, labels, settings.width, settings.gamma, depths, progress)
    differences, elements = (gradient_bits, gradient_relative, weight_bits), images.size * settings.width
    return Comparison(settings, runs, *differences, inversion, tuple(depths), memory, elements)


def _train(nets, runs, data, settings, progress):
    """Train `nets` in turn on the same batches; the largest `gradient_difference` before each epoch and at the end."""
    batches = Batches(data.train_images, data.train_labels, settings.batch_size, seed=settings.seed)
    optimizers, schedules = {}, {}
    for way, net in nets.items():
        optimizers[way] = optim.SGD(
            net.parameters(), settings.learning_rate, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        schedules[way] = optim.CosineDecay(optimizers[way], settings.epochs * len(batches), len(batches) - 1)
    differences = []
    with tqdm(total=settings.epochs * len(batches), unit="step", desc="training both", disable=not progress) as bar:
        for epoch in range(settings.epochs):
            for number, (images, labels) in enumerate(batches):
                if number == 0:
                    differences.append(gradient_difference(nets["stored"], settings, images, labels))
                for way, net in nets.items():
                    runs[way].losses.append(_step(net, optimizers[way], images, labels, runs[way]))
                    schedules[way].step()
                if not math.isfinite(runs["stored"].losses[-1]):
                    raise FloatingPointError(f"the loss is {runs['stored'].losses[-1]}")
                bar.update()
                bar.set_postfix(epoch=epoch + 1, loss=f"{runs['reversible'].losses[-1]:.4f}", refresh=False)
    images, labels = data.train_images[: settings.batch_size], data.train_labels[: settings.batch_size]
    differences.append(gradient_difference(nets["stored"], settings, images, labels))
    return tuple(max(values) for values in zip(*differences, strict=True))


def _step(net, optimizer, images, labels, run):
    """One training step, timed; memory is measured on the first one, which is not timed."""
    if run.memory is None:
        with track_memory() as run.memory:
            loss = loss_and_gradients(net, images, labels)
        optimizer.step()
        return loss
    start = time.perf_counter()
    loss = loss_and_gradients(net, images, labels)
    optimizer.step()
    run.seconds.append(time.perf_counter() - start)
    return loss


def gradient_difference(net, settings, images, labels):
    """The largest difference of both ways' gradients from the weights of `net`, in bits and relative to their norm."""
    gradients = []
    for way in WAYS:
        twin = _network(settings, way)
        twin.load_state_dict(net.state_dict())
        loss_and_gradients(twin, images, labels)
        gradients.append(np.concatenate([parameter.grad.ravel() for parameter in twin.parameters()]))
    stored, reversible = gradients
    relative = float(np.linalg.norm(stored - reversible) / np.linalg.norm(stored))
    return bits_of_difference(stored, reversible), relative


def memory_by_depth(images, labels, width, gamma, depths=DEPTHS, progress=False):
    """Measure what a training step holds: a list of `MemoryTracker`, one per depth, for each of `METHODS`."""

    def measure(method, depth):
        net = digits_network(depth, width, gamma, *METHODS[method])
        with track_memory() as memory:
            loss_and_gradients(net, images, labels)
        return memory

    return by_method(METHODS, depths, measure, progress)
