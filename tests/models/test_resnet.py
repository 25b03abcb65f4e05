"""The residual networks: structure, names, numbers of parameters, and what they compute."""

import types

import numpy as np
import pytest
from support import normal

from mininet import Tensor, manual_seed, models, nn, seeding
from mininet import functional as F
from mininet.models.resnet import BasicBlock, Bottleneck

IMAGENET = {  # torchvision's numbers of parameters
    "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160,
    "resnet152": 60_192_808,
}  # fmt: skip
CIFAR_A = {
    "resnet20": 269_722, "resnet32": 464_154, "resnet38": 561_370, "resnet44": 658_586, "resnet56": 853_018,
    "resnet110": 1_727_962,
}  # fmt: skip


def parameter_count(net):
    return sum(parameter.size for parameter in net.parameters())


@pytest.fixture
def zeros(monkeypatch):
    """Weights begin as zeros, for which nothing need be drawn."""
    random = types.SimpleNamespace(standard_normal=np.zeros, uniform=lambda low, high, shape: np.zeros(shape))
    monkeypatch.setattr(seeding, "generator_for", lambda seed, number: random)


@pytest.mark.parametrize("name", [*IMAGENET, *CIFAR_A])
def test_depth_is_in_the_name_and_parameters_are_as_many_as_published(name, zeros):
    """Depth counts convolutions and the classifier; shortcuts do not count."""
    net = getattr(models, name)()
    assert parameter_count(net) == (IMAGENET | CIFAR_A)[name]
    layers = [path for path, module in net.named_modules()
              if isinstance(module, (nn.Conv2d, nn.Linear)) and "downsample" not in path]  # fmt: skip
    assert len(layers) == int(name.removeprefix("resnet"))


def test_names_are_those_of_torchvision(zeros):
    names = list(models.resnet50().state_dict())
    for name in (
        "conv1.weight", "bn1.running_var", "layer1.0.conv3.weight", "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.running_mean", "layer4.2.bn3.bias", "fc.weight", "fc.bias",
    ):  # fmt: skip
        assert name in names
    assert "layer1.0.downsample.0.weight" not in models.resnet34().state_dict()  # the shape stays
    assert "layer2.0.downsample.0.weight" in models.resnet34().state_dict()
    names = models.resnet20(shortcut="B").state_dict()
    assert {"layer2.0.shortcut.0.weight", "layer3.0.shortcut.1.running_var", "linear.weight"} <= names.keys()


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_is_what_its_layers_say(block, stride):
    manual_seed(0)
    channels = 4 * block.expansion
    net = block(channels, 4, stride).to(np.float64)
    x = Tensor(normal((2, 6, 6, channels)))
    layers = [(net.conv1, net.bn1), (net.conv2, net.bn2)] + ([(net.conv3, net.bn3)] if block is Bottleneck else [])
    branch = x
    for number, (convolution, norm) in enumerate(layers):
        branch = norm(convolution(branch))
        branch = F.relu(branch) if number < len(layers) - 1 else branch
    shortcut = net.downsample(x) if net.changes_shape else x
    expected = np.maximum(branch.data + shortcut.data, 0)
    assert np.array_equal(net(x).data, expected)
    assert net.changes_shape == (stride == 2)
    assert net.out_channels == expected.shape[3]
