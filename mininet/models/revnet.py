"""A reversible residual network for CIFAR: the rival of momentum networks with the same memory (Gomez et al., 2017).

Its stages begin with an ordinary block, which changes the shape; behind it come coupled layers, whose functions see and
compute half of the channels.  So a network of about the same size as a ResNet has more channels, and the parameters of
one cannot be used in the other.
"""

from .. import nn
from ..checks import integer
from ..reversible import RevNet
from .resnet import CifarBlock, _ResNet, residual_function


class CifarRevNet(_ResNet):
    """A RevNet for images of about 32x32.

    Parameters
    ----------
    depth : int
        Blocks of each of the three stages: an ordinary one, and RevNet blocks of two coupled layers.
    classes : int
    width : int
        Channels of the first stage, even.
    arithmetic, backprop
        As for `RevNet`.
    """

    classifier_name = "linear"

    def __init__(self, depth, classes=10, width=20, arithmetic="exact", backprop="reversible"):
        super().__init__()
        depth, width, classes = integer("depth", depth, 1), integer("width", width, 1), integer("classes", classes, 1)
        if width % 2:
            raise ValueError(f"width must be even, as the channels are halved, got {width}")
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages = ("layer1", "layer2", "layer3")
        before = width
        for name, channels in zip(self.stages, (width, 2 * width, 4 * width), strict=True):
            first = CifarBlock(before, channels, 1 if name == "layer1" else 2, "A")
            functions = [residual_function(channels // 2) for _ in range(2 * (depth - 1))]
            setattr(self, name, nn.Sequential(first, RevNet(functions, arithmetic=arithmetic, backprop=backprop)))
            before = channels
        self.linear = nn.Linear(before, classes)

    def stem(self, x):
        """conv3x3 - batch norm - ReLU."""
        return self.bn1(self.conv1(x), relu=True)


def revnet20(classes=10, width=20, arithmetic="exact", backprop="reversible"):
    """A RevNet of about the size of ResNet-20, 269,470 parameters; see `CifarRevNet`."""
    return CifarRevNet(3, classes, width, arithmetic, backprop)
