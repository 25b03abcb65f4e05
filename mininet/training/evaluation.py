"""How well a network classifies images it has not been trained on."""

import numpy as np
from numpy.typing import NDArray

from ..autodiff import Tensor, no_grad
from ..base.changes import changed
from ..base.checks import instance, integer
from ..base.types import AnyArray
from ..datasets import Batches
from ..nn import Module


def accuracy(net: Module, batches: Batches) -> float:
    """Compute the share of images that `net` classifies right in evaluation mode; its modes stay as they are.

    Examples
    --------
    >>> batches = datasets.Batches(np.eye(2, dtype=np.float32), [0, 0], batch_size=2)
    >>> accuracy(nn.Sequential(), batches)
    0.5
    """
    found = _predictions(net, batches)
    right = sum(int((predicted == labels).sum()) for predicted, labels in found)
    return right / max(1, sum(len(labels) for _, labels in found))


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
    modes = [(module, "training", module.training) for module in instance("net", net, Module).modules()]
    with changed(modes), no_grad():
        net.eval()
        return [(net(Tensor(images)).data.argmax(axis=1), labels) for images, labels in batches.of_epoch(0)]
