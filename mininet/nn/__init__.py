"""Modules and layers, named as in PyTorch."""

from .activations import GELU, Identity, ReLU, Sigmoid, SiLU, Tanh
from .attention import CausalSelfAttention
from .containers import ModuleList, Sequential
from .convolution import Conv2d
from .dropout import Dropout
from .embedding import Embedding
from .linear import Linear
from .module import Module, Parameter
from .normalization import BatchNorm2d, GroupNorm, LayerNorm
from .pooling import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d

__all__ = [
    "GELU", "AvgPool2d", "BatchNorm2d", "CausalSelfAttention", "Conv2d", "Dropout", "Embedding", "Flatten",
    "GlobalAvgPool2d", "GroupNorm", "Identity", "LayerNorm", "Linear", "MaxPool2d", "Module", "ModuleList", "Parameter",
    "ReLU", "Sequential", "SiLU", "Sigmoid", "Tanh",
]  # fmt: skip
