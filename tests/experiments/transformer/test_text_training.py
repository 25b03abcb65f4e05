import dataclasses

import numpy as np
import pytest

from mininet import datasets, models
from mininet.experiments.transformer.text_training import Settings, sample, training

SETTINGS = Settings(blocks=1, width=8, heads=2, context=8, epochs=2, batch_size=4, warmup=2, dropout=0.1)


@pytest.fixture
def text():
    letters = np.random.default_rng(0).integers(0, 5, 150)
    return datasets.Text(letters[:90], letters[90:120], letters[120:], "abcde")


class Stop(Exception):
    """In place of a signal."""


@pytest.mark.parametrize("kind", ["momentum", "revnet"])
def test_a_training_that_is_stopped_goes_on_to_the_same_bits(kind, text, tmp_path):
    settings = dataclasses.replace(SETTINGS, kind=kind)
    whole = training(settings, text, progress=False)
    whole.run()
    stopped = training(settings, text, tmp_path, checkpoint_seconds=0, progress=False)
    step, taken = stopped._step, []

    def step_or_stop(*batch):
        if len(taken) == 3:
            raise Stop
        taken.append(step(*batch))

    stopped._step = step_or_stop
    with pytest.raises(Stop):
        stopped.run()
    resumed = training(settings, text, tmp_path, progress=False)
    assert resumed.resume()
    resumed.run()
    for name, array in whole.net.state_dict().items():
        assert np.array_equal(array, resumed.net.state_dict()[name]), name
    assert resumed.history[-1].validation_loss == whole.history[-1].validation_loss < np.log(5) + 1
    assert (tmp_path / "curves.png").exists()


def test_rivals_start_from_the_same_weights(text):
    nets = [training(dataclasses.replace(SETTINGS, kind=kind), text).net for kind in ("residual", "momentum", "revnet")]
    for name, array in nets[0].state_dict().items():
        assert all(np.array_equal(net.state_dict()[name], array) for net in nets)


def test_a_sample_begins_with_what_was_given(text):
    net = models.Transformer(5, 8, 8, 2, 1)
    found = sample(net, text, "abba", 20, temperature=0)
    assert found.startswith("abba")
    assert len(found) == 24
