"""Training that survives interruptions: it continues from its last checkpoint with the same bits.

A step depends on weights, running statistics, the optimiser's memory, the schedule, the position of the random numbers
and the progress within the epoch, which are all in the checkpoint.  Order and augmentation of the data follow from the
seed and the numbers of epoch and batch.  A checkpoint is written beside its predecessor and then renamed, so at every
moment there is one whole checkpoint or none.
"""

import dataclasses
import math
import pathlib
import time
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from .. import seeding
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..base.checks import flag, instance, integer, number
from ..base.checks import path as path_of
from ..base.types import AnyArray, PathLike
from ..datasets import Batches
from ..nn import Module
from ..optim import Optimizer, Schedule
from ..sharding import Processes, Shards
from . import checkpoints, curves
from .checkpoints import CHECKPOINT
from .curves import CURVES, FIGURE, Epoch
from .evaluation import accuracy


class Training:
    """Trains a classifier, and can be interrupted at any moment.

    Parameters
    ----------
    net : Module
        Maps images to logits.
    optimizer : Optimizer
        Of the parameters of `net`.
    schedule : Schedule or None
        A schedule of `optimizer`, which takes a step after every batch.
    batches, test_batches : Batches
        To train on, and to measure accuracy on after each epoch.
    epochs : int
        How often to go through `batches`.
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
        return curves.draw(self.history)

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

    # Files

    def save(self) -> None:
        """Write the checkpoint, as a whole or not at all."""
        folder = self._require_folder()
        if self.shards is not None:
            self.shards.average_statistics()
        states = {name: part.state_dict() for name, part in self._parts().items()}  # of shards, from all processes
        if self.processes.rank > 0:
            return
        history = [list(dataclasses.astuple(epoch)) for epoch in self.history]
        epoch = checkpoints.Counts(self._steps, self._loss, self._right, self._seen, self._seconds)
        stands = checkpoints.Position(seeding.position(), history, epoch)
        folder.mkdir(parents=True, exist_ok=True)
        checkpoints.write(folder / CHECKPOINT, states, stands, self.description)

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
        stood = checkpoints.load(path, self._parts(), self.description, len(self.batches))
        seeding.restore(stood.random)
        self.history = [self.epoch_kind(*row) for row in stood.history]
        self._steps, self._loss, self._right, self._seen, self._seconds = dataclasses.astuple(stood.epoch)
        return True

    def _write_curves(self) -> None:
        curves.write(self._require_folder(), self.history, self.epoch_kind, self._draw())
