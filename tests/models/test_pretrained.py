"""The network that ships with the package is trained, and computes what it did when it was trained."""

import numpy as np
import pytest
from support import ROOT

from mininet import Tensor, models
from mininet.datasets import augmentation


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_logits_are_as_recorded(arithmetic):
    net, facts = models.pretrained(arithmetic=arithmetic)
    assert not net.training
    assert net.layer1[1].gamma == facts["gamma"]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    logits = net(Tensor(augmentation.normalized(images, facts["mean"], facts["deviation"]))).data
    expected = np.array(facts["logits_of_random_images"])
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_facts():
    _, facts = models.pretrained()
    assert facts["test_accuracy"] >= 0.85
    assert len(facts["classes"]) == 10
    assert facts["command"].startswith("python -m mininet train")
    counts = np.array(facts["confusion"])
    assert counts.sum(axis=1).tolist() == [1000] * 10
    assert counts.trace() == round(10_000 * facts["test_accuracy"])


def test_files_are_small():
    for path in (ROOT / "mininet" / "data" / "weights").iterdir():
        assert path.stat().st_size < 1.2e6


def test_unknown_names():
    with pytest.raises(ValueError, match="name must be one of momentum_resnet20, got 'resnet1000'"):
        models.pretrained("resnet1000")
