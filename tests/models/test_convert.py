"""Residual networks turned into momentum networks."""

import numpy as np
import pytest
from reversible_support import assert_same_bits, train_step
from support import normal

from mininet import MomentumNet, Tensor, manual_seed, models, nn
from mininet import functional as F
from mininet.models import to_momentum, to_residual

IMAGES = normal((4, 16, 16, 3), np.float32)


def resnet(depth=3, dtype=np.float32, **keywords):
    manual_seed(0)
    return models.CifarResNet(depth, width=4, **keywords).to(dtype)


def small_bottlenecks():
    manual_seed(0)
    return models.ImageNetResNet(models.resnet.Bottleneck, (3, 2, 1, 2), 5, width=8)


def test_parameters_are_shared_and_the_original_stays():
    net = resnet()
    before = net.state_dict()
    converted = to_momentum(net, 0.9)
    assert type(converted) is type(net)
    assert [id(p) for p in converted.parameters()] == [id(p) for p in net.parameters()]
    assert isinstance(net.layer1[1], models.resnet.CifarBlock)
    assert isinstance(converted.layer1[1], MomentumNet)
    assert len(converted.layer1) == 2
    assert converted.layer1[0] is net.layer1[0]
    assert converted.layer1[1].functions == [net.layer1[1], net.layer1[2]]
    assert not converted.layer1[1].is_residual
    assert_same_bits(net.state_dict(), before)


def test_first_block_of_a_stage_that_keeps_its_shape_can_go_along():
    net = resnet()
    converted = to_momentum(net, 0.9, layers=["layer1"], keep_first_block=False)
    assert len(converted.layer1) == 1
    assert len(converted.layer1[0].functions) == 3
    assert converted.layer2 is net.layer2
    assert to_momentum(net, 0).layer1[1].backprop == "stored"
    with pytest.raises(ValueError, match="layer2 has a block that changes the shape"):
        to_momentum(net, 0.9, keep_first_block=False)


def test_and_back():
    net = resnet()
    again = to_residual(to_momentum(net, 0.9, layers=["layer1", "layer3"]))
    assert [name for name, _ in again.named_parameters()] == [name for name, _ in net.named_parameters()]
    assert [id(p) for p in again.parameters()] == [id(p) for p in net.parameters()]
    with pytest.raises(ValueError, match="net must not have initial velocities, layer1 has one"):
        to_residual(to_momentum(net, 0.9, init_velocity=lambda channels: nn.Conv2d(channels, channels, 1)))


@pytest.mark.slow
@pytest.mark.parametrize(("make", "gamma"), [(resnet, 0.1), (resnet, 1 - 1 / 1000), (small_bottlenecks, 0.9)])
def test_memory_free_and_stored_are_the_same_bits_in_training(make, gamma):
    """Outputs, all gradients and the running statistics of whole networks."""
    images = IMAGES if make is resnet else normal((2, 64, 64, 3), np.float32)
    results = [train_step(to_momentum(make(), gamma, backprop=way), images) for way in ("reversible", "stored")]
    assert_same_bits(*results)
    assert any(name.startswith("after.layer1.1.functions.0.bn1.running_mean") for name in results[0])


def test_learned_initial_velocity():
    channels = []

    def start(count):
        channels.append(count)
        return nn.Conv2d(count, count, 1)

    net = resnet()
    converted = to_momentum(net, 0.9, init_velocity=start)
    assert channels == [4, 8, 16]
    assert len(list(converted.parameters())) == len(list(net.parameters())) + 2 * 3
    stored = to_momentum(resnet(), 0.9, init_velocity=start, backprop="stored")
    assert_same_bits(train_step(converted, IMAGES), train_step(stored, IMAGES))
    assert np.abs(converted.layer1[1].init_velocity.weight.grad).max() > 0


class Listed(nn.Module):
    """A module that is a sequence of modules, without a forward of its own."""

    def __init__(self, modules):
        super().__init__()
        self.inside = list(modules)

    def __len__(self):
        return len(self.inside)

    def __getitem__(self, index):
        return self.inside[index]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, memory=0.0):
        return F.tanh(self.linear(x)) + memory


class Stage(nn.Module):
    """Runs through its layers as a transformer does, with an input beside x."""

    def __init__(self, kind):
        super().__init__()
        self.layers = kind(Block() for _ in range(3))

    def forward(self, x, memory):
        for layer in self.layers:
            x = layer(x, memory)
        return x


@pytest.mark.parametrize("is_residual", [False, True])
@pytest.mark.parametrize("kind", [lambda blocks: nn.Sequential(*blocks), list, tuple, Listed])
def test_stages_by_dotted_names_of_any_kind(kind, is_residual):
    manual_seed(0)
    net = nn.Module()
    net.parts = nn.Sequential(nn.Tanh(), Stage(kind))
    x, memory = normal((2, 4), np.float32), Tensor(normal((2, 4), np.float32, seed=1))
    before, blocks = net.parts[1](x, memory).data, list(net.parts[1].layers)
    converted = to_momentum(net, 0.5, ["parts.1.layers"], keep_first_block=False, is_residual=is_residual)
    layers = converted.parts[1].layers
    assert type(layers) is type(net.parts[1].layers)
    assert [type(layer) for layer in layers] == [MomentumNet]
    assert layers[0].functions == blocks
    assert converted.parts[0] is net.parts[0]
    assert np.array_equal(net.parts[1](x, memory).data, before)
    expected, v = Tensor(x), 0.0
    for block in blocks:
        v = 0.5 * v + 0.5 * (block(expected, memory) - (0.0 if is_residual else expected))
        expected = expected + v
    np.testing.assert_allclose(converted.parts[1](x, memory).data, expected.data, rtol=0, atol=1e-6)
    again = to_residual(converted, ["parts.1.layers"]).parts[1]
    if is_residual:
        expected = Tensor(x)
        for block in blocks:
            expected = expected + block(expected, memory)
        np.testing.assert_allclose(again(x, memory).data, expected.data, rtol=0, atol=1e-6)
    else:
        assert list(again.layers) == blocks


def test_converting_twice_and_nets_without_stages():
    with pytest.raises(ValueError, match="has been converted already"):
        to_momentum(to_momentum(resnet(), 0.9), 0.9)
    with pytest.raises(ValueError, match="layers must be given for Module"):
        to_momentum(nn.Module(), 0.9)
