"""One training on the digits, and its result."""

import json

import numpy as np
import pytest

from mininet import MomentumNet, RevNet
from mininet.experiments.accuracy import digits_training
from mininet.experiments.accuracy.digits_training import Settings, network, train
from mininet.reversible import ResidualNet


@pytest.mark.parametrize(
    ("settings", "kind", "name"),
    [
        (Settings("resnet", 2), ResidualNet, "resnet-2"),
        (Settings("momentum", 2, 0.5), MomentumNet, "momentum-2-gamma0.5"),
        (Settings("momentum", 2, 0.9, True, 1 / 0.19), MomentumNet, "momentum-2-gamma0.9-learned-scale5.26"),
        (Settings("revnet", 2), RevNet, "revnet-2"),
    ],
)
def test_networks(settings, kind, name):
    net = network(settings)
    layers = net[3]
    assert isinstance(layers, kind)
    assert settings.network == name
    assert [function[-1].weight.data[0] for function in layers.functions] == pytest.approx([settings.scale] * 2)
    assert sum(parameter.size for parameter in layers.functions[0].parameters()) == 2 * (9 * 16 * 16 + 2 * 16)
    if kind is MomentumNet:
        assert layers.gamma == settings.gamma
        assert (layers.init_velocity is not None) == settings.learned_velocity
    assert net(np.zeros((2, 8, 8, 1), np.float32)).shape == (2, 10)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be"):
        network(Settings("plain", 2))


@pytest.mark.slow
def test_a_training_learns_and_is_run_once(tmp_path, monkeypatch):
    result = train(Settings("momentum", 1, 0.5, epochs=2, learning_rate=0.3), tmp_path)
    assert result["loss"][1] < 0.8 * result["loss"][0]
    assert result["test"]["accuracy"] > 0.2
    assert json.loads(next(tmp_path.iterdir()).read_text()) == result
    monkeypatch.delattr(digits_training, "network")
    assert train(Settings("momentum", 1, 0.5, epochs=2, learning_rate=0.3), tmp_path) == result


def test_divergence_is_a_result(tmp_path, monkeypatch):
    def diverges(net, images, labels):
        raise OverflowError("x left the range")

    monkeypatch.setattr(digits_training, "loss_and_gradients", diverges)
    result = train(Settings("momentum", 1, 0.5), tmp_path)
    assert (result["diverged"], result["loss"], result["test"]) == ("x left the range", [], digits_training.FAILED)


def test_an_infinite_loss_is_a_divergence(tmp_path, monkeypatch):
    monkeypatch.setattr(digits_training, "loss_and_gradients", lambda *_: float("nan"))
    assert train(Settings("resnet", 1, epochs=1), tmp_path)["diverged"] == "the loss is nan"


def test_an_evaluation_out_of_range_scores_nothing():
    net = network(Settings("momentum", 1, 0.5))
    images, labels = np.zeros((2, 8, 8, 1), np.float32), np.array([0, 1])
    assert 0 < digits_training.score(net, images, labels)["loss"] < 10
    net[0].weight.data[:] = 1e9
    assert digits_training.score(net, images + 1, labels) == digits_training.FAILED
