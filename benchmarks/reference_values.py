"""A network's round trip through PyTorch and the authors' package, recorded for the tests.

    python -m benchmarks.reference_values tests/models/round_trip.npz

A small ResNet for CIFAR and one for ImageNet are made here, exported, loaded into PyTorch networks of the usual
structure, evaluated, trained for a step, turned into momentum networks by the authors' package, evaluated again.  The
file holds the weights before and after in PyTorch's layout, images, logits and losses, of float64 computations.
"""

import argparse
import tempfile

import momentumnet
import numpy as np
import torch
from torch.nn import functional

from mininet import manual_seed, models
from mininet.base.files import written_atomically

GAMMAS = (0.5, 0.9)
LEARNING_RATE = 0.05


class Padding(torch.nn.Module):
    """The shortcut called option A."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.before = (outputs - inputs) // 2

    def forward(self, x):
        """Every other pixel, and zeros as channels on both sides."""
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.before, self.before))


class Block(torch.nn.Module):
    """A basic block or a bottleneck, with the names of our blocks."""

    def __init__(self, like):
        super().__init__()
        for name in ("conv1", "conv2", "conv3"):
            if hasattr(like, name):
                height, _, inputs, outputs = getattr(like, name).weight.shape
                stride = getattr(like, name).stride
                setattr(self, name, torch.nn.Conv2d(inputs, outputs, height, stride, height // 2, bias=False))
                setattr(self, name.replace("conv", "bn"), torch.nn.BatchNorm2d(outputs))
        self.shortcut_name = like.shortcut_name if like.changes_shape else None
        if like.changes_shape:
            ours = getattr(like, like.shortcut_name)
            shortcut = (
                Padding(like.in_channels, like.out_channels)
                if isinstance(ours, models.resnet.ChannelPadding)
                else torch.nn.Sequential(
                    torch.nn.Conv2d(like.in_channels, like.out_channels, 1, like.stride, bias=False),
                    torch.nn.BatchNorm2d(like.out_channels),
                )
            )
            setattr(self, like.shortcut_name, shortcut)

    def forward(self, x):
        """relu(branch(x) + shortcut(x))."""
        branch = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "conv3"):
            branch = self.bn3(self.conv3(torch.relu(branch)))
        return torch.relu(branch + (getattr(self, self.shortcut_name)(x) if self.shortcut_name else x))


class Network(torch.nn.Module):
    """The PyTorch twin of one of our ResNets."""

    def __init__(self, like):
        super().__init__()
        height, _, inputs, outputs = like.conv1.weight.shape
        self.conv1 = torch.nn.Conv2d(inputs, outputs, height, like.conv1.stride, height // 2, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(outputs)
        self.pools = height == 7
        self.stages, self.classifier_name = like.stages, like.classifier_name
        for name in like.stages:
            setattr(self, name, torch.nn.Sequential(*(Block(block) for block in getattr(like, name))))
        setattr(self, like.classifier_name, torch.nn.Linear(*getattr(like, like.classifier_name).weight.shape))

    def forward(self, x):
        """Logits."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, 2, 1) if self.pools else x
        for name in self.stages:
            x = getattr(self, name)(x)
        return getattr(self, self.classifier_name)(x.mean((2, 3)))


def ours(name):
    """The small network called `name`, with weights from a fixed seed."""
    manual_seed(5)
    net = {
        "cifar_a": lambda: models.CifarResNet(3, 5, "A", 2),
        "cifar_b": lambda: models.CifarResNet(2, 5, "B", 2),
        "imagenet": lambda: models.ImageNetResNet(models.resnet.Bottleneck, (2, 1, 1, 1), 5, width=2),
    }[name]()
    return net.to(np.float64)


def round_trip(name):
    """Everything recorded of one network, by name."""
    net = ours(name)
    random = np.random.default_rng(1)
    images, labels = random.standard_normal((6, 16, 16, 3)), random.integers(0, 5, 6)
    twin = Network(net).double()
    with tempfile.TemporaryDirectory() as folder:
        models.save_pytorch_state_dict(net, f"{folder}/net.npz")
        with np.load(f"{folder}/net.npz") as arrays:
            state = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    twin.load_state_dict(state)  # strict: every name and shape must be there
    found = {f"before.{key}": tensor.numpy().astype(np.float32) for key, tensor in state.items()}
    found |= {"images": images.astype(np.float32), "labels": labels}
    x, y = torch.from_numpy(found["images"].astype(np.float64).transpose(0, 3, 1, 2)), torch.from_numpy(labels)
    found["logits"] = twin.eval()(x).detach().numpy()
    twin.train()
    loss = functional.cross_entropy(twin(x), y)
    loss.backward()
    torch.optim.SGD(twin.parameters(), LEARNING_RATE).step()
    found["loss"] = loss.detach().numpy()
    found |= {f"after.{key}": tensor.numpy().astype(np.float32) for key, tensor in twin.state_dict().items()}
    for gamma in GAMMAS:
        momentum_net = momentumnet.transform_to_momentumnet(
            twin, sub_layers=list(net.stages), gamma=gamma, use_backprop=True, is_residual=False, keep_first_layer=True
        )
        found[f"logits.{gamma}"] = momentum_net.double().eval()(x).detach().numpy()
    return {f"{name}.{key}": np.asarray(value) for key, value in found.items()}


def main():
    """Make the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    with written_atomically(parser.parse_args().path) as path:
        np.savez_compressed(path, **round_trip("cifar_a"), **round_trip("cifar_b"), **round_trip("imagenet"))


if __name__ == "__main__":
    main()
