"""Sequential: chains of layers give the bits of one layer after the other, running statistics included."""

import hypothesis.strategies as st
import numpy as np
from examples import generated
from reversible_support import assert_same_bits, train_step
from strategies import dtypes, laid_out, layouts, seeds
from support import normal

from mininet import manual_seed, nn

LAYERS = {
    "Linear": lambda channels: nn.Linear(channels, channels),
    "Conv2d": lambda channels: nn.Conv2d(channels, channels, 3, padding=1),
    "BatchNorm2d": nn.BatchNorm2d,
    "ReLU": lambda channels: nn.ReLU(),
    "Tanh": lambda channels: nn.Tanh(),
    "MaxPool2d": lambda channels: nn.MaxPool2d(2, 1, 1),
    "AvgPool2d": lambda channels: nn.AvgPool2d(2, 1, 1),
    "Dropout": lambda channels: nn.Dropout(0.3),
    "nested": lambda channels: nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()),
}
ENDS = {"nothing": [], "Flatten": [nn.Flatten], "GlobalAvgPool2d": [nn.GlobalAvgPool2d]}


@generated(
    5,
    names=st.lists(st.sampled_from(sorted(LAYERS)) | st.sampled_from(["BatchNorm2d", "ReLU"]), max_size=6),
    end=st.sampled_from(sorted(ENDS)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(2, 5), st.integers(1, 3)),
    seed=seeds,
    dtype=dtypes,
    training=st.booleans(),
    layout=layouts,
    cut=st.integers(0, 6),
)
def test_a_chain_is_its_layers_one_by_one(names, end, size, seed, dtype, training, layout, cut):
    def build():
        manual_seed(seed)
        net = nn.Sequential(*(LAYERS[name](size[-1]) for name in names), *(kind() for kind in ENDS[end]))
        for number, parameter in enumerate(net.parameters()):  # weights of both signs: ReLUs cut off something
            parameter.data[...] = normal(parameter.shape, seed=number)
        return net.to(dtype).train(training)

    def in_parts(net):
        return lambda x: net[cut:](net[:cut](x))

    def one_by_one(net):
        def forward(x):
            for layer in net:
                x = layer(x)
            return x

        return forward

    x = laid_out(normal(size, dtype, seed), layout)
    nets = [build(), build(), build()]
    whole = train_step(nets[0], x)
    assert_same_bits(train_step(nets[1], x, forward=in_parts(nets[1])), whole)
    assert_same_bits(train_step(nets[2], x, forward=one_by_one(nets[2])), whole)


@generated(
    2,
    count=st.integers(2, 40),
    batches=st.integers(0, 4),
    channels=st.integers(1, 3),
    momentum=st.floats(0, 1),
    dtype=dtypes,
    seed=seeds,
    layout=layouts,
)
def test_running_statistics_by_definition(count, batches, channels, momentum, dtype, seed, layout):
    layer = nn.BatchNorm2d(channels, momentum=momentum).to(dtype)
    mean, variance = np.zeros(channels), np.ones(channels)
    largest = 1.0
    for number in range(batches):
        x = normal((count, channels), dtype, [seed, number]) * 3 + 1
        layer(laid_out(x, layout))
        x = x.astype(np.float64)
        mean = (1 - momentum) * mean + momentum * x.mean(axis=0)
        variance = (1 - momentum) * variance + momentum * x.var(axis=0, ddof=1)
        largest = max(largest, np.abs(x).max() ** 2 * count)
    # each batch rounds a few times, what it takes and what was there; in float64 its sums over the batch, too
    bound = batches * (count + 8) * np.finfo(dtype).eps * largest
    np.testing.assert_allclose(layer.running_mean, mean, rtol=0, atol=bound)
    np.testing.assert_allclose(layer.running_var, variance, rtol=0, atol=bound)
