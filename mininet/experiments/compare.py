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

from .. import nn, optim, plotting
from ..autodiff import Tensor, no_grad
from ..autodiff import functional as F
from ..datasets import Batches, digits
from ..kernels.exact import as_fraction
from ..memory import MemoryTracker, track_memory
from ..precision import bits_of_difference
from ..reversible import MomentumNet
from ..seeding import manual_seed

WAYS = ("stored", "reversible")
NAMES = {"stored": "stored activations", "reversible": "memory-free"}
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

    def table(self):
        """The comparison as text."""
        rows = [(f"{self.settings.arithmetic} arithmetic", *(NAMES[way] for way in WAYS))]

        def row(name, text):
            rows.append((name, *(text(self.runs[way]) for way in WAYS)))

        row("test accuracy", lambda run: f"{run.accuracy:.4f}")
        row("milliseconds per step (median)", lambda run: f"{1000 * run.seconds_per_step:.1f}" if run.seconds else "-")
        row("kept for the backward pass", lambda run: plotting.readable_bytes(run.memory.kept_for_backward))
        for kind in ("activations", "state", "side information"):
            row(f"  peak of {kind}", lambda run, kind=kind: plotting.readable_bytes(run.memory.by_kind[kind]))
        widths = [max(len(line[column]) for line in rows) for column in range(3)]
        lines = [
            "  ".join((line[0].ljust(widths[0]), line[1].rjust(widths[1]), line[2].rjust(widths[2]))) for line in rows
        ]
        lines.insert(1, "-" * len(lines[0]))
        lines.append(lines[1])
        lines.append(
            f"largest gradient difference, from the same weights: {self.gradient_bits} bits "
            f"(relative norm {self.gradient_relative:.2g})"
        )
        lines.append(f"largest difference of the trained weights: {self.weight_bits} bits")
        for arithmetic, report in self.inversion.items():
            lines.append(f"inversion in {arithmetic} arithmetic: {report}")
        return "\n".join(lines)

    def summary(self):
        """The figures as plain numbers, lists and strings, for a JSON file; None for what is not finite."""
        return _finite(self._figures())

    def _figures(self):
        return {
            "settings": dataclasses.asdict(self.settings),
            "runs": {
                way: {
                    "test_accuracy": run.accuracy,
                    "seconds_per_step": run.seconds_per_step,
                    "kept_for_backward": run.memory.kept_for_backward,
                    "peak_bytes": run.memory.by_kind,
                    "losses": run.losses,
                }
                for way, run in self.runs.items()
            },
            "gradient_difference_bits": self.gradient_bits,
            "gradient_difference_relative": self.gradient_relative,
            "weight_difference_bits": self.weight_bits,
            "inversion": {
                arithmetic: {
                    "position_errors": report.position_errors.tolist(),
                    "velocity_errors": report.velocity_errors.tolist(),
                    "bits": report.bits,
                }
                for arithmetic, report in self.inversion.items()
            },
            "memory_by_depth": {
                "depths": list(self.depths),
                **{
                    method: [{"kept_for_backward": each.kept_for_backward, **each.by_kind} for each in memories]
                    for method, memories in self.memory.items()
                },
            },
        }


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def residual_function(width):
    """conv3x3 - batch norm - ReLU - conv3x3 - batch norm."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )


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


def draw(comparison):
    """The comparison as a figure: loss, memory by depth, and how far the layers come back."""
    with plotting.figure(columns=3, height=3.8) as (made, (losses, memory, inversion)):
        _draw_losses(losses, comparison)
        _draw_memory(memory, comparison)
        _draw_inversion(inversion, comparison)
    return made


def _draw_losses(axes, comparison):
    for way, look in (("stored", {"linewidth": 5, "alpha": 0.4}), ("reversible", {})):
        method = way if way == "stored" else comparison.settings.arithmetic
        losses = comparison.runs[way].losses
        axes.plot(np.arange(1, len(losses) + 1), losses, **plotting.style(method, marker="", **look))
    axes.set(xlabel="training step", ylabel="cross-entropy of the batch", title="Training loss")
    axes.legend()


def _draw_memory(axes, comparison):
    depths = np.array(comparison.depths)
    for method, memories in comparison.memory.items():
        axes.plot(depths, [memory.kept_for_backward for memory in memories], **plotting.style(method))
    side_information = [memory.by_kind["side information"] for memory in comparison.memory["exact"]]
    axes.plot(
        depths,
        side_information,
        **plotting.style("exact", marker="", linestyle="--", label="exact: side information"),
    )
    bits = depths * np.log2(1 / float(as_fraction(comparison.settings.gamma)))
    axes.plot(depths, comparison.element_count * bits / 8, **plotting.style("limit"))
    axes.set(xlabel="depth (layers)", ylabel="bytes, at most", xscale="log")
    axes.set_xticks(depths, [str(depth) for depth in depths], minor=False)
    axes.minorticks_off()
    plotting.bytes_upwards(axes)
    axes.set_title(f"Kept for the backward pass (batch {MEMORY_BATCH})")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)


def _draw_inversion(axes, comparison):
    unit = comparison.inversion["float"].unit
    for arithmetic, report in comparison.inversion.items():
        errors = np.maximum(report.position_errors, report.velocity_errors) / unit
        axes.plot(np.arange(len(errors)), errors, **plotting.style(arithmetic))
    axes.set(xlabel="layer n", ylabel="largest error (float32 ulps)")
    if comparison.inversion["float"].largest_units > 100:
        axes.set_yscale("symlog", linthresh=1)
    axes.set_title("$x_n$ and $v_n$, run back from the last layer")
    axes.legend()
