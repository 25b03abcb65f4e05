"""What the generated tests draw: shapes, memory layouts, values of gamma, networks."""

import dataclasses
import fractions

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
from reversible_support import TwoInputs, conv_block, dense_block, momentum_net, network
from support import strided

from mininet import functional as F
from mininet import nn
from mininet.kernels.exact import MAX_DENOMINATOR

dtypes = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**16)


def shapes(least_axes=0, most_axes=4, least=0, most=4):
    """Shapes, by default one in three with axes of length 0, too."""
    limits = {"min_dims": least_axes, "max_dims": most_axes, "max_side": most}
    return st.sampled_from([least, max(1, least), max(1, least)]).flatmap(
        lambda least: hnp.array_shapes(min_side=least, **limits)
    )


def shapes_together(**settings):
    """Shapes that broadcast, or what the signature of a function allows; one in three with axes of length 0, too."""
    return st.sampled_from([0, 1, 1]).flatmap(
        lambda least: hnp.mutually_broadcastable_shapes(min_side=least, **settings)
    )


@st.composite
def different_axes(draw, ndim):
    """Some of the axes of an array, in any order, negative numbers among them."""
    axes = draw(st.permutations(range(ndim)))[: draw(st.integers(0, ndim))]
    return tuple(axis - ndim if draw(st.booleans()) else axis for axis in axes)


# The same values, lying differently in memory


def _backwards(array):
    turn = (..., *[slice(None, None, -1)] * array.ndim)
    return array[turn].copy()[turn]


def _axes_rolled(array):
    return np.moveaxis(np.array(np.moveaxis(array, -1, 0), order="C"), 0, -1) if array.ndim else array.copy()


def _inside_a_larger_one(array):
    large = np.full([size + 3 for size in array.shape], np.nan, array.dtype)
    view = large[..., *(slice(1, 1 + size) for size in array.shape)]
    view[...] = array
    return view


def _read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _unaligned(array):
    view = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS = {
    "C": np.array,
    "Fortran": lambda array: np.array(array, order="F"),
    "negative strides": _backwards,
    "every other": strided,
    "axes rolled": _axes_rolled,
    "inside a larger one": _inside_a_larger_one,
    "read-only": _read_only,
    "unaligned": _unaligned,
}
layouts = st.sampled_from(sorted(LAYOUTS))


def laid_out(array, layout):
    """A copy of `array` that lies in memory as `layout`, a name in LAYOUTS, says."""
    copy = LAYOUTS[layout](array)
    assert copy.dtype == array.dtype
    assert copy.shape == array.shape
    assert np.array_equal(copy, array)
    assert not np.shares_memory(copy, array)
    return copy


# Networks

NEAR_0, NEAR_1 = 2.0**-20, 1 - 2.0**-20

gammas = st.one_of(
    st.sampled_from([0.9, 0.5, 0.99, 1 / 3, 1 - 1 / 50_000, NEAR_0, NEAR_1, 3 * NEAR_0, fractions.Fraction(9, 10)]),
    st.floats(NEAR_0, NEAR_1),
    st.builds(lambda d, share: fractions.Fraction(max(1, int(share * d)), d), st.integers(2, MAX_DENOMINATOR),
              st.floats(0, 1, exclude_max=True)),
)  # fmt: skip
"""All that exact arithmetic allows."""


def _linear(features):
    return nn.Linear(features, features)


def _tanh_mlp(features):
    return nn.Sequential(nn.Linear(features, 5), nn.Tanh(), nn.Linear(5, features))


def _with_dropout(features):
    return nn.Sequential(dense_block(features), nn.Dropout(0.3), nn.Linear(features, features))


def _conv_with_dropout(channels):
    return nn.Sequential(conv_block(channels), nn.Dropout(0.2))


class Shift(nn.Module):
    """tanh(x) / 2 + shift: the gradient of the shift is that of the output, for one row the very same array."""

    def __init__(self, features):
        super().__init__()
        self.shift = nn.Parameter(np.linspace(-0.5, 0.5, features, dtype=np.float32))

    def forward(self, x):
        return F.tanh(x) * 0.5 + self.shift


def _half_tanh(features):
    """A plain function, without parameters."""
    return lambda x: F.tanh(x) * 0.5


ROWS = {
    "linear": _linear,
    "tanh MLP": _tanh_mlp,
    "dropout": _with_dropout,
    "no parameters": _half_tanh,
    "shift": Shift,
    "two inputs": TwoInputs,
}
IMAGES = {"conv, batch norm": conv_block, "conv, batch norm, dropout": _conv_with_dropout}
BLOCKS = ROWS | IMAGES


@dataclasses.dataclass(frozen=True)
class Setting:
    """A momentum network and its input, but for arithmetic and the way of backpropagation."""

    block: str
    shape: tuple
    depth: int
    gamma: object
    tied: bool
    learned_velocity: bool
    is_residual: bool
    training: bool
    dtype: type
    scale: float
    seed: int
    layout: str

    def net(self, arithmetic, backprop, kind="MomentumNet"):
        """The network; of another `kind`, with functions of the same sort."""
        common = {"tied": self.tied, "dtype": self.dtype, "seed": self.seed, "backprop": backprop}
        block, features = BLOCKS[self.block], self.shape[-1]
        if kind != "MomentumNet":
            if kind != "IResNet":
                common["is_residual"] = self.is_residual
            net = network(kind, self.depth, block, features=features, arithmetic=arithmetic, **common)
            return net.train(self.training)
        has_velocity = self.learned_velocity and self.block != "two inputs"  # its function gets x alone
        net = momentum_net(
            self.depth,
            lambda: block(features),
            start=(lambda: block(features)) if has_velocity else None,
            is_residual=self.is_residual,
            gamma=self.gamma,
            arithmetic=arithmetic,
            **common,
        )
        return net.train(self.training)

    @property
    def x(self):
        """What the network gets first, in memory as `layout` says."""
        return laid_out(self._random(self.shape, 1), self.layout)

    @property
    def inputs(self):
        """What else it gets."""
        is_alone = self.block != "two inputs"
        return [] if is_alone else [laid_out(self._random((*self.shape[:-1], 3), 2), self.layout)]

    def _random(self, shape, number):
        values = np.random.default_rng([self.seed, number]).standard_normal(shape)
        return (values * self.scale).astype(self.dtype)


@st.composite
def network_settings(draw, blocks=tuple(BLOCKS), most_layers=30, gammas=gammas, training=(True, False),
                     scales=(1.0, 1e-6, 1e4)):  # fmt: skip
    """A `Setting`; batches without elements among them, but for batch normalisation in training."""
    block = draw(st.sampled_from(sorted(blocks)))
    is_training = draw(st.sampled_from(training))
    depth = draw(st.sampled_from([0, 1, 2, 3, most_layers]) | st.integers(0, most_layers))
    if block in IMAGES:
        least = 2 if is_training else 0
        shape = (draw(st.integers(least, 3)), *(draw(st.integers(1, 4)) for _ in range(2)), draw(st.integers(1, 3)))
        depth = min(depth, max(3, most_layers // 3))
    else:
        shape = (*draw(shapes(0, 2, 0, 4)), draw(st.integers(1, 5)))
    return Setting(
        block, shape, depth, draw(gammas), draw(st.booleans()), draw(st.booleans()), draw(st.booleans()), is_training,
        draw(dtypes), draw(st.sampled_from(scales)), draw(seeds), draw(layouts),
    )  # fmt: skip
