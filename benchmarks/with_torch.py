"""PyTorch's side: its convolution, the same momentum network with stored activations, and the authors' package.

Images can lie in memory in two ways, channels last or not ("contiguous"); both are measured, the report takes the
faster one.
"""

import functools

import torch
from torch import nn
from torch.nn import functional as F

from .cases import GAMMA, LEARNING_RATE, Layer, Network, layer_arrays, network_input, network_weights
from .timing import median_seconds, peak_mib

FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


def measure_layer(case, threads, effort):
    """Seconds of a convolution and of its two gradients, in both formats."""
    torch.set_num_threads(threads)
    return {f"torch {name}": _measure_layer(Layer(**case), name, effort) for name in FORMATS}


def _measure_layer(layer, memory_format, effort):
    arrays = layer_arrays(layer)
    x, gradient = (images(array, memory_format) for array in (arrays[0], arrays[2]))
    w = _weights(arrays[1]).contiguous(memory_format=FORMATS[memory_format])
    x.requires_grad_()
    w.requires_grad_()

    def forward():
        return F.conv2d(x, w, stride=layer.stride, padding=layer.padding)

    y = forward()

    def backward():
        return torch.autograd.grad(y, (x, w), gradient, retain_graph=True)

    check = {name: _norm([tensor]) for name, tensor in zip(("y", "dx", "dw"), (y, *backward()), strict=True)}
    seconds = {"forward": median_seconds(forward, **effort), "backward": median_seconds(backward, **effort)}
    return seconds | {"total": sum(seconds.values()), "check": check}


def measure_network(case, threads, effort, library, memory_format):
    """Seconds of a training step, and the most memory the process has held.

    `library` is "torch", which stores activations, or "momentumnet", the authors' package without stored activations.
    """
    torch.set_num_threads(threads)
    make_net = stored_net() if library == "torch" else authors_net()
    import_mib = peak_mib()
    network = Network(**case)
    net = make_net([residual_function(network) for _ in range(network.depth)])
    train, check = start_training(net, network, memory_format)
    numbers = {"check": check(), "step": median_seconds(train, **effort), "import_mib": import_mib}
    return {f"{library} {memory_format}": numbers | {"peak_mib": peak_mib()}}


class _StoredMomentumNet(nn.Module):
    """The momentum rule written down; autograd stores what it needs."""

    def __init__(self, functions, through):
        super().__init__()
        self.functions, self.through = nn.ModuleList(functions), through

    def forward(self, x):
        return self.through(
            [functools.partial(_layer, function) for function in self.functions], x, torch.zeros_like(x)
        )


def _layer(function, x, v):
    v = GAMMA * v + (1 - GAMMA) * function(x)
    return x + v, v


def _through(layers, x, v):
    for layer in layers:
        x, v = layer(x, v)
    return x


def stored_net(through=_through):
    """What makes a network of residual functions; ``through(layers, x, v)`` runs its layers."""
    return functools.partial(_StoredMomentumNet, through=through)


def authors_net():
    """What makes the authors' network, without stored activations."""
    from momentumnet import MomentumNet  # only here, to stay out of the memory of the other

    return functools.partial(MomentumNet, gamma=GAMMA, use_backprop=False)


def start_training(net, network, memory_format):
    """(train, check): a function that makes one training step, one that says what the next step would see."""
    matrices = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    with torch.no_grad():
        for parameter, weights in zip(matrices, network_weights(network), strict=True):
            parameter.copy_(_weights(weights))
    net.to(memory_format=FORMATS[memory_format])
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    x = images(network_input(network), memory_format)

    def loss_and_gradients():
        optimizer.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        return loss

    def train():
        loss_and_gradients()
        optimizer.step()

    def check():
        loss = loss_and_gradients().item()
        return {"loss": loss, "gradient": _norm([parameter.grad for parameter in net.parameters()])}

    return train, check


def residual_function(network):
    """One residual function of a `Network`."""
    if not network.size:
        linear = nn.Linear(network.channels, network.channels)
        nn.init.zeros_(linear.bias)
        return nn.Sequential(linear, nn.Tanh())
    modules = []
    for in_channels, out_channels, kernel in network.convolutions:
        modules.append(nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False))
        modules.append(nn.BatchNorm2d(out_channels))
        modules.append(nn.ReLU(inplace=True))  # as torchvision does; saves an array
    return nn.Sequential(*modules[: None if network.small else -1])  # the last batch norm has no ReLU behind it


def images(array, memory_format):
    """(n, h, w, c) as the (n, c, h, w) that PyTorch has, in memory as `memory_format` says; (n, c) as it is."""
    if array.ndim == 2:
        return torch.from_numpy(array)
    return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=FORMATS[memory_format])


def _weights(array):
    """(kh, kw, in, out) as PyTorch's (out, in, kh, kw), and (in, out) as (out, in)."""
    return torch.from_numpy(array).permute(*[3, 2, 0, 1] if array.ndim == 4 else [1, 0])


def _norm(tensors):
    return sum(tensor.detach().double().square().sum().item() for tensor in tensors) ** 0.5
