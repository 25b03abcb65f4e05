"""The exchange of gamma on a tiny network."""

import numpy as np
import pytest

from mininet.datasets import Batches, Split, digits
from mininet.experiments.digits import accuracy
from mininet.experiments.role_of_gamma import gamma_exchange
from mininet.experiments.role_of_gamma.gamma_exchange import Settings, drift, make_network, train
from mininet.seeding import position

TINY = Settings(gammas=(0.0, 0.5), depth=2, width=4, epochs=1, batch_size=32, refit_rate=0.1, seeds=2)


@pytest.fixture(scope="module")
def data():
    return Split(*(array[:96] for array in digits()))


@pytest.fixture(scope="module")
def found(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gamma_exchange, "digits", lambda: data)
        return gamma_exchange.exchange(TINY)


def test_all_start_from_the_same_weights():
    before = position()
    nets = [make_network(TINY, gamma, 3) for gamma in (0.0, 0.5)]
    assert position() == before
    states = [net.state_dict() for net in nets]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert [net[3].gamma for net in nets] == [0, 0.5]
    other = make_network(TINY, 0.0, 4).state_dict()
    assert any(not np.array_equal(states[0][name], other[name]) for name in other)
    loaded = make_network(TINY, 0.5, 4, states[0])
    assert all(np.array_equal(states[0][name], loaded.state_dict()[name]) for name in other)


def test_one_entry_by_hand(found, data):
    """Seed 1, trained with 0, tested and refitted with 0.5."""
    net = make_network(TINY, 0.0, 1)
    train(net, Batches(data.train_images, data.train_labels, 32, 1), 1, 0.1)
    other = make_network(TINY, 0.5, 1, net.state_dict())
    assert found.before[1, 0, 1] == accuracy(other, data.test_images, data.test_labels)
    assert found.before[1, 0, 0] == accuracy(net, data.test_images, data.test_labels)
    batches = Batches(data.train_images, data.train_labels, 32, 1)
    batches.epoch = 1
    train(other, batches, 1, TINY.refit_rate)
    assert found.after[1, 0, 1] == accuracy(other, data.test_images, data.test_labels)
    assert found.before.shape == found.after.shape == (2, 2, 2)


def test_drift(found):
    assert list(found.drift) == [0.5]
    assert found.drift[0.5].shape == (2, 3)
    images = digits().test_images[:8]
    errors = {}
    for gamma in (0.1, 0.9):
        net = make_network(Settings(depth=6, width=4), gamma, 0)
        errors[gamma] = drift(net, images)
        assert errors[gamma].shape == (7,)
        assert errors[gamma][-1] == 0
    assert errors[0.1][0] > 10 * errors[0.9][0] > 0
