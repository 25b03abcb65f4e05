import dataclasses

import numpy as np
import pytest
from reversible_support import assert_same_bits

from mininet import datasets, models
from mininet.experiments.transformer.text_training import Settings, sample, training

SETTINGS = Settings(blocks=1, width=8, heads=2, context=8, epochs=2, batch_size=4, warmup=2, dropout=0.1)


@pytest.fixture
def text():
    letters = np.random.default_rng(0).integers(0, 5, 150)
    return datasets.Text(letters[:90], letters[90:120], letters[120:], "abcde")


@pytest.mark.parametrize("kind", ["momentum", "revnet"])
def test_a_training_learns_and_has_its_files(kind, text, tmp_path):
    """That it goes on where it was stopped, to the same bits, shows `tests/test_training.py`."""
    settings = dataclasses.replace(SETTINGS, kind=kind)
    one, again = (training(settings, text, tmp_path, progress=False) for _ in range(2))
    one.run()
    assert one.history[-1].validation_loss < np.log(5) + 1
    assert (tmp_path / "curves.png").exists()
    assert again.resume()
    assert_same_bits(again.net.state_dict(), one.net.state_dict())


def test_rivals_start_from_the_same_weights(text):
    nets = [training(dataclasses.replace(SETTINGS, kind=kind), text).net for kind in ("residual", "momentum", "revnet")]
    for name, array in nets[0].state_dict().items():
        assert all(np.array_equal(net.state_dict()[name], array) for net in nets)


def test_a_sample_begins_with_what_was_given(text):
    net = models.Transformer(5, 8, 8, 2, 1)
    found = sample(net, text, "abba", 20, temperature=0)
    assert found.startswith("abba")
    assert len(found) == 24
