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

from .. import nn, optim
from ..autodiff import Tensor, no_grad
from ..autodiff import functional as F
from ..datasets import Batches, digits
from ..memory import MemoryTracker, track_memory
from ..models.resnet import residual_function
from ..precision import bits_of_difference
from ..reversible import MomentumNet
from ..seeding import manual_seed

WAYS = ("stored", "reversible")
DEPTHS = (1, 2, 5, 10, 20, 50, 100, 200)


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
    """What `compare` found.

    Attributes
    ----------
    runs : dict of str to Run
        By the way of backpropagation.
    gradient_bits : int
    gradient_relative : float
        The largest `gradient_difference` seen in training, in bits and relative.
    weight_bits : int
        The same for the trained weights and running statistics.
    inversion : dict of str to InversionReport
        Of the network trained with stored activations on a batch, in each arithmetic.
    memory : dict of str to list of MemoryTracker
        For each method of `METHODS`, what one training step held, at each of `depths`.
    element_count : int
        Elements of x in the memory measurement, for the information limit.
    """

    settings: Settings
    runs: dict
    gradient_bits: int
    gradient_relative: float
    weight_bits: int
    inversion: dict
    depths: tuple
    memory: dict
    element_count: int


def digits_network(depth, width, gamma, arithmetic, backprop):
    """A momentum network for digits: a first convolution, `depth` momentum layers, a linear classifier."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        MomentumNet([residual_function(width) for _ in range(depth)], gamma, arithmetic=arithmetic, backprop=backprop),
        nn.GlobalAvgPool2d(),
        nn.Linear(width, 10),
    )


def _network(settings, way):
    manual_seed(settings.seed)
    return digits_network(settings.depth, settings.width, settings.gamma, settings.arithmetic, way)


def compare(settings=None, depths=DEPTHS, progress=True):
    """Train both ways, and measure.

    Parameters
    ----------
    settings : Settings, optional
    depths : sequence of int
        At which to measure memory.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    Comparison

    Raises
    ------
    OverflowError, FloatingPointError
        If training diverges.
    """
    settings = settings or Settings()
    data = digits()
    runs = {way: Run() for way in WAYS}
    nets = {way: _network(settings, way) for way in WAYS}
    gradient_bits, gradient_relative = _train(nets, runs, data, settings, progress)
    for way, net in nets.items():
        runs[way].accuracy = accuracy(net, data.test_images, data.test_labels)
    states = [net.state_dict() for net in nets.values()]
    weight_bits = max(bits_of_difference(states[0][name], states[1][name]) for name in states[0])
    inversion = _inversion(nets["stored"], data.test_images[: settings.batch_size])
    images, labels = (array[:MEMORY_BATCH] for array in data[:2])
    memory = memory_by_depth(images, labels, settings.width, settings.gamma, depths, progress)
    return Comparison(
        settings=settings,
        runs=runs,
        gradient_bits=gradient_bits,
        gradient_relative=gradient_relative,
        weight_bits=weight_bits,
        inversion=inversion,
        depths=tuple(depths),
        memory=memory,
        element_count=len(images) * images[0].size * settings.width,
    )


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
            loss = _loss_and_gradients(net, images, labels)
        optimizer.step()
        return loss
    start = time.perf_counter()
    loss = _loss_and_gradients(net, images, labels)
    optimizer.step()
    run.seconds.append(time.perf_counter() - start)
    return loss


def _loss_and_gradients(net, images, labels):
    net.zero_grad()
    loss = F.cross_entropy(net(images), labels)
    loss.backward()
    return loss.item()


def gradient_difference(net, settings, images, labels):
    """How far the gradients of the two ways differ from the weights of `net`, which stays as it is.

    Returns
    -------
    bits : int
        How many of the last bits differ at most.
    relative : float
        Norm of the difference, of all parameters together, relative to the norm of the gradient.
    """
    gradients = []
    for way in WAYS:
        twin = _network(settings, way)
        twin.load_state_dict(net.state_dict())
        _loss_and_gradients(twin, images, labels)
        gradients.append(np.concatenate([parameter.grad.ravel() for parameter in twin.parameters()]))
    stored, reversible = gradients
    relative = float(np.linalg.norm(stored - reversible) / np.linalg.norm(stored))
    return bits_of_difference(stored, reversible), relative


def _inversion(net, images):
    """An `InversionReport` of the momentum layers of `net` for each arithmetic."""
    *first_layers, momentum_net = net[:4]
    x = images
    with no_grad():
        for layer in first_layers:
            x = layer(x)
    reports = {}
    for arithmetic in ("exact", "float"):
        twin = MomentumNet(momentum_net.functions, momentum_net.gamma, arithmetic=arithmetic).eval()
        reports[arithmetic] = twin.check_inversion(x)
    return reports


def accuracy(net, images, labels):
    """Share of images that `net`, put into evaluation mode, classifies right."""
    net.eval()
    with no_grad():
        return float(np.mean(net(Tensor(images)).data.argmax(axis=1) == labels))


MEMORY_BATCH = 16
METHODS = {
    "stored": ("exact", "stored"),
    "checkpointed": ("exact", "checkpointed"),
    "float": ("float", "reversible"),
    "exact": ("exact", "reversible"),
}


def memory_by_depth(images, labels, width, gamma, depths=DEPTHS, progress=False):
    """What one training step holds in memory, for each method of `METHODS` and each depth.

    Returns
    -------
    dict of str to list of MemoryTracker
    """
    found = {method: [] for method in METHODS}
    with tqdm(total=len(METHODS) * len(depths), desc="memory by depth", disable=not progress) as bar:
        for method, (arithmetic, backprop) in METHODS.items():
            for depth in depths:
                net = digits_network(depth, width, gamma, arithmetic, backprop)
                with track_memory() as memory:
                    _loss_and_gradients(net, images, labels)
                found[method].append(memory)
                bar.update()
    return found
