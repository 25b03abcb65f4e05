"""Modules and layers, named as in PyTorch."""

from .activations import Identity, ReLU, Sigmoid, SiLU, Tanh
from .containers import ModuleList, Sequential
from .convolution import Conv2d
from .dropout import Dropout
from .linear import Linear
from .module import Module, Parameter
from .normalization import BatchNorm2d, GroupNorm
from .pooling import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d

__all__ = [
    "AvgPool2d", "BatchNorm2d", "Conv2d", "Dropout", "Flatten", "GlobalAvgPool2d", "GroupNorm", "Identity", "Linear",
    "MaxPool2d", "Module", "ModuleList", "Parameter", "ReLU", "Sequential", "SiLU", "Sigmoid", "Tanh",
]  # fmt: skip
