"""Convolution of images, which are channels last: (n, height, width, channels)."""

import math
from typing import get_args

import numpy as np

from .. import seeding
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..autodiff.convolution import Pair
from ..autodiff.tensor import TensorLike
from ..base.checks import flag, integer, one_of, pair
from ..kernels.convolution import Choice
from .module import Module, Parameter


class Conv2d(Module):
    """Convolution of images (n, height, width, in_channels) with zero padding; see `functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        At least 1.
    kernel_size : int or (int, int)
        At least 1.  A pair means (vertical, horizontal), here and in the following.
    stride : int or (int, int)
        How far the window moves, at least 1.
    padding : int or (int, int)
        How many rows and columns of zeros surround the image on each side, at least 0.  With stride and dilation 1,
        kernel_size // 2 keeps the size of the image if `kernel_size` is odd.
    bias : bool
        Whether a number is added to each output channel.
    dilation : int or (int, int)
        The distance of neighbouring elements of the window in the image, at least 1.
    groups : int
        Divides both numbers of channels; each group of outputs sees one group of inputs.
    method : "auto", "direct" or "winograd"
        How it is computed; see `functional.conv2d`.

    Attributes
    ----------
    weight : Parameter (kh, kw, in_channels / groups, out_channels)
        Starts normal with variance 2 groups / (kh kw out_channels) (He et al., ICCV 2015), which keeps gradients in
        scale.
    bias : Parameter (out_channels,) or None
        Starts at 0.

    Examples
    --------
    >>> nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1)(np.ones((1, 32, 32, 3), np.float32)).shape
    (1, 16, 16, 16)
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0,
        bias: bool = True, dilation: Pair = 1, groups: int = 1, method: Choice = "auto",
    ) -> None:  # fmt: skip
        self.in_channels = integer("in_channels", in_channels, 1)
        self.out_channels = integer("out_channels", out_channels, 1)
        self.kernel_size = height, width = pair("kernel_size", kernel_size, 1)
        self.stride, self.padding = pair("stride", stride, 1), pair("padding", padding, 0)
        self.dilation, self.groups = pair("dilation", dilation, 1), integer("groups", groups, 1)
        self.method = one_of("method", method, get_args(Choice))
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"groups must divide {in_channels} and {out_channels} channels, got {groups}")
        deviation = math.sqrt(2 * groups / (height * width * out_channels))
        random = seeding.generator_for(*seeding.next_draw())
        weight = deviation * random.standard_normal((height, width, in_channels // groups, out_channels))
        self.weight = Parameter(weight.astype(np.float32))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if flag("bias", bias) else None

    def forward(self, x: TensorLike) -> Tensor:
        settings = self.stride, self.padding, self.dilation, self.groups, self.method
        return F.conv2d(x, self.weight, self.bias, *settings)

    def described(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.groups > 1:
            text += f", groups={self.groups}"
        return f"{text}, bias={self.bias is not None}"
