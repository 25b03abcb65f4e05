"""The RevNet for CIFAR: its size, and the same bits with and without stored activations."""

import numpy as np
from reversible_support import assert_same_bits, train_step
from support import normal

from mininet import RevNet, Tensor, manual_seed, models

IMAGES = normal((4, 16, 16, 3), np.float32)


def small(**keywords):
    manual_seed(0)
    return models.CifarRevNet(3, 5, width=4, **keywords)


def test_size_is_that_of_resnet20():
    count, reference = (sum(p.size for p in net.parameters()) for net in (models.revnet20(), models.resnet20()))
    assert count == 269_470
    assert abs(count - reference) < 0.001 * reference


def test_stages():
    net = small()
    for name, channels in zip(net.stages, (4, 8, 16), strict=True):
        first, coupled = getattr(net, name)
        assert first.out_channels == channels
        assert isinstance(coupled, RevNet)
        assert len(coupled.functions) == 4
        assert coupled.functions[0][0].weight.shape[2:] == (channels // 2, channels // 2)
    assert net(Tensor(IMAGES)).shape == (4, 5)


def test_memory_free_and_stored_are_the_same_bits_in_training():
    assert_same_bits(*(train_step(small(backprop=way), IMAGES) for way in ("reversible", "stored")))
