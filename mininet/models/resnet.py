"""Residual networks for images, with the parameter names of the well-known PyTorch versions.

Two families, both after He, Zhang, Ren, Sun, *Deep Residual Learning for Image Recognition* (CVPR 2016):

- for ImageNet, ResNet-18 to ResNet-152, named as in torchvision: a 7x7 convolution and a maximum over 3x3 windows
  reduce 224x224 images to 56x56; four stages of 64 to 512 channels follow (4 times as many with bottlenecks), each half
  the size of the one before;
- for CIFAR, ResNet-20 to ResNet-110, named as in Y. Idelbayev's pytorch_resnet_cifar10: a 3x3 convolution, then three
  stages of 16, 32 and 64 channels at 32x32, 16x16 and 8x8.

A block computes relu(branch(x) + shortcut(x)).  The shortcut is x itself, unless the block changes the shape.  Then it
is a strided 1x1 convolution with batch norm (option B) or, for CIFAR, every other pixel with zeros as new channels
(option A), which has no parameters.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from .. import nn
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..autodiff.tensor import TensorLike
from ..base.checks import integer, one_of, shown

Shortcut: TypeAlias = Literal["A", "B"]


def residual_function(channels: int) -> nn.Sequential:
    """Make conv3x3 - batch norm - ReLU - conv3x3 - batch norm, with unchanged channels."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


class ChannelPadding(nn.Module):
    """The shortcut of option A: every other pixel, and zeros for half of the new channels on either side."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.before = stride, (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        """Map x (n, height, width, in) to (n, ceil(height / stride), ceil(width / stride), out)."""
        x = x[:, :: self.stride, :: self.stride]
        zeros = [Tensor(np.zeros((*x.shape[:3], count), x.dtype)) for count in (self.before, self.after)]
        return F.concatenate([zeros[0], x, zeros[1]], axis=3)


class _Block(nn.Module):
    """Base of the blocks, which give `expansion` times `width` channels, `out_channels`.

    A block that does not change the shape (`changes_shape`) can be a layer of a momentum network.
    """

    expansion = 1
    shortcut_name = "downsample"  # as in torchvision

    def __init__(self, in_channels: int, width: int, stride: int = 1, shortcut: Shortcut = "B") -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.stride = in_channels, self.expansion * width, stride
        self.changes_shape = stride != 1 or in_channels != self.out_channels
        self._add_branch(in_channels, width, stride)
        if self.changes_shape:
            setattr(self, self.shortcut_name, self._shortcut_layer(shortcut))

    def _add_branch(self, in_channels: int, width: int, stride: int) -> None:
        raise NotImplementedError

    def _shortcut_layer(self, kind: Shortcut) -> nn.Module:
        if kind == "A":
            return ChannelPadding(self.in_channels, self.out_channels, self.stride)
        return nn.Sequential(
            nn.Conv2d(self.in_channels, self.out_channels, 1, self.stride, bias=False),
            nn.BatchNorm2d(self.out_channels),
        )

    def branch(self, x: TensorLike) -> Tensor:
        """Compute what is added to the shortcut."""
        raise NotImplementedError

    def forward(self, x: TensorLike) -> Tensor:
        """Compute relu(branch(x) + shortcut(x)), (n, height / stride, width / stride, out)."""
        shortcut = getattr(self, self.shortcut_name)(x) if self.changes_shape else x
        return F.relu(self.branch(x) + shortcut)

    def described(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, stride={self.stride}"


class BasicBlock(_Block):
    """A block of two 3x3 convolutions."""

    def _add_branch(self, in_channels: int, width: int, stride: int) -> None:
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def branch(self, x: TensorLike) -> Tensor:
        """Compute conv3x3 - batch norm - ReLU - conv3x3 - batch norm."""
        return self.bn2(self.conv2(self.bn1(self.conv1(x), relu=True)))


class CifarBlock(BasicBlock):
    """A `BasicBlock` whose shortcut is named as in networks for CIFAR."""

    shortcut_name = "shortcut"


class Bottleneck(_Block):
    """A block of a 3x3 convolution between two 1x1 ones, which go to `width` channels and to 4 times as many."""

    expansion = 4

    def _add_branch(self, in_channels: int, width: int, stride: int) -> None:
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, self.out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.out_channels)

    def branch(self, x: TensorLike) -> Tensor:
        """Compute conv1x1 - batch norm - ReLU - conv3x3 - batch norm - ReLU - conv1x1 - batch norm."""
        x = self.bn1(self.conv1(x), relu=True)
        x = self.bn2(self.conv2(x), relu=True)
        return self.bn3(self.conv3(x))


class _ResNet(nn.Module):
    """A stem, stages of blocks, the mean over the image, and a linear classifier.

    `stages` names the stages, ``layer1``, ``layer2``, ..., which are `Sequential` modules of blocks.
    """

    classifier_name = "fc"
    stages: tuple[str, ...]
    conv1: nn.Conv2d
    bn1: nn.BatchNorm2d
    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential

    def _add_stages(
        self, block: type[_Block], depths: Sequence[int], widths: Sequence[int], in_channels: int, shortcut: Shortcut
    ) -> int:
        self.stages = tuple(f"layer{number}" for number in range(1, len(depths) + 1))
        for name, depth, width in zip(self.stages, depths, widths, strict=True):
            blocks = []
            for number in range(depth):
                stride = 2 if number == 0 and name != "layer1" else 1
                blocks.append(block(in_channels, width, stride, shortcut))
                in_channels = blocks[-1].out_channels
            setattr(self, name, nn.Sequential(*blocks))
        return in_channels

    def stem(self, x: TensorLike) -> Tensor:
        """Compute what comes before the first stage.

        Parameters
        ----------
        x : Tensor (n, height, width, 3)
            Images.
        """
        raise NotImplementedError

    def features(self, x: TensorLike) -> Tensor:
        """Compute the images after the last stage, (n, height, width, channels)."""
        images = self.stem(x)
        for name in self.stages:
            images = getattr(self, name)(images)
        return images

    def forward(self, x: TensorLike) -> Tensor:
        """Compute logits (n, classes) of images (n, height, width, 3)."""
        logits: Tensor = getattr(self, self.classifier_name)(F.global_avg_pool2d(self.features(x)))
        return logits


class ImageNetResNet(_ResNet):
    """A residual network for images of about 224x224, with the parameter names of torchvision.

    Parameters
    ----------
    block : BasicBlock or Bottleneck
        What stages are made of.
    depths : sequence of four int
        How many blocks each stage has.
    classes : int
        How many logits come out.
    width : int
        The width of the blocks in the first stage.

    Examples
    --------
    >>> net = models.ImageNetResNet(models.resnet.BasicBlock, (1, 1, 1, 1), classes=10, width=8)
    """

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], depths: tuple[int, ...] | list[int], classes: int = 1000,
        width: int = 64,
    ) -> None:  # fmt: skip
        super().__init__()
        if block not in (BasicBlock, Bottleneck):
            raise ValueError(f"block must be BasicBlock or Bottleneck, got {shown(block)}")
        if not isinstance(depths, (tuple, list)) or len(depths) != 4:
            raise ValueError(f"depths must be four integers, got {shown(depths)}")
        depths = [integer("depths", depth, 1) for depth in depths]
        width, classes = integer("width", width, 1), integer("classes", classes, 1)
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = self._add_stages(block, depths, (width, 2 * width, 4 * width, 8 * width), width, "B")
        self.fc = nn.Linear(channels, classes)

    def stem(self, x: TensorLike) -> Tensor:
        """Compute conv7x7 - batch norm - ReLU - maximum over 3x3, a quarter as high and wide."""
        return F.max_pool2d(self.bn1(self.conv1(x), relu=True), 3, 2, 1)


class CifarResNet(_ResNet):
    """A residual network for images of about 32x32, with the parameter names of pytorch_resnet_cifar10.

    Parameters
    ----------
    depth : int
        How many blocks each of the three stages has.
    classes : int
        How many logits come out.
    shortcut : "A" or "B"
        How x passes a block that halves images: "A" takes every other pixel and adds channels of zeros, "B" is a 1x1
        convolution with batch norm.
    width : int
        The number of channels in the first stage.

    Examples
    --------
    >>> models.CifarResNet(1, width=4)(np.ones((2, 32, 32, 3), np.float32)).shape
    (2, 10)
    """

    classifier_name = "linear"

    def __init__(self, depth: int, classes: int = 10, shortcut: Shortcut = "A", width: int = 16) -> None:
        super().__init__()
        depth, width, classes = integer("depth", depth, 1), integer("width", width, 1), integer("classes", classes, 1)
        one_of("shortcut", shortcut, ("A", "B"))
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = self._add_stages(CifarBlock, (depth,) * 3, (width, 2 * width, 4 * width), width, shortcut)
        self.linear = nn.Linear(channels, classes)

    def stem(self, x: TensorLike) -> Tensor:
        """Compute conv3x3 - batch norm - ReLU."""
        return self.bn1(self.conv1(x), relu=True)


def resnet20(classes: int = 10, shortcut: Shortcut = "A", width: int = 16) -> CifarResNet:
    """Make a ResNet-20 for CIFAR: 269,722 parameters with option A shortcuts; see `CifarResNet`.

    Examples
    --------
    >>> models.resnet20()(np.ones((2, 32, 32, 3), np.float32)).shape
    (2, 10)
    """
    return CifarResNet(3, classes, shortcut, width)


def resnet32(classes: int = 10, shortcut: Shortcut = "A", width: int = 16) -> CifarResNet:
    """Make a ResNet-32 for CIFAR: 464,154 parameters with option A shortcuts; see `CifarResNet`.

    >>> sum(parameter.data.size for parameter in models.resnet32().parameters())
    464154
    """
    return CifarResNet(5, classes, shortcut, width)


def resnet38(classes: int = 10, shortcut: Shortcut = "A", width: int = 16) -> CifarResNet:
    """Make a ResNet-38 for CIFAR: 561,370 parameters with option A shortcuts; see `CifarResNet`.

    >>> sum(parameter.data.size for parameter in models.resnet38().parameters())
    561370
    """
    return CifarResNet(6, classes, shortcut, width)


def resnet44(classes: int = 10, shortcut: Shortcut = "A", width: int = 16) -> CifarResNet:
    """Make a ResNet-44 for CIFAR: 658,586 parameters with option A shortcuts; see `CifarResNet`.

    >>> sum(parameter.data.size for parameter in models.resnet44().parameters())
    658586
    """
    return CifarResNet(7, classes, shortcut, width)


def resnet56(classes: int = 10, shortcut: Shortcut = "A", width: int = 16) -> CifarResNet:
    """Make a ResNet-56 for CIFAR: 853,018 parameters with option A shortcuts; see `CifarResNet`.

    >>> sum(parameter.data.size for parameter in models.resnet56().parameters())
    853018
    """
    return CifarResNet(9, classes, shortcut, width)


def resnet110(classes: int = 10, shortcut: Shortcut = "A", width: int = 16) -> CifarResNet:
    """Make a ResNet-110 for CIFAR: 1,727,962 parameters with option A shortcuts; see `CifarResNet`.

    >>> sum(parameter.data.size for parameter in models.resnet110().parameters())
    1727962
    """
    return CifarResNet(18, classes, shortcut, width)


def resnet18(classes: int = 1000) -> ImageNetResNet:
    """Make a ResNet-18 for ImageNet: 11,689,512 parameters; see `ImageNetResNet`.

    Examples
    --------
    >>> models.resnet18(classes=10).fc
    Linear(512, 10, bias=True)
    """
    return ImageNetResNet(BasicBlock, (2, 2, 2, 2), classes)


def resnet34(classes: int = 1000) -> ImageNetResNet:
    """Make a ResNet-34 for ImageNet: 21,797,672 parameters; see `ImageNetResNet`.

    >>> models.resnet34(classes=10).fc
    Linear(512, 10, bias=True)
    """
    return ImageNetResNet(BasicBlock, (3, 4, 6, 3), classes)


def resnet50(classes: int = 1000) -> ImageNetResNet:
    """Make a ResNet-50 for ImageNet: 25,557,032 parameters; see `ImageNetResNet`.

    >>> models.resnet50(classes=10).fc
    Linear(2048, 10, bias=True)
    """
    return ImageNetResNet(Bottleneck, (3, 4, 6, 3), classes)


def resnet101(classes: int = 1000) -> ImageNetResNet:
    """Make a ResNet-101 for ImageNet: 44,549,160 parameters; see `ImageNetResNet`.

    >>> models.resnet101(classes=10).fc
    Linear(2048, 10, bias=True)
    """
    return ImageNetResNet(Bottleneck, (3, 4, 23, 3), classes)


def resnet152(classes: int = 1000) -> ImageNetResNet:
    """Make a ResNet-152 for ImageNet: 60,192,808 parameters; see `ImageNetResNet`.

    >>> models.resnet152(classes=10).fc
    Linear(2048, 10, bias=True)
    """
    return ImageNetResNet(Bottleneck, (3, 8, 36, 3), classes)
