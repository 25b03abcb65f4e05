"""The layers that a residual network is made of.  Images are channels last: (n, height, width, channels)."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, overload

import numpy as np

from .. import seeding
from ..autodiff import Tensor, as_tensor, is_replaying
from ..autodiff import functional as F
from ..autodiff.images import Pair, pool_window
from ..autodiff.tensor import TensorLike
from ..base.checks import flag, integer, number, pair
from ..base.types import FloatArray
from .module import Member, Module, Parameter


def _uniform(shape: tuple[int, ...], bound: float) -> Parameter:
    """Draw a float32 parameter, uniform between -bound and bound."""
    random = seeding.generator_for(*seeding.next_draw())
    return Parameter(random.uniform(-bound, bound, shape).astype(np.float32))


class Linear(Module):
    """x @ weight + bias on the last axis.

    Attributes
    ----------
    weight : Parameter (in_features, out_features)
    bias : Parameter (out_features,) or None
        Both start uniform between -1/sqrt(in_features) and 1/sqrt(in_features), as in PyTorch.

    Examples
    --------
    >>> nn.Linear(8, 3)(np.ones((5, 8), np.float32)).shape
    (5, 3)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = integer("in_features", in_features, 1)
        self.out_features = integer("out_features", out_features, 1)
        bound = 1 / math.sqrt(in_features)
        self.weight = _uniform((in_features, out_features), bound)
        self.bias = _uniform((out_features,), bound) if flag("bias", bias) else None

    def forward(self, x: TensorLike) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def described(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


class Conv2d(Module):
    """Convolution of images (n, height, width, in_channels) with zero padding; see `functional.conv2d`.

    A pair of `kernel_size`, `stride` or `padding` means (vertical, horizontal).

    Attributes
    ----------
    weight : Parameter (kh, kw, in_channels, out_channels)
        Starts normal with variance 2 / (kh kw out_channels) (He et al., ICCV 2015), which keeps gradients in scale.
    bias : Parameter (out_channels,) or None
        Starts at 0.

    Examples
    --------
    >>> nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1)(np.ones((1, 32, 32, 3), np.float32)).shape
    (1, 16, 16, 16)
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        in_channels, out_channels = integer("in_channels", in_channels, 1), integer("out_channels", out_channels, 1)
        self.stride, self.padding = pair("stride", stride, 1), pair("padding", padding, 0)
        height, width = pair("kernel_size", kernel_size, 1)
        deviation = math.sqrt(2 / (height * width * out_channels))
        random = seeding.generator_for(*seeding.next_draw())
        weight = deviation * random.standard_normal((height, width, in_channels, out_channels))
        self.weight = Parameter(weight.astype(np.float32))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if flag("bias", bias) else None

    def forward(self, x: TensorLike) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def described(self) -> str:
        height, width, inputs, outputs = self.weight.shape
        return (
            f"{inputs}, {outputs}, kernel_size={(height, width)}, stride={self.stride}, padding={self.padding}, "
            f"bias={self.bias is not None}"
        )


class BatchNorm2d(Module):
    """Batch normalisation over all axes except the last, the channels; see `functional.batch_norm`.

    In training, running statistics move at every first evaluation.  They stay when a reversible network evaluates the
    layer again in its backward pass.

    Parameters
    ----------
    momentum : float
        Share of the new batch in the running statistics.

    Attributes
    ----------
    weight, bias : Parameter (num_features,)
    running_mean, running_var : ndarray (num_features,)

    Examples
    --------
    >>> norm = nn.BatchNorm2d(1)
    >>> norm(np.array([[[[0.0]], [[2.0]]]], np.float32)).data.ravel().round(3)
    array([-1.,  1.], dtype=float32)
    >>> norm.running_mean
    array([0.1], dtype=float32)
    """

    running_mean: FloatArray
    running_var: FloatArray

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        num_features = integer("num_features", num_features, 1)
        self.eps, self.momentum = number("eps", eps, 0), number("momentum", momentum, 0, 1)
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.register_buffer("running_mean", np.zeros(num_features, np.float32))
        self.register_buffer("running_var", np.ones(num_features, np.float32))

    def forward(self, x: TensorLike, relu: bool = False) -> Tensor:
        """Normalise x; with `relu`, compute a ReLU that follows in the same pass."""
        return F.batch_norm(
            x, self.weight, self.bias, self.running_mean, self.running_var, self.training, self.momentum, self.eps,
            update=not is_replaying(), relu=relu,
        )  # fmt: skip

    def described(self) -> str:
        return f"{len(self.running_mean)}, eps={self.eps}, momentum={self.momentum}"


class ReLU(Module):
    """max(x, 0).

    Examples
    --------
    >>> nn.ReLU()(Tensor([-1.0, 2.0]))
    Tensor([0., 2.], dtype=float32)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.relu(x)


class Tanh(Module):
    """Hyperbolic tangent.

    Examples
    --------
    >>> nn.Tanh()(Tensor([0.0]))
    Tensor([0.], dtype=float32)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.tanh(x)


class _Pool2d(Module):
    def __init__(self, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        super().__init__()
        pool_window(size, stride, padding)  # raises if they are wrong
        self.size, self.stride, self.padding = size, stride, padding

    def described(self) -> str:
        return f"{self.size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest value under each window; see `functional.max_pool2d`.

    Examples
    --------
    >>> nn.MaxPool2d(2)(np.ones((1, 8, 8, 3), np.float32)).shape
    (1, 4, 4, 3)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.max_pool2d(x, self.size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """The mean under each window; see `functional.avg_pool2d`.

    Examples
    --------
    >>> nn.AvgPool2d(2)(np.ones((1, 8, 8, 3), np.float32)).shape
    (1, 4, 4, 3)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.avg_pool2d(x, self.size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """The mean of every channel over the image: (n, height, width, c) to (n, c).

    Examples
    --------
    >>> nn.GlobalAvgPool2d()(np.ones((1, 8, 8, 3), np.float32)).shape
    (1, 3)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.global_avg_pool2d(x)


class Flatten(Module):
    """All axes except the first become one.

    Examples
    --------
    >>> nn.Flatten()(np.ones((1, 8, 8, 3), np.float32)).shape
    (1, 192)
    """

    def forward(self, x: TensorLike) -> Tensor:
        return F.flatten(x)


class Dropout(Module):
    """Set elements to zero with probability `p` in training; see `functional.dropout`.

    Examples
    --------
    >>> nn.Dropout(0.5).eval()(Tensor([1.0, 2.0]))
    Tensor([1., 2.], dtype=float32)
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = number("p", p, 0, below=1)

    def forward(self, x: TensorLike) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def described(self) -> str:
        return f"p={self.p}"


class Sequential(Module):
    """Modules one after the other, named ``0``, ``1``, ...

    A `ReLU` right after a `BatchNorm2d` is computed in the same pass over memory, with the same result.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> [name for name, _ in net.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *modules: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        for module in modules:
            if isinstance(module, type):
                name = module.__name__
                raise TypeError(f"Sequential takes modules, got the class {name}: {name}() makes one")
            if not callable(module):
                raise TypeError(f"Sequential takes modules, got {type(module).__name__}")
        self._modules: list[Callable[..., Tensor]] = list(modules)

    def _members(self) -> list[Member]:
        return [(name.removeprefix("_modules."), value) for name, value in super()._members()]

    def forward(self, x: TensorLike) -> Tensor:
        x = as_tensor(x)
        modules = iter(itertools.zip_longest(self._modules, self._modules[1:]))
        for module, following in modules:
            if type(module) is BatchNorm2d and type(following) is ReLU:
                x = module(x, relu=True)
                next(modules)
            else:
                x = module(x)
        return x

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules)

    @overload
    def __getitem__(self, index: "slice[Any, Any, Any]") -> "Sequential": ...
    @overload
    def __getitem__(self, index: int) -> Any: ...
    def __getitem__(self, index: Any) -> Any:
        chosen = self._modules[index]
        return Sequential(*chosen) if isinstance(index, slice) else chosen
