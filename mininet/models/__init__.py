"""Residual networks for images and text, their conversion into momentum networks, and weights from and for PyTorch."""

from .convert import to_momentum, to_residual
from .pretrained import pretrained
from .resnet import (
    CifarResNet,
    ImageNetResNet,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet38,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
)
from .revnet import CifarRevNet, revnet20
from .transformer import Transformer
from .weights import load_pytorch_state_dict, pytorch_state_dict, save_pytorch_state_dict

__all__ = [
    "CifarResNet", "CifarRevNet", "ImageNetResNet", "Transformer", "load_pytorch_state_dict", "pretrained",
    "pytorch_state_dict", "resnet18", "resnet20", "resnet32", "resnet34", "resnet38", "resnet44", "resnet50",
    "resnet56", "resnet101", "resnet110", "resnet152", "revnet20", "save_pytorch_state_dict", "to_momentum",
    "to_residual",
]  # fmt: skip
