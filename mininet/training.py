"""Training that survives interruptions: it continues from its last checkpoint with the same bits.

A step depends on weights, running statistics, the optimiser's memory, the schedule, the position of the random numbers
and the progress within the epoch, which are all in the checkpoint.  Order and augmentation of the data follow from the
seed and the numbers of epoch and batch.  A checkpoint is written beside its predecessor and then renamed, so at every
moment there is one whole checkpoint or none.
"""

import csv
import dataclasses
import json
import math
import pathlib
import time
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from . import plotting, seeding
from .autodiff import Tensor, no_grad
from .autodiff import functional as F
from .base.checks import flag, instance, integer, number
from .base.checks import path as path_of
from .base.files import written_atomically
from .base.npz import read_npz, write_npz
from .base.types import AnyArray, PathLike
from .datasets import Batches
from .nn import Module
from .optim import Optimizer, Schedule
from .sharding import Processes, Shards

CHECKPOINT, CURVES, FIGURE = "checkpoint.npz", "curves.csv", "curves.png"
_FORMAT = 1


@dataclasses.dataclass
class Epoch:
    """What one epoch gave.

    Attributes
    ----------
    loss : float
        Mean cross-entropy of the training images in nats, each at the time of its use.
    train_accuracy, test_accuracy : float
        Shares of images, the first at the time of use, the second after the epoch.
    learning_rate : float
        At the end of the epoch.
    images_per_second : float
        Without the test.
    """

    loss: float
    train_accuracy: float
    test_accuracy: float
    learning_rate: float
    images_per_second: float


class Training:
    """Trains a classifier, and can be interrupted at any moment.

    Parameters
    ----------
    net : Module
        Maps images to logits.
    schedule : Schedule or None
        A schedule of `optimizer`, which takes a step after every batch.
    batches, test_batches : Batches
        To train on, and to measure accuracy on after each epoch.
    folder : path, optional
        Where to write the checkpoint, ``curves.csv`` and ``curves.png``; by default nothing is written.
    description : dict, optional
        Strings and numbers that distinguish this training from others; other checkpoints are refused.
    checkpoint_seconds : float
        The time between checkpoints within an epoch; there is always one after each epoch.
    shards : int, optional
        Cut each batch into so many shards, which the processes of ``mpiexec`` share out; the bits do not depend on how
        many there are.  Batch normalisation is over a shard.
    progress : bool
        Whether to show a progress bar with loss, accuracy, images per second and the time left.

    Attributes
    ----------
    history : list of Epoch
        The epochs so far.

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> batches = datasets.Batches(np.ones((8, 2, 2), np.float32), np.zeros(8, int), batch_size=4)
    >>> sgd = optim.SGD(net.parameters(), lr=0.1)
    >>> Training(net, sgd, None, batches, batches, epochs=3, progress=False).run()[-1].test_accuracy
    1.0
    """

    def __init__(
        self, net: Module, optimizer: Optimizer, schedule: Schedule | None, batches: Batches, test_batches: Batches,
        epochs: int, folder: PathLike | None = None, description: dict[str, Any] | None = None,
        checkpoint_seconds: float = 60.0, progress: bool = True, shards: int | None = None,
    ) -> None:  # fmt: skip
        self.net = instance("net", net, Module)
        self.optimizer = instance("optimizer", optimizer, Optimizer)
        self.schedule = None if schedule is None else instance("schedule", schedule, Schedule)
        self.batches = instance("batches", batches, Batches)
        self.test_batches = instance("test_batches", test_batches, Batches)
        self.epochs = integer("epochs", epochs, 0)
        self.folder = None if folder is None else path_of("folder", folder)
        self.description = {} if description is None else instance("description", description, dict)
        if shards is not None:
            self.description = {**self.description, "shards": shards}
        self.checkpoint_seconds = number("checkpoint_seconds", checkpoint_seconds, 0)
        self.processes = Processes()
        self.shards = None if shards is None else Shards(net, shards, self.processes)
        if self.shards is None and self.processes.size > 1:
            raise ValueError(f"shards must be given for {self.processes.size} processes of mpiexec, got None")
        self.progress = flag("progress", progress) and self.processes.rank == 0
        self.history: list[Epoch] = []
        self._steps, self._loss, self._right, self._seen, self._seconds = 0, 0.0, 0, 0, 0.0  # in the present epoch

    def run(self) -> list[Epoch]:
        """Train until all epochs are done, and return `history`.

        Raises
        ------
        FloatingPointError
            If the loss is no longer finite; the last checkpoint is from before.
        """
        saved = time.monotonic()
        while len(self.history) < self.epochs:
            with self._bar() as bar:
                for images, labels in self.batches.of_epoch(len(self.history), self._steps):
                    self._step(images, labels)
                    bar.update()
                    bar.set_postfix_str(self._progress(), refresh=False)
                    if self.folder and self._is_due(saved):
                        self.save()
                        saved = time.monotonic()
                self._end_epoch()
                loss, _, test, *_ = dataclasses.astuple(self.history[-1])
                bar.set_postfix_str(f"loss {loss:.4f}, test {test:.4f}")
            if self.folder:
                self.save()
                saved = time.monotonic()
                if self.processes.rank == 0:
                    self._write_curves()
        return self.history

    def _step(self, images: AnyArray, labels: AnyArray) -> None:
        start = time.perf_counter()
        if not self.net.training:  # else layers that are in evaluation are meant to be
            self.net.train()
        if self.shards is None:
            loss, right = self._differentiate(images, labels)
        else:
            loss, right = self._differentiate_shards(self.shards, images, labels)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        self._steps += 1
        self._loss += loss * labels.size
        self._right += right
        self._seen += labels.size
        self._seconds += time.perf_counter() - start

    def _differentiate(self, images: AnyArray, labels: AnyArray, share: float = 1.0) -> tuple[float, int]:
        """Compute the gradients of the mean loss, times `share`, and return the loss and how many are right."""
        self.net.zero_grad()
        loss, right = self._loss_of(images, labels)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()} in epoch {len(self.history) + 1}")
        (loss if share == 1 else loss * share).backward()
        return loss.item(), right

    def _differentiate_shards(self, shards: Shards, images: AnyArray, labels: AnyArray) -> tuple[float, int]:
        """`_differentiate` for a batch in shards: their gradients, loss and right images are added up."""
        found: dict[int, AnyArray] = {}

        def gradients(shard: int) -> AnyArray:
            part, truth = shards.part(shard, images), shards.part(shard, labels)
            loss, right = self._differentiate(part, truth, len(truth) / len(labels))
            found[shard] = np.array([loss * len(truth) / len(labels), right])
            return np.concatenate([parameter.grad.ravel() for parameter in self._with_gradients()])

        total = shards.total(gradients)
        loss, right = shards.total(found.__getitem__)
        first = 0
        for parameter in self._with_gradients():
            parameter.grad = total[first : first + parameter.size].reshape(parameter.shape)
            first += parameter.size
        return float(loss), int(right)

    def _with_gradients(self) -> list[Any]:
        return [parameter for parameter in self.net.parameters() if parameter.grad is not None]

    def _is_due(self, saved: float) -> bool:
        """Whether it is time for a checkpoint; the first process's clock says so for all."""
        due = np.array([time.monotonic() - saved >= self.checkpoint_seconds])
        return bool(self.processes.shared(due, due)[0])

    # What a kind of data changes: each may be overridden

    epoch_kind: type[Any] = Epoch
    unit = "images"

    def _loss_of(self, images: AnyArray, labels: AnyArray) -> tuple[Tensor, int]:
        """The mean loss of a batch, and how many labels the network gets right."""
        logits = self.net(Tensor(images))
        return F.cross_entropy(logits, labels), int((logits.data.argmax(axis=1) == labels).sum())

    def _test(self) -> float:
        return accuracy(self.net, self.test_batches)

    def _draw(self) -> Figure:
        return draw_curves({"": self.history})

    def _bar(self) -> tqdm:
        return tqdm(total=len(self.batches), initial=self._steps, unit="batch", disable=not self.progress,
                    desc=f"epoch {len(self.history) + 1} of {self.epochs}")  # fmt: skip

    def _progress(self) -> str:
        done = len(self.history) * len(self.batches) + self._steps
        left = (self.epochs * len(self.batches) - done) * self._seconds / self._steps
        return (
            f"loss {self._loss / self._seen:.4f}, accuracy {self._right / self._seen:.4f}, "
            f"{self._seen / self._seconds:.0f} {self.unit}/s, {tqdm.format_interval(left)} to the end"
        )

    def _end_epoch(self) -> None:
        seen = max(1, self._seen)
        if self.shards is not None:
            self.shards.average_statistics()
        speed = self._seen / self._seconds if self._seconds else 0.0
        epoch = self.epoch_kind(self._loss / seen, self._right / seen, self._test(), self.optimizer.lr, speed)
        self.history.append(epoch)
        self._steps, self._loss, self._right, self._seen, self._seconds = 0, 0.0, 0, 0, 0.0

    # Checkpoints

    def save(self) -> None:
        """Write the checkpoint, as a whole or not at all."""
        folder = self._require_folder()
        if self.shards is not None:
            self.shards.average_statistics()
        arrays = {
            f"{part}.{name}": value
            for part, owner in self._parts().items()
            for name, value in owner.state_dict().items()
        }
        seed, draw = seeding.position()
        arrays["random.seed"], arrays["random.draw"] = np.uint64(seed), np.uint64(draw)
        arrays["history"] = np.array([dataclasses.astuple(epoch) for epoch in self.history]).reshape(-1, 5)
        arrays["epoch"] = np.array([self._steps, self._loss, self._right, self._seen, self._seconds])
        arrays["description"] = np.array(json.dumps([_FORMAT, self.description], sort_keys=True))
        if self.processes.rank > 0:
            return
        folder.mkdir(parents=True, exist_ok=True)
        with written_atomically(folder / CHECKPOINT) as path:
            write_npz(path, arrays)

    def _require_folder(self) -> pathlib.Path:
        if self.folder is None:
            raise ValueError("folder must be given for checkpoints, got None")
        return self.folder

    def _parts(self) -> dict[str, Any]:
        """Get everything that has a state dict, by its name in the checkpoint."""
        parts = {"net": self.net, "optimizer": self.optimizer, "schedule": self.schedule, "shards": self.shards}
        return {name: part for name, part in parts.items() if part is not None}

    def resume(self) -> bool:
        """Go back to the checkpoint in `folder`, and return whether there was one.

        Raises
        ------
        ValueError
            If the file is damaged or from another training; nothing is changed then.
        OSError
            If the file cannot be opened.
        """
        folder = self._require_folder()
        for name in map(pathlib.Path, (CHECKPOINT, CURVES, FIGURE)):
            for path in folder.glob(f".{name.stem}-*{name.suffix}"):
                path.unlink(missing_ok=True)  # half-written when the process was killed
        path = folder / CHECKPOINT
        if not path.exists():
            return False
        arrays = read_npz(path)
        expected = json.loads(json.dumps([_FORMAT, self.description]))
        try:
            made_by = json.loads(_taken(arrays, "description", "U", ()).item())
            random = int(_taken(arrays, "random.seed", "u", ())), int(_taken(arrays, "random.draw", "u", ()))
            rows = np.size(arrays.get("history", ())) // 5
            history = [self.epoch_kind(*row) for row in _taken(arrays, "history", "f", (rows, 5)).tolist()]
            steps, loss, right, seen, seconds = _taken(arrays, "epoch", "f", (5,)).tolist()
            if not all(count.is_integer() for count in (steps, right, seen)) or not math.isfinite(loss + seconds):
                raise ValueError("an epoch is not made of such numbers")
            if not 0 <= right <= seen or not 0 <= steps <= len(self.batches):
                raise ValueError(f"an epoch has {len(self.batches)} batches, it was after {steps:g} of them")
            if made_by == expected:
                self._load(arrays)
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            raise ValueError(f"{path} is not a whole checkpoint: {error}") from None
        if made_by != expected:
            raise ValueError(f"{path} is from another training: {_differences(made_by, expected)}")
        seeding.restore(random)
        self.history = history
        self._steps, self._loss, self._right, self._seen = int(steps), loss, int(right), int(seen)
        self._seconds = seconds
        return True

    def _load(self, arrays: dict[str, AnyArray]) -> None:
        """Let all parts take over their states from a checkpoint, or none of them."""
        parts = self._parts()
        states: dict[str, dict[str, AnyArray]] = {name: {} for name in parts}
        before = {name: part.state_dict() for name, part in parts.items()}
        for name, array in arrays.items():
            part, _, rest = name.partition(".")
            if part not in parts:
                raise ValueError(f"it has {name!r}")
            states[part][rest] = array
        try:
            for name, part in parts.items():
                part.load_state_dict(states[name])
        except BaseException:
            for name, part in parts.items():
                part.load_state_dict(before[name])
            raise

    def _write_curves(self) -> None:
        folder = self._require_folder()
        with written_atomically(folder / CURVES) as path, open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *(field.name for field in dataclasses.fields(self.epoch_kind))])
            writer.writerows([number, *dataclasses.astuple(epoch)] for number, epoch in enumerate(self.history, 1))
        plotting.save(self._draw(), folder / FIGURE)


def _differences(found: Any, expected: list[Any]) -> str:
    """What differs between two descriptions of a training: entry by entry where both have names for them."""
    match found:
        case [version, dict(before)] if version == expected[0]:
            now = expected[1]
            pairs = {name: (before.get(name), now.get(name)) for name in dict.fromkeys([*now, *before])}
            return ", ".join(f"{name} was {old!r}, is now {new!r}" for name, (old, new) in pairs.items() if old != new)
    return f"{found}, expected {expected}"


def _taken(arrays: dict[str, AnyArray], name: str, kind: str, shape: tuple[int, ...]) -> AnyArray:
    """Take an entry of this kind and shape out of a checkpoint."""
    if name not in arrays:
        raise ValueError(f"it lacks {name}")
    array = arrays.pop(name)
    if array.dtype.kind != kind or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    return array


def accuracy(net: Module, batches: Batches) -> float:
    """Compute the share of images that `net` classifies right in evaluation mode; its modes stay as they are.

    Examples
    --------
    >>> batches = datasets.Batches(np.eye(2, dtype=np.float32), [0, 0], batch_size=2)
    >>> accuracy(nn.Sequential(), batches)
    0.5
    """
    right, seen = count_right(net, batches)
    return right / max(1, seen)


def count_right(net: Module, batches: Batches) -> tuple[int, int]:
    """Count the images that `net` classifies right in evaluation mode, and all images; modes stay as they are."""
    right = seen = 0
    for predicted, labels in _predictions(net, batches):
        right += int((predicted == labels).sum())
        seen += len(labels)
    return right, seen


def confusion(net: Module, batches: Batches, classes: int) -> NDArray[np.int64]:
    """Count what `net`, in evaluation mode, takes the images of each class for; modes stay as they are.

    Returns
    -------
    ndarray (classes, classes), int64
        How many images there are by true class (row) and predicted class (column).

    Raises
    ------
    ValueError
        If a label or a prediction is not below `classes`.

    Examples
    --------
    >>> confusion(nn.Sequential(), datasets.Batches(np.eye(2, dtype=np.float32), [0, 0], batch_size=2), classes=2)
    array([[1, 1],
           [0, 0]])
    """
    classes = integer("classes", classes, 1)
    counts = np.zeros((classes, classes), np.int64)
    for predicted, labels in _predictions(net, batches):
        largest = max(predicted.max(initial=0), labels.max(initial=0))
        if largest >= classes:
            raise ValueError(f"classes must be above all labels and predictions, {largest} among them, got {classes}")
        np.add.at(counts, (labels, predicted), 1)
    return counts


def _predictions(net: Module, batches: Batches) -> list[tuple[AnyArray, AnyArray]]:
    """Get the predicted and the true classes of every batch."""
    instance("batches", batches, Batches)
    modes = [(module, module.training) for module in instance("net", net, Module).modules()]
    net.eval()
    try:
        with no_grad():
            return [(net(Tensor(images)).data.argmax(axis=1), labels) for images, labels in batches.of_epoch(0)]
    finally:
        for module, mode in modes:
            module.training = mode


def draw_curves(histories: dict[str, list[Epoch]]) -> Figure:
    """Draw training loss and test accuracy by epoch, for histories by name."""
    instance("histories", histories, dict)
    with plotting.figure(columns=2) as (figure, axes):
        for number, (name, history) in enumerate(histories.items()):
            epochs = range(1, len(history) + 1)
            look = {"color": plotting.SEQUENCE[number % len(plotting.SEQUENCE)], "marker": "o", "markersize": 3}
            axes[0].plot(epochs, [epoch.loss for epoch in history], label=name or None, **look)
            axes[1].plot(epochs, [epoch.test_accuracy for epoch in history], label=name or None, **look)
        for panel, title in zip(axes, ("training loss [nats]", "test accuracy"), strict=True):
            panel.set(xlabel="epoch", title=title)
            panel.xaxis.get_major_locator().set_params(integer=True)
        if any(histories):
            axes[0].legend()
    return figure
