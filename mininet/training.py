"""Training that survives: whatever stops it, it goes on from its last checkpoint to the same bits.

All that a step depends on is either in the checkpoint (weights, running statistics, the optimiser's memory, the
learning rate's schedule, where the random numbers stand, how far the epoch has come) or a function of what is: order
and augmentation of the data follow from the seed and the numbers of epoch and batch.  A checkpoint is written beside
its predecessor and then takes its name, so at every moment there is one whole checkpoint or none.
"""

import csv
import dataclasses
import json
import math
import pathlib
import time

import numpy as np
from tqdm import tqdm

from . import plotting, seeding
from .autodiff import Tensor, no_grad
from .autodiff import functional as F
from .checks import flag, instance, integer, number
from .checks import path as path_of
from .datasets import Batches
from .files import written_atomically
from .nn import Module
from .npz import read_npz
from .optim import Optimizer, Schedule

CHECKPOINT, CURVES, FIGURE = "checkpoint.npz", "curves.csv", "curves.png"
_FORMAT = 1


@dataclasses.dataclass
class Epoch:
    """What was seen of one epoch.

    Attributes
    ----------
    loss : float
        Mean cross-entropy of the training images, each at the time it was used, in nats.
    train_accuracy, test_accuracy : float
        Shares; the first at the time of use as well, the second after the epoch.
    learning_rate : float
        At the end.
    images_per_second : float
        Of training, without the test.
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
        From images to logits.
    optimizer : Optimizer
    schedule : Schedule or None
        Of `optimizer`; takes a step after every batch.
    batches : Batches
        To train on.
    test_batches : Batches
        To measure accuracy on, after each epoch.
    epochs : int
    folder : path, optional
        Where the checkpoint, ``curves.csv`` and ``curves.png`` go; without it nothing is written.
    description : dict, optional
        What distinguishes this training from others, by strings and numbers: a checkpoint with another one is refused.
    checkpoint_seconds : float
        A checkpoint is written after every epoch, and within one whenever the last is so old.
    progress : bool
        Whether to show a progress bar with loss, accuracy, images a second and the time left.

    Attributes
    ----------
    history : list of Epoch
        The epochs so far.
    """

    def __init__(self, net, optimizer, schedule, batches, test_batches, epochs, folder=None, description=None,
                 checkpoint_seconds=60.0, progress=True):  # fmt: skip
        self.net = instance("net", net, Module)
        self.optimizer = instance("optimizer", optimizer, Optimizer)
        self.schedule = None if schedule is None else instance("schedule", schedule, Schedule)
        self.batches = instance("batches", batches, Batches)
        self.test_batches = instance("test_batches", test_batches, Batches)
        self.epochs = integer("epochs", epochs, 0)
        self.folder = None if folder is None else path_of("folder", folder)
        self.description = {} if description is None else instance("description", description, dict)
        self.checkpoint_seconds = number("checkpoint_seconds", checkpoint_seconds, 0)
        self.progress = flag("progress", progress)
        self.history = []
        self._steps, self._loss, self._right, self._seen, self._seconds = 0, 0.0, 0, 0, 0.0  # in the present epoch

    def run(self):
        """Train until all epochs are done; returns `history`.

        Raises
        ------
        FloatingPointError
            If the loss is no longer finite: the last checkpoint is from before.
        """
        saved = time.monotonic()
        while len(self.history) < self.epochs:
            with self._bar() as bar:
                for images, labels in self.batches.of_epoch(len(self.history), self._steps):
                    self._step(images, labels)
                    bar.update()
                    bar.set_postfix_str(self._progress(), refresh=False)
                    if self.folder and time.monotonic() - saved >= self.checkpoint_seconds:
                        self.save()
                        saved = time.monotonic()
                self._end_epoch()
                bar.set_postfix_str(f"loss {self.history[-1].loss:.4f}, test {self.history[-1].test_accuracy:.4f}")
            if self.folder:
                self.save()
                saved = time.monotonic()
                self._write_curves()
        return self.history

    def _step(self, images, labels):
        start = time.perf_counter()
        self.net.train()
        self.net.zero_grad()
        logits = self.net(Tensor(images))
        loss = F.cross_entropy(logits, labels)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()} in epoch {len(self.history) + 1}")
        right = int((logits.data.argmax(axis=1) == labels).sum())
        loss.backward()
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        self._steps += 1
        self._loss += loss.item() * len(labels)
        self._right += right
        self._seen += len(labels)
        self._seconds += time.perf_counter() - start

    def _bar(self):
        return tqdm(total=len(self.batches), initial=self._steps, unit="batch", disable=not self.progress,
                    desc=f"epoch {len(self.history) + 1} of {self.epochs}")  # fmt: skip

    def _progress(self):
        done = len(self.history) * len(self.batches) + self._steps
        left = (self.epochs * len(self.batches) - done) * self._seconds / self._steps
        return (
            f"loss {self._loss / self._seen:.4f}, accuracy {self._right / self._seen:.4f}, "
            f"{self._seen / self._seconds:.0f} images/s, {tqdm.format_interval(left)} to the end"
        )

    def _end_epoch(self):
        seen = max(1, self._seen)
        self.history.append(
            Epoch(
                loss=self._loss / seen,
                train_accuracy=self._right / seen,
                test_accuracy=accuracy(self.net, self.test_batches),
                learning_rate=self.optimizer.lr,
                images_per_second=self._seen / self._seconds if self._seconds else 0.0,
            )
        )
        self._steps, self._loss, self._right, self._seen, self._seconds = 0, 0.0, 0, 0, 0.0

    # Checkpoints

    def save(self):
        """Write the checkpoint, as a whole or not at all."""
        self._require_folder()
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
        self.folder.mkdir(parents=True, exist_ok=True)
        with written_atomically(self.folder / CHECKPOINT) as path:
            np.savez(path, **arrays)

    def _require_folder(self):
        if self.folder is None:
            raise ValueError("folder must be given for checkpoints, got None")

    def _parts(self):
        """All that has a state dict, by what it is called in the checkpoint."""
        parts = {"net": self.net, "optimizer": self.optimizer, "schedule": self.schedule}
        return {name: part for name, part in parts.items() if part is not None}

    def resume(self):
        """Go back to where the checkpoint in `folder` was written; without one, to the start.

        Returns
        -------
        bool
            Whether there was one.

        Raises
        ------
        ValueError
            If the file is damaged, or from another training; nothing is changed then.
        OSError
            If it cannot be opened.
        """
        self._require_folder()
        for name in map(pathlib.Path, (CHECKPOINT, CURVES, FIGURE)):
            for path in self.folder.glob(f".{name.stem}-*{name.suffix}"):
                path.unlink(missing_ok=True)  # half-written when the process was killed
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        arrays = read_npz(path)
        expected = json.loads(json.dumps([_FORMAT, self.description]))
        try:
            made_by = json.loads(_taken(arrays, "description", "U", ()).item())
            random = int(_taken(arrays, "random.seed", "u", ())), int(_taken(arrays, "random.draw", "u", ()))
            rows = np.size(arrays.get("history")) // 5
            history = [Epoch(*row) for row in _taken(arrays, "history", "f", (rows, 5)).tolist()]
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
            raise ValueError(f"{path} is from another training, {made_by}, expected {expected}")
        seeding.restore(random)
        self.history = history
        self._steps, self._loss, self._right, self._seen = int(steps), loss, int(right), int(seen)
        self._seconds = seconds
        return True

    def _load(self, arrays):
        """Let all parts take over their states from the arrays of a checkpoint, or none of them."""
        parts = self._parts()
        states, before = {name: {} for name in parts}, {name: part.state_dict() for name, part in parts.items()}
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

    def _write_curves(self):
        with written_atomically(self.folder / CURVES) as path, open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *(field.name for field in dataclasses.fields(Epoch))])
            writer.writerows([number, *dataclasses.astuple(epoch)] for number, epoch in enumerate(self.history, 1))
        plotting.save(draw_curves({"": self.history}), self.folder / FIGURE)


def _taken(arrays, name, kind, shape):
    """Take an entry of a kind and shape out of the arrays of a checkpoint."""
    if name not in arrays:
        raise ValueError(f"it lacks {name}")
    array = arrays.pop(name)
    if array.dtype.kind != kind or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    return array


def accuracy(net, batches):
    """Share of images that `net` classifies right in evaluation mode; afterwards its modes are as before."""
    right, seen = count_right(net, batches)
    return right / max(1, seen)


def count_right(net, batches):
    """How many images `net` classifies right in evaluation mode, and how many there are; modes stay as they are."""
    right = seen = 0
    for predicted, labels in _predictions(net, batches):
        right += int((predicted == labels).sum())
        seen += len(labels)
    return right, seen


def confusion(net, batches, classes):
    """What `net`, in evaluation mode, takes the images of each class for; modes stay as they are.

    Returns
    -------
    ndarray (classes, classes), int64
        How many images there are by true class (row) and predicted class (column).
    """
    classes = integer("classes", classes, 1)
    counts = np.zeros((classes, classes), np.int64)
    for predicted, labels in _predictions(net, batches):
        largest = max(predicted.max(initial=0), labels.max(initial=0))
        if largest >= classes:
            raise ValueError(f"classes must be above all labels and predictions, {largest} among them, got {classes}")
        np.add.at(counts, (labels, predicted), 1)
    return counts


def _predictions(net, batches):
    """The predicted and the true classes, an array of each for every batch."""
    instance("batches", batches, Batches)
    modes = [(module, module.training) for module in instance("net", net, Module).modules()]
    net.eval()
    try:
        with no_grad():
            return [(net(Tensor(images)).data.argmax(axis=1), labels) for images, labels in batches.of_epoch(0)]
    finally:
        for module, mode in modes:
            module.training = mode


def draw_curves(histories):
    """A figure of training loss and test accuracy by epoch, for histories by name."""
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
