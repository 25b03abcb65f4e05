"""mininet's side: its convolution kernels, and the training step of a network in all its ways."""

import inspect
import statistics
import time

import numpy as np

import mininet
from mininet import MomentumNet, nn, optim
from mininet.kernels import exact
from mininet.kernels.convolution import convolve, convolve_input_gradient, convolve_weight_gradient

from .cases import GAMMA, LEARNING_RATE, Layer, Network, layer_arrays, network_input, network_weights
from .timing import median_seconds, peak_mib, repeat


def measure_layer(case, threads, effort):
    """Seconds of a convolution and of its two gradients."""
    mininet.set_num_threads(threads)
    layer = Layer(**case)
    x, w, gradient = layer_arrays(layer)
    stride, padding = (layer.stride, layer.stride), (layer.padding, layer.padding)

    def forward():
        return (convolve(x, w, stride, padding),)

    def backward():
        return (
            convolve_input_gradient(gradient, w, x.shape, stride, padding),
            convolve_weight_gradient(x, gradient, w.shape, stride, padding),
        )

    check = {name: _norm([array]) for name, array in zip(("y", "dx", "dw"), forward() + backward(), strict=True)}
    seconds = {"forward": median_seconds(forward, **effort), "backward": median_seconds(backward, **effort)}
    return {"mininet": seconds | {"total": sum(seconds.values()), "check": check}}


def measure_network(case, threads, effort, arithmetic, backprop):
    """Seconds of a training step, and the most memory the process has held."""
    mininet.set_num_threads(threads)
    import_mib = peak_mib()
    train, check = start_training(Network(**case), arithmetic, backprop)
    numbers = {"check": check(), "step": median_seconds(train, **effort), "import_mib": import_mib}
    return {f"mininet {backprop} {arithmetic}": numbers | {"peak_mib": peak_mib()}}


def measure_exact_share(case, threads, effort):
    """Which share of a memory-free training step is arithmetic on the exact state.

    The functions of `mininet.kernels.exact` are replaced by ones that stop the time, in this process only.
    """
    mininet.set_num_threads(threads)
    stopwatch = _Stopwatch()
    for name, function in list(vars(exact).items()):
        if inspect.isfunction(function) and function.__module__ == exact.__name__ and not name.startswith("_"):
            setattr(exact, name, stopwatch.timed(function))
    train, _ = start_training(Network(**case), "exact", "reversible")
    exact_seconds = []

    def train_watched():
        stopwatch.seconds = 0
        train()
        exact_seconds.append(stopwatch.seconds)

    durations = repeat(train_watched, **effort)
    shares = [part / whole for part, whole in zip(exact_seconds[-len(durations) :], durations, strict=True)]
    if not all(shares):
        raise RuntimeError("no function of mininet.kernels.exact was called through its module: nothing was timed")
    return {"mininet exact share": {"share": statistics.median(shares)}}


class _Stopwatch:
    """Adds up the time spent in functions; a timed one called by another counts once."""

    def __init__(self):
        self.seconds = 0
        self._inside = False

    def timed(self, function):
        def wrapped(*arguments, **keywords):
            if self._inside:
                return function(*arguments, **keywords)
            self._inside = True
            start = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self.seconds += time.perf_counter() - start
                self._inside = False

        return wrapped


def start_training(network, arithmetic, backprop):
    """(train, check): a function that makes one training step, one that says what the next step would see."""
    functions = [_residual_function(network) for _ in range(network.depth)]
    net = MomentumNet(functions, gamma=GAMMA, arithmetic=arithmetic, backprop=backprop)
    matrices = [parameter for parameter in net.parameters() if parameter.data.ndim > 1]
    for parameter, weights in zip(matrices, network_weights(network), strict=True):
        parameter.data[...] = weights
    optimizer = optim.SGD(net.parameters(), lr=LEARNING_RATE)
    x = network_input(network)

    def loss_and_gradients():
        optimizer.zero_grad()
        loss = (net(x) ** 2).mean()
        loss.backward()
        return loss

    def train():
        loss_and_gradients()
        optimizer.step()

    def check():
        loss = loss_and_gradients().item()
        return {"loss": loss, "gradient": _norm([parameter.grad for parameter in net.parameters()])}

    return train, check


def _residual_function(network):
    if not network.size:
        linear = nn.Linear(network.channels, network.channels)
        linear.bias.data[...] = 0
        return nn.Sequential(linear, nn.Tanh())
    modules = []
    for in_channels, out_channels, kernel in network.convolutions:
        modules.append(nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False))
        modules.append(nn.BatchNorm2d(out_channels))
        modules.append(nn.ReLU())
    return nn.Sequential(*modules[: None if network.small else -1])  # the last batch norm has no ReLU behind it


def _norm(arrays):
    return float(np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in arrays)))
