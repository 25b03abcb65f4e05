"""What users met: buffers that are no floats, layers kept in evaluation, shared lists and weights, partial states."""

import copy

import numpy as np
import pytest

from mininet import Tensor, nn, optim
from mininet import functional as F
from mininet.datasets import Batches
from mininet.reversible import MomentumNet, limit_lipschitz, spectral_norm
from mininet.training import Training


class Counting(nn.Module):
    """Has buffers of integers and of truth values, and a layer that is always in evaluation."""

    def __init__(self):
        super().__init__()
        self.layer, self.frozen = nn.Linear(2, 2), Frozen()
        self.register_buffer("count", np.array([3]))
        self.register_buffer("mask", np.array([True, False]))

    def forward(self, x):
        return self.layer(self.frozen(x))


class Without(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 2)
        self.register_buffer("mask", np.array([True]))

    def forward(self, x, /, **keywords):
        return self.layer(x) if self.training and "self" in keywords else x


def test_a_module_needs_no_init_of_its_base_and_takes_any_keyword():
    net = Without()
    assert list(net.state_dict()) == ["layer.weight", "layer.bias", "mask"]
    assert net(np.ones(2, np.float32), self=None).shape == (2,)
    assert MomentumNet([net])(np.ones((1, 2), np.float32), self=None).shape == (1, 2)
    assert not net.eval().training


class Frozen(nn.Dropout):
    def train(self, mode=True):
        return super().train(False)


def test_buffers_that_are_no_floats_are_saved_loaded_and_kept():
    one, other = Counting(), Counting()
    one.count[...] = 7
    other.load_state_dict(one.state_dict())
    assert (other.count.dtype, other.count.item()) == (np.int64, 7)
    other.to(np.float64)
    assert (other.count.dtype, other.mask.dtype, other.layer.weight.dtype) == (np.int64, np.bool_, np.float64)
    assert other.load_state_dict({"mask": [True, True], "odd": [1.0]}, strict=False) == (
        ["layer.weight", "layer.bias", "count"], ["odd"],
    )  # fmt: skip
    assert other.mask.all()
    with pytest.raises(ValueError, match="count has dtype float64"):
        other.load_state_dict({**one.state_dict(), "count": np.array([7.0])})


def test_a_layers_own_train_is_called_and_its_mode_survives_a_training():
    net = nn.Sequential(Counting(), nn.BatchNorm2d(2)).train()
    assert net[0].training
    assert not net[0].frozen.training
    net[1].eval()
    batches = Batches(np.ones((4, 2), np.float32), np.zeros(4, int), 2)
    Training(net, optim.SGD(net.parameters(), lr=0.1), None, batches, batches, epochs=1, progress=False).run()
    assert not net[1].training
    assert not net[1].running_mean.any()


def test_a_copy_registers_buffers_of_its_own():
    net = Counting()
    other = copy.copy(net)
    other.register_buffer("more", np.ones(1, np.float32))
    assert "more" not in net.state_dict()
    assert other.layer is net.layer


def test_a_shared_weight_is_limited_once():
    one, other = nn.Linear(3, 3), nn.Linear(3, 3)
    one.weight.data *= 10
    other.weight = one.weight
    limit_lipschitz(nn.Sequential(one, other), 0.9)
    assert spectral_norm(one) == pytest.approx(0.9, rel=1e-4)


def test_states_of_optimisers_must_have_all_of_a_parameter():
    layer = nn.Linear(2, 1)
    F.sum(layer(Tensor(np.ones((1, 2), np.float32)))).backward()
    optimizer = optim.Adam(layer.parameters())
    optimizer.step()
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    del state["0.steps"]
    with pytest.raises(ValueError, match="its steps is missing"):
        optimizer.load_state_dict(state)
