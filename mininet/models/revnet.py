"""A reversible residual network for CIFAR: the rival of momentum networks with equal memory (Gomez et al., 2017).

Its stages begin with an ordinary block, which changes the shape.  Coupled layers follow, whose functions see and
compute half of the channels.  So a RevNet has more channels than a ResNet of similar size, and they
cannot share parameters.
"""

from .. import nn
from ..autodiff import Tensor
from ..autodiff.tensor import TensorLike
from ..base.checks import integer
from ..base.types import Arithmetic, Backprop
from ..reversible import RevNet
from .resnet import CifarBlock, _ResNet, residual_function


class CifarRevNet(_ResNet):
    """A RevNet for images of about 32x32; `arithmetic` and `backprop` are those of `RevNet`.

    Parameters
    ----------
    depth : int
        Blocks in each of the three stages: an ordinary one, then RevNet blocks of two coupled layers.
    classes : int
        How many logits come out.
    width : int
        The number of channels in the first stage, even.
    arithmetic, backprop
        As for `RevNet`.

    Examples
    --------
    >>> models.CifarRevNet(2, width=4)(np.ones((2, 32, 32, 3), np.float32)).shape
    (2, 10)
    """

    classifier_name = "linear"

    def __init__(
        self, depth: int, classes: int = 10, width: int = 20, arithmetic: Arithmetic = "exact",
        backprop: Backprop = "reversible",
    ) -> None:  # fmt: skip
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

    def stem(self, x: TensorLike) -> Tensor:
        """Compute conv3x3 - batch norm - ReLU."""
        return self.bn1(self.conv1(x), relu=True)


def revnet20(
    classes: int = 10, width: int = 20, arithmetic: Arithmetic = "exact", backprop: Backprop = "reversible"
) -> CifarRevNet:
    """Make a RevNet of about the size of ResNet-20, 269,470 parameters; see `CifarRevNet`.

    >>> sum(parameter.data.size for parameter in models.revnet20().parameters())
    269470
    """
    return CifarRevNet(3, classes, width, arithmetic, backprop)
