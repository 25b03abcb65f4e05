"""Modules and layers, named as in PyTorch."""

from .layers import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Tanh,
)
from .module import Module, Parameter

__all__ = [
    "AvgPool2d", "BatchNorm2d", "Conv2d", "Dropout", "Flatten", "GlobalAvgPool2d", "Linear", "MaxPool2d", "Module",
    "Parameter", "ReLU", "Sequential", "Tanh",
]  # fmt: skip
