"""Convolution of images, which are channels last: (n, height, width, channels)."""

from collections.abc import Sequence
from typing import Any, TypeAlias, get_args

from ..base.checks import integer, one_of, pair
from ..base.types import FloatArray
from ..kernels import convolution, winograd
from ..kernels.simd import lanes
from ..kernels.sums import sum_over
from .linear import checked_bias, require_not_empty
from .operation import Computed, Gradients, Needs, operation
from .tensor import Tensor, TensorLike, as_tensor, require_rank

Window: TypeAlias = tuple[int, int]
"""Height and width."""

Pair: TypeAlias = int | Window


@operation
def _conv2d(x: FloatArray, weight: FloatArray, bias: FloatArray | None = None, *, settings: Any) -> Computed:
    out = convolution.convolve(x, weight, *settings)
    if bias is not None:
        out += checked_bias(bias, weight.shape[3])
    return out, (x, weight, settings)


@_conv2d.defines_vjp
def _(saved: Any, gradient: FloatArray, needs: Needs) -> Gradients:
    x, weight, settings = saved
    return (
        convolution.convolve_input_gradient(gradient, weight, x.shape, *settings) if needs[0] else None,
        convolution.convolve_weight_gradient(x, gradient, weight.shape, *settings) if needs[1] else None,
        sum_over(gradient, (0, 1, 2)) if needs[2:] == (True,) else None,
    )[: len(needs)]


def conv2d(
    x: TensorLike, weight: TensorLike, bias: TensorLike | None = None, stride: Pair = 1, padding: Pair = 0,
    dilation: Pair = 1, groups: int = 1, method: convolution.Choice = "auto",
) -> Tensor:  # fmt: skip
    """Two-dimensional convolution, zero padding; see `mininet.kernels.convolution` for the formula.

    Parameters
    ----------
    x : Tensor (n, height, width, in_channels)
        Images, channels last.
    weight : Tensor (kh, kw, in_channels / groups, out_channels)
        A window for each pair of channels; PyTorch's axes are (out, in, kh, kw).
    bias : Tensor (out_channels,), optional
        Added to each output channel; by default nothing is.
    stride, padding, dilation : int or (int, int)
        Vertical and horizontal.
    groups : int
        Divides both numbers of channels; each group of outputs sees one group of inputs.
    method : "auto", "direct" or "winograd"
        Winograd's method is faster for 3x3 windows with stride 1, but its outputs share sums over tiles of 6x6 pixels.
        So a NaN or an infinity spoils up to 25 outputs instead of the 9 that see it, and a pixel a million times larger
        than its neighbours costs theirs most of their digits.  "direct" never uses it, "winograd" wherever it fits.

    Returns
    -------
    Tensor (n, out_height, out_width, out_channels)
        With out_height = (height + 2 padding - dilation (kh - 1) - 1) // stride + 1.

    Raises
    ------
    ValueError
        If shapes do not fit together, or `method` is "winograd" where that does not fit.

    Examples
    --------
    >>> F.conv2d(np.ones((1, 3, 3, 1)), np.ones((3, 3, 1, 1)), padding=1).data[0, :, :, 0]
    array([[4., 6., 4.],
           [6., 9., 6.],
           [4., 6., 4.]])
    """
    x, weight = as_tensor(x), as_tensor(weight)
    require_rank("x", x, 4, "(n, height, width, channels)")
    require_rank("weight", weight, 4, "(kh, kw, in_channels / groups, out_channels)")
    require_not_empty("weight", weight.shape)
    steps, room, spread = pair("stride", stride, 1), pair("padding", padding, 0), pair("dilation", dilation, 1)
    *window, channels, outputs = weight.shape
    if outputs % integer("groups", groups, 1):
        raise ValueError(f"groups must divide the {outputs} output channels of weight, got {groups}")
    if x.shape[3] != channels * groups:
        raise ValueError(
            f"x must have {channels * groups} channels on its last axis, as weight {weight.shape} says, "
            f"got shape {x.shape}"
        )
    require_window("weight", x.shape, [each * (size - 1) + 1 for each, size in zip(spread, window, strict=True)], room)
    fits = winograd.fits((*window, channels, outputs // groups), steps, x.dtype) and spread == (1, 1)
    if one_of("method", method, get_args(convolution.Choice)) == "winograd" and not fits:
        raise ValueError(
            f"method 'winograd' needs 3x3 windows, stride 1, no dilation and channels in multiples of "
            f"{lanes(x.dtype)}, got weight {weight.shape}, stride {steps}, dilation {spread} and groups {groups}"
        )
    inputs = (x, weight) if bias is None else (x, weight, bias)
    return _conv2d(*inputs, settings=(steps, room, spread, groups, method))


def require_window(name: str, shape: tuple[int, ...], size: Sequence[int], padding: Window) -> None:
    """Raise ValueError, naming the argument, if a window of this size does not fit into padded images."""
    for axis, direction in enumerate(("height", "width")):
        if shape[1 + axis] + 2 * padding[axis] < size[axis]:
            raise ValueError(
                f"{name}: a window of {direction} {size[axis]} does not fit into {shape[1 + axis]} pixels "
                f"with padding {padding[axis]}"
            )
