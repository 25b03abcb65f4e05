"""What is measured: single convolutions and whole networks, and the numbers they start from.

All libraries get the same arrays, so that what they compute can be compared (`rounds.py` does) before their times are.
Everything is float32.
"""

import dataclasses

import numpy as np

GAMMA = 0.9
LEARNING_RATE = 0.01


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution without bias of square images, padded so that stride 1 keeps their size."""

    batch: int
    in_channels: int
    out_channels: int
    size: int
    kernel: int = 3
    stride: int = 1

    @property
    def name(self):
        """As in 64×16×32×32 (batch, channels, height, width), with what differs from 3x3, stride 1, equal channels."""
        name = f"{self.batch}×{self.in_channels}×{self.size}×{self.size}"
        if self.is_plain:
            return name
        kind = f"{self.kernel}×{self.kernel}" + f", stride {self.stride}" * (self.stride > 1)
        return f"{name} → {self.out_channels}, {kind}"

    @property
    def is_plain(self):
        """Whether it is one of the 3x3, stride 1 layers, over which the geometric mean is taken."""
        return self.kernel == 3 and self.stride == 1

    @property
    def padding(self):
        """At each side."""
        return self.kernel // 2

    @property
    def flops(self):
        """Multiplications and additions of the definition; the two gradients together take twice as many."""
        out_size = (self.size + 2 * self.padding - self.kernel) // self.stride + 1
        return 2 * self.batch * out_size**2 * self.kernel**2 * self.in_channels * self.out_channels


@dataclasses.dataclass(frozen=True)
class Network:
    """A momentum network, every residual function conv - batch norm - ReLU - conv - batch norm, convolutions 3x3.

    With `inner` channels it is ResNet-50's bottleneck instead: 1x1 down to `inner`, 3x3, 1x1 up again.  A `small` one
    has conv - batch norm - ReLU, or for `size` 0, which means no images, Linear - tanh.
    """

    depth: int
    batch: int
    channels: int
    size: int
    inner: int | None = None
    small: bool = False

    @property
    def name(self):
        """As in 20 layers, 64×16×32×32 (batch, channels, height, width)."""
        kind = "layers" if self.inner is None else "bottlenecks"
        if self.small:
            kind = "× conv-bn-relu" if self.size else "× Linear-tanh"
        return f"{self.depth} {kind}, {self.batch}×{self.channels}" + f"×{self.size}×{self.size}" * (self.size > 0)

    @property
    def convolutions(self):
        """(in_channels, out_channels, kernel) of the convolutions in a residual function."""
        if self.small:
            return [(self.channels, self.channels, 3)] * (self.size > 0)
        if self.inner is None:
            return [(self.channels, self.channels, 3)] * 2
        return [(self.channels, self.inner, 1), (self.inner, self.inner, 3), (self.inner, self.channels, 1)]


LAYERS = [
    Layer(64, 16, 16, 32),
    Layer(128, 16, 16, 32),
    Layer(64, 32, 32, 16),
    Layer(64, 64, 64, 8),
    Layer(32, 64, 64, 32),
    Layer(32, 128, 128, 16),
    Layer(32, 256, 256, 8),
    Layer(8, 64, 64, 56),
    Layer(8, 256, 64, 56, kernel=1),
    Layer(8, 64, 256, 56, kernel=1),
    Layer(64, 16, 32, 32, stride=2),
    Layer(32, 64, 128, 16, stride=2),
]

NETWORKS = [
    Network(20, 64, 16, 32),
    Network(20, 32, 64, 16),
    Network(40, 32, 32, 32),
    Network(8, 8, 256, 56, inner=64),
]

# Where what a layer needs beside its arithmetic counts
SMALL_NETWORKS = [
    Network(30, 32, 8, 0, small=True),
    Network(100, 64, 16, 0, small=True),
    Network(30, 256, 128, 0, small=True),
    Network(10, 64, 16, 8, small=True),
    Network(10, 64, 16, 16, small=True),
]

# For checking that everything runs; the times mean nothing
QUICK_LAYERS = [Layer(2, 16, 16, 8), Layer(2, 32, 32, 8), Layer(2, 32, 16, 8, kernel=1), Layer(2, 16, 32, 8, stride=2)]
QUICK_NETWORKS = [Network(2, 4, 16, 8), Network(2, 2, 32, 8, inner=16)]
QUICK_SMALL_NETWORKS = [Network(2, 4, 8, 0, small=True), Network(2, 2, 16, 8, small=True)]


def layer_arrays(layer):
    """(x, w, gradient of the output), channels last: x (n, h, w, c), w (kh, kw, c, k)."""
    random = np.random.default_rng(0)
    out_size = (layer.size + 2 * layer.padding - layer.kernel) // layer.stride + 1
    return (
        _normal(random, (layer.batch, layer.size, layer.size, layer.in_channels)),
        _he_normal(random, layer.in_channels, layer.out_channels, layer.kernel),
        _normal(random, (layer.batch, out_size, out_size, layer.out_channels)),
    )


def network_input(network):
    """x_0, channels last."""
    random = np.random.default_rng(0)
    return _normal(random, (network.batch, *[network.size] * (2 * (network.size > 0)), network.channels))


def network_weights(network):
    """The weights (kh, kw, c, k) of all convolutions, in order, or (in, out) of linear layers."""
    random = np.random.default_rng(1)
    for _ in range(network.depth):
        if not network.size:
            yield _normal(random, (network.channels, network.channels)) / np.float32(np.sqrt(network.channels))
        for in_channels, out_channels, kernel in network.convolutions:
            yield _he_normal(random, in_channels, out_channels, kernel)


def _normal(random, shape):
    return random.standard_normal(shape, dtype=np.float32)


def _he_normal(random, in_channels, out_channels, kernel):
    deviation = np.float32(np.sqrt(2 / (kernel**2 * in_channels)))
    return deviation * _normal(random, (kernel, kernel, in_channels, out_channels))
