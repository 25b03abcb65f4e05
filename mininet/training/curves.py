"""What each epoch gave, as a table and as a figure."""

import csv
import dataclasses
import pathlib
from typing import Any

from matplotlib.figure import Figure

from .. import plotting
from ..base.checks import instance
from ..base.files import written_atomically

CURVES, FIGURE = "curves.csv", "curves.png"


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


def draw(history: list[Epoch]) -> Figure:
    """Draw training loss and test accuracy by epoch."""
    instance("history", history, list)
    epochs = range(1, len(history) + 1)
    look: dict[str, Any] = {"color": plotting.SEQUENCE[0], "marker": "o", "markersize": 3}
    with plotting.figure(columns=2) as (figure, (losses, accuracies)):
        losses.plot(epochs, [epoch.loss for epoch in history], **look)
        accuracies.plot(epochs, [epoch.test_accuracy for epoch in history], **look)
        for panel, title in ((losses, "training loss [nats]"), (accuracies, "test accuracy")):
            panel.set(xlabel="epoch", title=title)
            panel.xaxis.get_major_locator().set_params(integer=True)
    return figure


def write(folder: pathlib.Path, history: list[Any], kind: type[Any], figure: Figure) -> None:
    """Write `CURVES`, a row for each epoch of this kind, and `figure` as `FIGURE`."""
    with written_atomically(folder / CURVES) as path, open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *(field.name for field in dataclasses.fields(kind))])
        writer.writerows([number, *dataclasses.astuple(epoch)] for number, epoch in enumerate(history, 1))
    plotting.save(figure, folder / FIGURE)
