"""The recipe of fine-tuning: which network the weights are of, a gamma that rises, and the larger batch."""

import pytest

from mininet import MomentumNet, models, nn, optim
from mininet.experiments.images import fine_tuning
from mininet.experiments.images.fine_tuning import RisingGamma, largest_batch, network_of, rising


def test_gamma_rises_with_the_steps():
    assert [rising(share, 0.9) for share in (0, 0.5, 1, 2)] == [2**-10, 29 / 64, 0.9, 0.9]
    net = MomentumNet([nn.Linear(2, 2)], gamma=2**-10)
    schedule = RisingGamma(optim.SGD(net.parameters(), 0.1), total=9)
    schedule.nets, schedule.highest = [net], 0.5
    found = []
    for _ in range(4):
        schedule.step()
        found.append(net.gamma)
    assert found == [11 / 64, 21 / 64, 0.5, 0.5]


def test_weights_tell_their_network(tmp_path):
    for name in ("resnet20", "resnet44"):
        models.save_pytorch_state_dict(getattr(models, name)(), tmp_path / "weights.npz")
        assert network_of(tmp_path / "weights.npz") == name
    models.save_pytorch_state_dict(models.CifarResNet(2), tmp_path / "weights.npz")
    with pytest.raises(ValueError, match="weights must be those of a ResNet for CIFAR-10"):
        network_of(tmp_path / "weights.npz")


def test_the_largest_batch_fits(monkeypatch):
    monkeypatch.setattr(fine_tuning, "peak_bytes", lambda settings, split, batch: 1000 + 10 * batch + batch // 7)
    batch = largest_batch(None, None, 2000)
    assert 1000 + 10 * batch + batch // 7 <= 2000 < 1000 + 10 * (batch + 1) + (batch + 1) // 7
