"""Weights from PyTorch and back: names, layouts, files, and what does not fit."""

import pickle
import zipfile

import numpy as np
import pytest
from support import normal

from mininet import manual_seed, models, nn
from mininet.models import load_pytorch_state_dict, pytorch_state_dict, save_pytorch_state_dict


def resnet(seed=0):
    manual_seed(seed)
    net = models.CifarResNet(1, width=4, shortcut="B")
    for name, array in net.named_buffers():
        array[...] = np.abs(normal(array.shape, seed=len(name)))
    return net


def assert_same_state(a, b):
    ours, theirs = a.state_dict(), b.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_layouts():
    net = nn.Sequential(nn.Conv2d(2, 5, (3, 1)), nn.BatchNorm2d(5), nn.Linear(5, 7))
    state = pytorch_state_dict(net)
    assert [state[f"{i}.weight"].shape for i in range(3)] == [(5, 2, 3, 1), (5,), (7, 5)]
    assert state["0.weight"][4, 1, 2, 0] == net[0].weight.data[2, 0, 1, 4]
    assert state["2.weight"][6, 3] == net[2].weight.data[3, 6]
    assert all(array.flags.c_contiguous for array in state.values())
    assert pytorch_state_dict(nn.Linear(2, 3))["weight"].shape == (3, 2)


def test_there_and_back():
    net, other = resnet(0), resnet(1)
    load_pytorch_state_dict(other, pytorch_state_dict(net))
    assert_same_state(net, other)


@pytest.mark.parametrize("name", ["net.npz", "net.safetensors"])
def test_files(name, tmp_path):
    net, other = resnet(0), resnet(1)
    save_pytorch_state_dict(net, tmp_path / name)
    load_pytorch_state_dict(other, str(tmp_path / name))
    assert_same_state(net, other)
    assert [path.name for path in tmp_path.iterdir()] == [name]


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


@pytest.mark.parametrize("source", [3, None, ["weights"]])
def test_sources_that_are_none(source):
    with pytest.raises(TypeError, match="source must be a mapping or a path"):
        load_pytorch_state_dict(resnet(), source)


def test_pickles_are_refused(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (tmp_path.joinpath("was_run").touch, ())

    for name in ("net.pt", "net.pth", "net.npz", "net.npy"):
        (tmp_path / name).write_bytes(pickle.dumps({"weight": Harmful()}))
        with pytest.raises(ValueError, match="npz"):
            load_pytorch_state_dict(resnet(), tmp_path / name)
    np.savez(tmp_path / "objects.npz", weight=np.array([Harmful()], object))
    with pytest.raises(ValueError, match=r"not a whole \.npz file of plain arrays"):
        load_pytorch_state_dict(resnet(), tmp_path / "objects.npz")
    assert not (tmp_path / "was_run").exists()


def test_damaged_files(tmp_path):
    path = tmp_path / "net.npz"
    save_pytorch_state_dict(resnet(), path)
    content = path.read_bytes()
    for broken in (b"", content[: len(content) // 2], content[:200] + b"\0" * 100 + content[300:]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"not a whole \.npz file|does not fit"):
            load_pytorch_state_dict(resnet(), path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conv1.weight.npy", b"no array")
    with pytest.raises(ValueError, match=r"not a whole \.npz file|does not fit|must hold numbers"):
        load_pytorch_state_dict(resnet(), path)
    with pytest.raises(FileNotFoundError):
        load_pytorch_state_dict(resnet(), tmp_path / "missing.npz")


def test_other_endings_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.npz or \.safetensors"):
        save_pytorch_state_dict(resnet(), tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())
