"""Networks that went to PyTorch and the authors' package and back; see `benchmarks/reference_values.py`."""

import pathlib

import numpy as np
import pytest

from mininet import Tensor, models, optim
from mininet import functional as F

with np.load(pathlib.Path(__file__).with_name("round_trip.npz")) as _file:
    RECORDED = dict(_file)
NETWORKS = {
    "cifar_a": lambda: models.CifarResNet(3, 5, "A", 2),
    "cifar_b": lambda: models.CifarResNet(2, 5, "B", 2),
    "imagenet": lambda: models.ImageNetResNet(models.resnet.Bottleneck, (2, 1, 1, 1), 5, width=2),
}
CLOSE = {"rtol": 0, "atol": 1e-10}
"""Everything was computed in float64, through some 20 layers of numbers of about 1."""

every_network = pytest.mark.parametrize("name", NETWORKS)


def recorded(name, prefix=""):
    start = f"{name}.{prefix}"
    return {key.removeprefix(start): array for key, array in RECORDED.items() if key.startswith(start)}


def loaded(name, when):
    net = NETWORKS[name]().to(np.float64)
    models.load_pytorch_state_dict(net, recorded(name, f"{when}."))
    return net


def images(name):
    return Tensor(RECORDED[f"{name}.images"].astype(np.float64))


@every_network
def test_logits_are_those_of_pytorch_and_a_training_step_ends_where_it_does(name):
    net = loaded(name, "before")
    np.testing.assert_allclose(net.eval()(images(name)).data, RECORDED[f"{name}.logits"], **CLOSE)
    net.train()
    optimizer = optim.SGD(net.parameters(), 0.05)
    loss = F.cross_entropy(net(images(name)), RECORDED[f"{name}.labels"])
    loss.backward()
    optimizer.step()
    np.testing.assert_allclose(loss.item(), RECORDED[f"{name}.loss"], **CLOSE)
    found = models.pytorch_state_dict(net)
    expected = {key: array for key, array in recorded(name, "after.").items() if "num_batches" not in key}
    assert found.keys() == expected.keys()
    for key, array in expected.items():  # recorded in float32
        np.testing.assert_allclose(found[key], array, rtol=1e-7, atol=1e-7, err_msg=key)


@every_network
@pytest.mark.parametrize(("gamma", "arithmetic"), [(0.5, "float"), (0.9, "exact")])
def test_converted_logits_are_those_of_the_authors_package(name, gamma, arithmetic):
    net = models.to_momentum(loaded(name, "after"), gamma, arithmetic=arithmetic).eval()
    expected = RECORDED[f"{name}.logits.{gamma}"]
    limit = 1e-5 * np.abs(expected).max()  # the weights were recorded in float32
    np.testing.assert_allclose(net(images(name)).data, expected, rtol=0, atol=limit)
