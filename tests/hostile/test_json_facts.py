"""Damaged files of the package itself: facts about weights, what the authors' package did, the digits."""

import importlib.resources
import json
import shutil

import numpy as np
import pytest
from hostile_support import disguised, face, limits, mutants

from mininet import models
from mininet.base.files import read_json
from mininet.datasets import digits, moby_dick
from mininet.experiments.drift import drift


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder with copies of the package's data, in the place of the package's own."""
    shutil.copytree(importlib.resources.files("mininet") / "data", tmp_path / "data")
    monkeypatch.setattr(importlib.resources, "files", lambda name: tmp_path)
    return tmp_path / "data"


def test_damaged_json(tmp_path):
    path, whole = tmp_path / "facts.json", json.dumps({"a": [1, 2.5, None, True, "text"], "b": {"c": []}}).encode()
    cases = [("whole", whole), *mutants(whole, 9), *disguised(tmp_path / "was_run"), ("BOM", b"\xef\xbb\xbf{}")]
    read_well, _ = face(path, cases, lambda: read_json(path), lambda ours, text: repr(ours) == repr(json.loads(text)))
    assert read_well > 0


FACTS, CONFUSION = "momentum_resnet20.json", "momentum_resnet20_confusion.json"
DAMAGES = [  # files, and what stands in them instead: bytes, or changed entries
    *((name, content) for name in (FACTS, CONFUSION) for content in (b"", b"[]", b"{}")),
    (FACTS, {"gamma": 9.9}), (FACTS, {"gamma": "0.9"}), (FACTS, {"test_accuracy": 2.0}), (FACTS, {"mean": [0.5, 0.5]}),
    (FACTS, {"mean": [0.5, 0.5, "0.5"]}), (FACTS, {"deviation": [float("nan")] * 3}), (FACTS, {"classes": [1] * 10}),
    (FACTS, {"classes": ["one less"] * 9}), (CONFUSION, {"confusion": [[1] * 10] * 9}),
    (CONFUSION, {"confusion": [[-1] * 10] * 10}), (CONFUSION, {"confusion": [[0.5] * 10] * 10}),
    ("momentum_resnet20.npz", b"PK"),
]  # fmt: skip


def changed(path, changes):
    return changes if isinstance(changes, bytes) else json.dumps(json.loads(path.read_bytes()) | changes).encode()


def test_a_damaged_package_gives_no_network(package):
    for name, damage in DAMAGES:
        path = package / "weights" / name
        whole = path.read_bytes()
        path.write_bytes(changed(path, damage))
        with limits(), pytest.raises(ValueError, match=r"momentum_resnet20\w*\.(json|npz)"):
            models.pretrained()
        path.write_bytes(whole)
    models.pretrained()


def test_a_damaged_package_gives_no_transformer(package):
    for name, damage in (
        ("moby_dick.json", b"[]"), ("moby_dick.json", {"heads": 0}), ("moby_dick.json", {"gamma": 2.0}),
        ("moby_dick.json", {"characters": "ab"}), ("moby_dick.npz", b"PK"),
    ):  # fmt: skip
        path = package / "weights" / name
        whole = path.read_bytes()
        path.write_bytes(changed(path, damage))
        with limits(), pytest.raises(ValueError, match=r"moby_dick\.(json|npz)"):
            models.pretrained("moby_dick")
        path.write_bytes(whole)
    net, facts = models.pretrained("moby_dick")
    assert not net.training
    assert net.vocabulary == len(facts["characters"]) == 89
    path = package / "moby_dick" / "moby-dick.txt.xz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="moby-dick"):
        moby_dick()


def test_damaged_figures_of_the_authors_package(package):
    path = package / "drift_momentumnet.json"
    columns = {"depths": [1, 2], "position": [0.1, 0.2], "gradient": [0.1, 0.2]}
    bad = [columns | {"depths": [0, 1]}, columns | {"position": [0.1]}, columns | {"gradient": ["0.1", 0.2]}, {}]
    damages = [{"drift": {"0.9": each}} for each in bad] + [{"made_by": {}}, {"settings": 3}, b"[]"]
    cases = [(f"{damage}", changed(path, damage)) for damage in damages]
    assert face(path, cases, drift.authors) == (0, len(cases))


def test_damaged_digits(package):
    path = package / "digits" / "digits.npz"
    images, labels = np.zeros((1797, 8, 8), np.uint8), np.zeros(1797, np.uint8)
    for arrays in (
        {"images": images}, {"images": images + 17, "labels": labels}, {"images": images, "labels": labels + 10},
        {"images": images[1:], "labels": labels}, {"images": images.astype(float), "labels": labels},
    ):  # fmt: skip
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=r"digits\.npz"):
            digits()
