"""The layers that a residual network is made of.  Images are channels last: (n, height, width, channels)."""

import itertools
import math

import numpy as np

from .. import seeding
from ..autodiff import functional as F
from ..autodiff import is_replaying
from ..checks import flag, integer, number, pair
from .module import Module, Parameter


def _uniform(shape, bound):
    """A float32 parameter, uniform between -bound and bound."""
    random = seeding.generator_for(*seeding.next_draw())
    return Parameter(random.uniform(-bound, bound, shape).astype(np.float32))


class Linear(Module):
    """x @ weight + bias on the last axis.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool

    Attributes
    ----------
    weight : Parameter (in_features, out_features)
    bias : Parameter (out_features,) or None
        Both start uniform between -1/sqrt(in_features) and 1/sqrt(in_features), as in PyTorch.
    """

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features = integer("in_features", in_features, 1)
        self.out_features = integer("out_features", out_features, 1)
        bound = 1 / math.sqrt(in_features)
        self.weight = _uniform((in_features, out_features), bound)
        self.bias = _uniform((out_features,), bound) if flag("bias", bias) else None

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)

    def described(self):
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


class Conv2d(Module):
    """Convolution of images (n, height, width, in_channels) with zero padding; see `functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding : int or (int, int)
    bias : bool

    Attributes
    ----------
    weight : Parameter (kh, kw, in_channels, out_channels)
        Starts normal with variance 2 / (kh kw out_channels) (He et al., ICCV 2015), which keeps gradients in scale.
    bias : Parameter (out_channels,) or None
        Starts at 0.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
        super().__init__()
        in_channels, out_channels = integer("in_channels", in_channels, 1), integer("out_channels", out_channels, 1)
        self.stride, self.padding = pair("stride", stride, 1), pair("padding", padding, 0)
        height, width = pair("kernel_size", kernel_size, 1)
        deviation = math.sqrt(2 / (height * width * out_channels))
        random = seeding.generator_for(*seeding.next_draw())
        weight = deviation * random.standard_normal((height, width, in_channels, out_channels))
        self.weight = Parameter(weight.astype(np.float32))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if flag("bias", bias) else None

    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def described(self):
        height, width, inputs, outputs = self.weight.shape
        return (
            f"{inputs}, {outputs}, kernel_size={(height, width)}, stride={self.stride}, padding={self.padding}, "
            f"bias={self.bias is not None}"
        )


class BatchNorm2d(Module):
    """Batch normalisation of the last axis; see `functional.batch_norm`.

    Running statistics move once for every first evaluation in training; when a reversible network evaluates the layer
    again on its way back, they stay.

    Parameters
    ----------
    num_features : int
    eps : float
    momentum : float
        Share of a batch in the running statistics.

    Attributes
    ----------
    weight, bias : Parameter (num_features,)
    running_mean, running_var : ndarray (num_features,)
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        num_features = integer("num_features", num_features, 1)
        self.eps, self.momentum = number("eps", eps, 0), number("momentum", momentum, 0, 1)
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.register_buffer("running_mean", np.zeros(num_features, np.float32))
        self.register_buffer("running_var", np.ones(num_features, np.float32))

    def forward(self, x, relu=False):
        """`relu`: whether a ReLU follows, which is then computed along with the normalisation."""
        return F.batch_norm(
            x,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.training,
            self.momentum,
            self.eps,
            update=not is_replaying(),
            relu=relu,
        )

    def described(self):
        return f"{len(self.running_mean)}, eps={self.eps}, momentum={self.momentum}"


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x):
        return F.relu(x)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x):
        return F.tanh(x)


class _Pool2d(Module):
    def __init__(self, size, stride=None, padding=0):
        super().__init__()
        F.pool_window(size, stride, padding)  # raises if they are wrong
        self.size, self.stride, self.padding = size, stride, padding

    def described(self):
        return f"{self.size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """Largest value under each window; see `functional.max_pool2d`."""

    def forward(self, x):
        return F.max_pool2d(x, self.size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """Mean under each window; see `functional.avg_pool2d`."""

    def forward(self, x):
        return F.avg_pool2d(x, self.size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """Mean of every channel over the image: (n, height, width, c) to (n, c)."""

    def forward(self, x):
        return F.global_avg_pool2d(x)


class Flatten(Module):
    """All axes but the first as one."""

    def forward(self, x):
        return F.flatten(x)


class Dropout(Module):
    """In training, set elements to zero with probability `p`; see `functional.dropout`."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = number("p", p, 0, below=1)

    def forward(self, x):
        return F.dropout(x, self.p, self.training)

    def described(self):
        return f"p={self.p}"


class Sequential(Module):
    """Modules one after the other; its children are named ``0``, ``1``, ...

    A `ReLU` right behind a `BatchNorm2d` is computed along with it, in one pass over memory, with the same result.
    """

    def __init__(self, *modules):
        super().__init__()
        for module in modules:
            if isinstance(module, type):
                raise TypeError(
                    f"Sequential takes modules, got the class {module.__name__}: {module.__name__}() makes one"
                )
            if not callable(module):
                raise TypeError(f"Sequential takes modules, got {type(module).__name__}")
        self._modules = list(modules)

    def _members(self):
        return [(name.removeprefix("_modules."), value) for name, value in super()._members()]

    def forward(self, x):
        modules = iter(itertools.zip_longest(self._modules, self._modules[1:]))
        for module, following in modules:
            if type(module) is BatchNorm2d and type(following) is ReLU:
                x = module(x, relu=True)
                next(modules)
            else:
                x = module(x)
        return x

    def __len__(self):
        return len(self._modules)

    def __getitem__(self, index):
        chosen = self._modules[index]
        return Sequential(*chosen) if isinstance(index, slice) else chosen
