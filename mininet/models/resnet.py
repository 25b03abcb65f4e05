"""Residual networks for images, with the parameter names of the well-known PyTorch versions.

Two families, both after He, Zhang, Ren, Sun, *Deep Residual Learning for Image Recognition* (CVPR 2016):

- for ImageNet, ResNet-18 to ResNet-152, named as in torchvision: a 7x7 convolution and a maximum over 3x3 windows bring
  224x224 images to 56x56, then come four stages of 64 to 512 channels (with bottlenecks 4 times as many), each half the
  size of the one before;
- for CIFAR, ResNet-20 to ResNet-110, named as in Y. Idelbayev's pytorch_resnet_cifar10: a 3x3 convolution, then three
  stages of 16, 32 and 64 channels at 32x32, 16x16 and 8x8.

A block computes relu(branch(x) + shortcut(x)).  The shortcut is x itself, unless the block changes the shape: then it
is a strided 1x1 convolution with batch norm (option B), or, for CIFAR, every other pixel with zeros as new channels
(option A), which has no parameters.
"""

import numpy as np

from .. import nn
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..checks import integer, one_of, shown


def residual_function(channels):
    """conv3x3 - batch norm - ReLU - conv3x3 - batch norm, for as many channels as before."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


class ChannelPadding(nn.Module):
    """The shortcut called option A: every other pixel, and zeros for half of the new channels on either side."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.stride, self.before = stride, (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x):
        """x (n, height, width, in) to (n, ceil(height / stride), ceil(width / stride), out)."""
        x = x[:, :: self.stride, :: self.stride]
        zeros = [Tensor(np.zeros((*x.shape[:3], count), x.dtype)) for count in (self.before, self.after)]
        return F.concatenate([zeros[0], x, zeros[1]], axis=3)


class _Block(nn.Module):
    """What both kinds of block share.

    Parameters
    ----------
    in_channels, width : int
        The block gives `expansion` times `width` channels.
    stride : int
    shortcut : {"A", "B"}

    Attributes
    ----------
    changes_shape : bool
        If not, the block can be a layer of a momentum network.
    out_channels : int
    """

    expansion = 1
    shortcut_name = "downsample"  # as in torchvision

    def __init__(self, in_channels, width, stride=1, shortcut="B"):
        super().__init__()
        self.in_channels, self.out_channels, self.stride = in_channels, self.expansion * width, stride
        self.changes_shape = stride != 1 or in_channels != self.out_channels
        self._add_branch(in_channels, width, stride)
        if self.changes_shape:
            setattr(self, self.shortcut_name, self._shortcut_layer(shortcut))

    def _add_branch(self, in_channels, width, stride):
        raise NotImplementedError

    def _shortcut_layer(self, kind):
        if kind == "A":
            return ChannelPadding(self.in_channels, self.out_channels, self.stride)
        return nn.Sequential(
            nn.Conv2d(self.in_channels, self.out_channels, 1, self.stride, bias=False),
            nn.BatchNorm2d(self.out_channels),
        )

    def branch(self, x):
        """What is added to the shortcut."""
        raise NotImplementedError

    def forward(self, x):
        """relu(branch(x) + shortcut(x)), (n, height, width, in) to (n, height / stride, width / stride, out)."""
        shortcut = getattr(self, self.shortcut_name)(x) if self.changes_shape else x
        return F.relu(self.branch(x) + shortcut)

    def described(self):
        return f"{self.in_channels}, {self.out_channels}, stride={self.stride}"


class BasicBlock(_Block):
    """Two 3x3 convolutions; see `_Block`."""

    def _add_branch(self, in_channels, width, stride):
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def branch(self, x):
        """conv3x3 - batch norm - ReLU - conv3x3 - batch norm."""
        return self.bn2(self.conv2(self.bn1(self.conv1(x), relu=True)))


class CifarBlock(BasicBlock):
    """A `BasicBlock` whose shortcut has the name that networks for CIFAR give it."""

    shortcut_name = "shortcut"


class Bottleneck(_Block):
    """A 3x3 convolution between two 1x1 ones, which go down to `width` channels and up to 4 times as many."""

    expansion = 4

    def _add_branch(self, in_channels, width, stride):
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, self.out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.out_channels)

    def branch(self, x):
        """conv1x1 - batch norm - ReLU - conv3x3 - batch norm - ReLU - conv1x1 - batch norm."""
        x = self.bn1(self.conv1(x), relu=True)
        x = self.bn2(self.conv2(x), relu=True)
        return self.bn3(self.conv3(x))


class _ResNet(nn.Module):
    """A stem, stages of blocks called ``layer1``, ``layer2``, ..., the mean over the image, a linear classifier.

    Attributes
    ----------
    stages : tuple of str
        The names of the stages, `Sequential` modules of blocks.
    """

    classifier_name = "fc"

    def _add_stages(self, block, depths, widths, in_channels, shortcut):
        self.stages = tuple(f"layer{number}" for number in range(1, len(depths) + 1))
        for name, depth, width in zip(self.stages, depths, widths, strict=True):
            blocks = []
            for number in range(depth):
                stride = 2 if number == 0 and name != "layer1" else 1
                blocks.append(block(in_channels, width, stride, shortcut))
                in_channels = blocks[-1].out_channels
            setattr(self, name, nn.Sequential(*blocks))
        return in_channels

    def stem(self, x):
        """What comes before the first stage."""
        raise NotImplementedError

    def features(self, x):
        """The images after the last stage, (n, height, width, channels)."""
        x = self.stem(x)
        for name in self.stages:
            x = getattr(self, name)(x)
        return x

    def forward(self, x):
        """Logits (n, classes) of images (n, height, width, 3)."""
        return getattr(self, self.classifier_name)(F.global_avg_pool2d(self.features(x)))


class ImageNetResNet(_ResNet):
    """A residual network for images of about 224x224, with the parameter names of torchvision.

    Parameters
    ----------
    block : BasicBlock or Bottleneck
    depths : sequence of four int
        Blocks of each stage.
    classes : int
    width : int
        Of the blocks of the first stage.
    """

    def __init__(self, block, depths, classes=1000, width=64):
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

    def stem(self, x):
        """conv7x7 - batch norm - ReLU - maximum over 3x3, a quarter as high and wide."""
        return F.max_pool2d(self.bn1(self.conv1(x), relu=True), 3, 2, 1)


class CifarResNet(_ResNet):
    """A residual network for images of about 32x32, with the parameter names of pytorch_resnet_cifar10.

    Parameters
    ----------
    depth : int
        Blocks of each of the three stages.
    classes : int
    shortcut : {"A", "B"}
    width : int
        Channels of the first stage.
    """

    classifier_name = "linear"

    def __init__(self, depth, classes=10, shortcut="A", width=16):
        super().__init__()
        depth, width, classes = integer("depth", depth, 1), integer("width", width, 1), integer("classes", classes, 1)
        one_of("shortcut", shortcut, ("A", "B"))
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = self._add_stages(CifarBlock, (depth,) * 3, (width, 2 * width, 4 * width), width, shortcut)
        self.linear = nn.Linear(channels, classes)

    def stem(self, x):
        """conv3x3 - batch norm - ReLU."""
        return self.bn1(self.conv1(x), relu=True)


def resnet20(classes=10, shortcut="A", width=16):
    """ResNet-20 for CIFAR: 269,722 parameters with option A shortcuts; see `CifarResNet`."""
    return CifarResNet(3, classes, shortcut, width)


def resnet32(classes=10, shortcut="A", width=16):
    """ResNet-32 for CIFAR: 464,154 parameters with option A shortcuts; see `CifarResNet`."""
    return CifarResNet(5, classes, shortcut, width)


def resnet44(classes=10, shortcut="A", width=16):
    """ResNet-44 for CIFAR: 658,586 parameters with option A shortcuts; see `CifarResNet`."""
    return CifarResNet(7, classes, shortcut, width)


def resnet56(classes=10, shortcut="A", width=16):
    """ResNet-56 for CIFAR: 853,018 parameters with option A shortcuts; see `CifarResNet`."""
    return CifarResNet(9, classes, shortcut, width)


def resnet110(classes=10, shortcut="A", width=16):
    """ResNet-110 for CIFAR: 1,727,962 parameters with option A shortcuts; see `CifarResNet`."""
    return CifarResNet(18, classes, shortcut, width)


def resnet18(classes=1000):
    """ResNet-18 for ImageNet: 11,689,512 parameters; see `ImageNetResNet`."""
    return ImageNetResNet(BasicBlock, (2, 2, 2, 2), classes)


def resnet34(classes=1000):
    """ResNet-34 for ImageNet: 21,797,672 parameters; see `ImageNetResNet`."""
    return ImageNetResNet(BasicBlock, (3, 4, 6, 3), classes)


def resnet50(classes=1000):
    """ResNet-50 for ImageNet: 25,557,032 parameters; see `ImageNetResNet`."""
    return ImageNetResNet(Bottleneck, (3, 4, 6, 3), classes)


def resnet101(classes=1000):
    """ResNet-101 for ImageNet: 44,549,160 parameters; see `ImageNetResNet`."""
    return ImageNetResNet(Bottleneck, (3, 4, 23, 3), classes)


def resnet152(classes=1000):
    """ResNet-152 for ImageNet: 60,192,808 parameters; see `ImageNetResNet`."""
    return ImageNetResNet(Bottleneck, (3, 8, 36, 3), classes)
