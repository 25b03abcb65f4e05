"""The network for digits that several experiments train, and the ways to run it."""

from typing import Any

import numpy as np

from .. import nn
from ..autodiff import Tensor, no_grad
from ..autodiff import functional as F
from ..base.types import Arithmetic, Backprop
from ..models.resnet import residual_function
from ..reversible import InversionReport, MomentumNet

WAYS: tuple[Backprop, ...] = ("stored", "reversible")
"""To have the gradients."""

METHODS = {
    "stored": ("exact", "stored"),
    "checkpointed": ("exact", "checkpointed"),
    "float": ("float", "reversible"),
    "exact": ("exact", "reversible"),
}
"""Arithmetic and backpropagation by name."""


def digits_network(depth: int, width: int, gamma: float, arithmetic: Arithmetic, backprop: Backprop) -> nn.Sequential:
    """A momentum network for digits: a first convolution, `depth` momentum layers, a linear classifier."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        MomentumNet([residual_function(width) for _ in range(depth)], gamma, arithmetic=arithmetic, backprop=backprop),
        nn.GlobalAvgPool2d(),
        nn.Linear(width, 10),
    )


def loss_and_gradients(net: nn.Module, images: Any, labels: Any) -> float:
    """The cross-entropy of a batch, a number; its gradients are left in the parameters."""
    net.zero_grad()
    loss = F.cross_entropy(net(images), labels)
    loss.backward()
    return loss.item()


def check_inversion(net: nn.Sequential, images: Any, arithmetic: Arithmetic) -> InversionReport:
    """The `InversionReport` of the momentum layers of `net`, put into evaluation mode, in an arithmetic."""
    *first_layers, momentum_net = net.eval()[:4]
    with no_grad():
        for layer in first_layers:
            images = layer(images)
    return MomentumNet(momentum_net.functions, momentum_net.gamma, arithmetic=arithmetic).check_inversion(images)


def accuracy(net: nn.Module, images: Any, labels: Any) -> float:
    """Share of images that `net`, put into evaluation mode, classifies right."""
    net.eval()
    with no_grad():
        return float(np.mean(net(Tensor(images)).data.argmax(axis=1) == labels))
