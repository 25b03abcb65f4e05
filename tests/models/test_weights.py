"""Weights from PyTorch and back, and those that ship; damaged files are in tests/hostile."""

import numpy as np
import pytest
from reversible_support import assert_same_bits
from support import normal

from mininet import Tensor, manual_seed, models, nn
from mininet.datasets import augmentation
from mininet.models import load_pytorch_state_dict, pytorch_state_dict, save_pytorch_state_dict


def resnet(seed=0):
    manual_seed(seed)
    net = models.CifarResNet(1, width=4, shortcut="B")
    for name, array in net.named_buffers():
        array[...] = np.abs(normal(array.shape, seed=len(name)))
    return net


def assert_same_state(a, b):
    assert_same_bits(a.state_dict(), b.state_dict())


def test_layouts():
    net = nn.Sequential(nn.Conv2d(2, 5, (3, 1)), nn.BatchNorm2d(5), nn.Linear(5, 7))
    state = pytorch_state_dict(net)
    assert [state[f"{i}.weight"].shape for i in range(3)] == [(5, 2, 3, 1), (5,), (7, 5)]
    assert state["0.weight"][4, 1, 2, 0] == net[0].weight.data[2, 0, 1, 4]
    assert state["2.weight"][6, 3] == net[2].weight.data[3, 6]
    assert all(array.flags.c_contiguous for array in state.values())
    assert pytorch_state_dict(nn.Linear(2, 3))["weight"].shape == (3, 2)


def test_counters_of_pytorch_are_left_out_and_half_precision_is_read():
    net, other = resnet(0), resnet(1)
    state = pytorch_state_dict(net)
    state["bn1.num_batches_tracked"] = np.array(3)
    load_pytorch_state_dict(other, state)
    assert_same_state(net, other)
    halves = {name: array.astype(np.float16) for name, array in pytorch_state_dict(net).items()}
    load_pytorch_state_dict(other, halves)
    assert np.array_equal(other.conv1.weight.data, net.conv1.weight.data.astype(np.float16).astype(np.float32))


def test_everything_that_does_not_fit_is_named_and_nothing_changes():
    net = resnet()
    state = pytorch_state_dict(net)
    before = net.state_dict()
    del state["linear.bias"]
    state["fc.bias"] = np.zeros(10)
    state["fc.num_batches_tracked"] = np.zeros(())
    state["conv1.weight"] = state["conv1.weight"].transpose(2, 3, 1, 0)  # our layout
    state["bn1.bias"] = np.zeros(5)
    with pytest.raises(ValueError, match="state dict does not fit") as caught:
        load_pytorch_state_dict(net, state)
    for part in (
        "missing linear.bias", "unexpected fc.bias", "unexpected fc.num_batches_tracked",
        "conv1.weight has shape (3, 3, 3, 4), expected (4, 3, 3, 3)", "bn1.bias has shape (5,), expected (4,)",
    ):  # fmt: skip
        assert part in str(caught.value)
    assert all(np.array_equal(net.state_dict()[name], array) for name, array in before.items())


def test_integers_and_objects_are_no_weights():
    net = resnet()
    with pytest.raises(ValueError, match=r"bn1\.bias has dtype int64"):
        load_pytorch_state_dict(net, pytorch_state_dict(net) | {"bn1.bias": np.zeros(4, np.int64)})
    with pytest.raises(ValueError, match=r"bn1\.bias must hold numbers, got object"):
        load_pytorch_state_dict(net, pytorch_state_dict(net) | {"bn1.bias": np.array([None] * 4)})


class Imitated:
    """A tensor of PyTorch, which NumPy reads only if it needs no gradient and NumPy has its kind of numbers."""

    def __init__(self, array, requires_grad=True, is_bfloat16=False):
        self.array, self.requires_grad, self.is_bfloat16 = array, requires_grad, is_bfloat16

    def detach(self):
        return Imitated(self.array, False, self.is_bfloat16)

    def cpu(self):
        return self

    def float(self):
        return Imitated(self.array.astype(np.float32), self.requires_grad)

    def numpy(self):
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.is_bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array

    def __array__(self, dtype=None, copy=None):
        return self.numpy()


@pytest.mark.parametrize("is_bfloat16", [False, True])
def test_tensors_of_pytorch_are_read(is_bfloat16):
    net, other = resnet(0), resnet(1)
    state = {name: Imitated(array, is_bfloat16=is_bfloat16) for name, array in pytorch_state_dict(net).items()}
    load_pytorch_state_dict(other, state)
    assert_same_state(net, other)


def tied():
    net = nn.Module()
    net.first = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 3))
    net.second, net.weight = net.first[3], net.first[1].weight
    return net


@pytest.mark.parametrize("name", ["net.npz", "net.safetensors"])
def test_what_is_shared_has_every_name_as_in_pytorch(name, tmp_path):
    net, other = tied(), tied()
    state = pytorch_state_dict(net)
    assert [entry for entry in state if not entry.startswith("first")] == ["weight", "second.weight", "second.bias"]
    assert state["second.weight"] is state["first.3.weight"]
    save_pytorch_state_dict(net, tmp_path / name)
    load_pytorch_state_dict(other, tmp_path / name)
    assert_same_state(net, other)
    for left_out in ("second.weight", "first.3.weight"):
        other = tied()
        load_pytorch_state_dict(other, {entry: array for entry, array in state.items() if entry != left_out})
        assert_same_state(net, other)
    with pytest.raises(ValueError, match=r"second\.weight differs from first\.3\.weight"):
        load_pytorch_state_dict(other, state | {"second.weight": state["second.weight"] + 1})
    with pytest.raises(ValueError, match=r"missing first\.3\.bias$"):
        load_pytorch_state_dict(other, {entry: array for entry, array in state.items() if "3.bias" not in entry
                                        and "second.bias" not in entry})  # fmt: skip


@pytest.mark.parametrize("name", ["net.npz", "net.safetensors"])
def test_buffers_of_every_kind_come_back(name, tmp_path):
    net, other = nn.Module(), nn.Module()
    for module in (net, other):
        module.register_buffer("mask", np.array([True, module is net]))
        module.register_buffer("count", np.array(3 * (module is net)))
    save_pytorch_state_dict(net, tmp_path / name)
    load_pytorch_state_dict(other, tmp_path / name)
    assert_same_state(net, other)


def test_names_that_are_arguments_of_numpy_are_saved(tmp_path):
    net, other = nn.Module(), nn.Module()
    for module in (net, other):
        for name in ("file", "allow_pickle", "self", "args", "kwds"):
            setattr(module, name, nn.Parameter(normal((2,), np.float32, seed=len(name) * (module is net))))
    save_pytorch_state_dict(net, tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as arrays:
        assert set(arrays) == set(net.state_dict())
    load_pytorch_state_dict(other, tmp_path / "net.npz")
    assert_same_state(net, other)


def test_a_prefix_is_taken_off_on_request_and_hinted_at_otherwise():
    net, other = resnet(0), resnet(1)
    state = {f"module.{name}": array for name, array in pytorch_state_dict(net).items()}
    with pytest.raises(ValueError, match=r"; what is missing is there with prefix='module\.'$") as caught:
        load_pytorch_state_dict(other, state)
    assert len(str(caught.value)) < 500
    assert f"missing conv1.weight; missing bn1.weight; {len(state) - 2} more" in str(caught.value)
    load_pytorch_state_dict(other, state | {"epoch": None}, prefix="module.")
    assert_same_state(net, other)


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_the_network_that_ships_computes_what_it_did_when_it_was_trained(arithmetic):
    net, facts = models.pretrained(arithmetic=arithmetic)
    assert not net.training
    assert net.layer1[1].gamma == facts["gamma"]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    logits = net(Tensor(augmentation.normalized(images, facts["mean"], facts["deviation"]))).data
    expected = np.array(facts["logits_of_random_images"])
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert facts["test_accuracy"] >= 0.87
    counts = np.array(facts["confusion"])
    assert counts.sum(axis=1).tolist() == [1000] * 10
    assert counts.trace() == round(10_000 * facts["test_accuracy"])


def test_a_linear_layer_behind_a_flatten_reads_channels_first_in_pytorch():
    net = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 5, 6))
    images = normal((2, 4, 5, 2), np.float32)
    state = models.pytorch_state_dict(net)
    features = np.maximum(images @ net[0].weight.data[0, 0] + net[0].bias.data, 0).transpose(0, 3, 1, 2)  # as PyTorch
    expected = features.reshape(2, -1) @ state["3.weight"].T + state["3.bias"]
    np.testing.assert_allclose(net(images).data, expected, rtol=1e-5, atol=1e-5)
    other = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(60, 6))
    models.load_pytorch_state_dict(other, state)
    assert np.array_equal(other(images).data, net(images).data)
    with pytest.raises(ValueError, match="must read images of 3 channels"):
        models.pytorch_state_dict(nn.Sequential(nn.Conv2d(2, 3, 1), nn.Sequential(nn.Flatten(), nn.Linear(7, 6))))
