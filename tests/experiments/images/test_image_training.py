"""Networks, data and settings by name."""

import dataclasses

import numpy as np
import pytest

from mininet import MomentumNet, models
from mininet.datasets import Split, augmentation
from mininet.experiments.images import image_training
from mininet.experiments.images.image_training import IMAGENET, Settings, load, network, training


@pytest.fixture(scope="module")
def split():
    random = np.random.default_rng(0)
    labels = [np.arange(count) % 10 for count in (64, 40)]
    images = [random.integers(0, 50, (len(of), 8, 8, 3), dtype=np.uint8) for of in labels]
    for of, some in zip(labels, images, strict=True):
        some += (20 * of[:, None, None, None]).astype(np.uint8)  # the brighter, the higher the label
    return Split(images[0], labels[0], images[1], labels[1])


def test_digits_as_colour_images():
    split = load("digits")
    assert split.train_images.shape == (1437, 8, 8, 3)
    assert split.train_images.dtype == np.uint8
    assert split.train_images.max() == 255
    assert np.array_equal(split.test_images[..., 0], split.test_images[..., 2])


def test_networks():
    assert isinstance(network(Settings(), 10), models.CifarResNet)
    assert isinstance(network(Settings(network="revnet20"), 10), models.CifarRevNet)
    net = network(Settings(network="resnet32", gamma=0.5, arithmetic="float", learned_velocity=True), 7)
    momentum_net = net.layer2[1]
    assert isinstance(momentum_net, MomentumNet)
    assert (momentum_net.gamma, momentum_net.arithmetic, len(momentum_net.functions)) == (0.5, "float", 4)
    assert momentum_net.init_velocity[0].weight.shape == (3, 3, 32, 32)
    assert net.linear.weight.shape == (64, 7)


def test_weights_from_a_file(tmp_path):
    net = network(Settings(seed=7), 10)
    models.save_pytorch_state_dict(net, tmp_path / "net.npz")
    loaded = network(Settings(weights=str(tmp_path / "net.npz"), gamma=0.9), 10)
    assert np.array_equal(loaded.linear.weight.data, net.linear.weight.data)


def test_batches_are_normalised_and_moved(split):
    made = training(Settings(batch_size=16), split)
    images, _ = next(made.batches.of_epoch(0))
    assert images.dtype == np.float32
    assert images.shape == (16, 8, 8, 3)
    everything = np.concatenate([batch for batch, _ in made.test_batches.of_epoch(0)])
    mean, deviation = augmentation.statistics(split.train_images)
    np.testing.assert_allclose(everything, (split.test_images / 255 - mean) / deviation, atol=1e-5)
    assert image_training.normalization(Settings(normalization="imagenet"), split) == IMAGENET


def test_digits_are_not_mirrored(monkeypatch, split):
    flips = []
    monkeypatch.setattr(
        augmentation, "shifted", lambda images, random, padding, flips=True, seen=flips: seen.append(flips) or images
    )
    for dataset in ("digits", "cifar10"):
        next(training(Settings(dataset=dataset, batch_size=16), split).batches.of_epoch(0))
    assert sorted(set(flips)) == [False, True]


def test_schedule_rises_then_falls(split):
    settings = Settings(epochs=10, batch_size=16)
    made, rates = training(settings, split), []
    assert made.description == dataclasses.asdict(settings)
    for _ in range(40):
        rates.append(made.optimizer.lr)
        made.schedule.step()
    assert max(rates) == 0.1
    assert rates.index(0.1) == 4
    assert rates[-1] < 0.001
