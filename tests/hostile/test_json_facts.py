"""Damaged files of the package itself: facts about weights, what the authors' package did, the digits."""

import importlib.resources
import json
import math
import shutil

import numpy as np
import pytest
from hostile_support import disguised, face, limits, mutants, same

import mininet
from mininet import models
from mininet.datasets import digits
from mininet.experiments import drift
from mininet.files import read_json

pretrained = importlib.import_module("mininet.models.pretrained")  # a function has the same name


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder with copies of the package's data, in the place of the package's own."""
    home = importlib.resources.files("mininet")
    shutil.copytree(home / "data", tmp_path / "data")
    monkeypatch.setattr(importlib.resources, "files", lambda name: tmp_path)
    return tmp_path / "data"


def json_of(content):
    return json.loads(content.decode("utf-8"))


def equal(ours, theirs):
    """Whether two JSON values are equal, NaN included."""
    return json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)


def cases_for(path, seed):
    return [*mutants(path.read_bytes(), seed), *disguised(path.parents[1] / "was_run")]


def test_damaged_json(tmp_path):
    path, whole = tmp_path / "facts.json", json.dumps({"a": [1, 2.5, None, True, "text"], "b": {"c": []}}).encode()
    path.write_bytes(whole)
    assert read_json(path) == json_of(whole)
    cases = [*mutants(whole, 9, 700), *disguised(tmp_path / "was_run"), ("BOM", b"\xef\xbb\xbf{}"), ("null", b"null")]
    cases += [("digits", b"9" * 10**6), ("twice", b'{"a": 1, "a": 2}'), ("a lone surrogate", b'"\\ud800"')]
    face(
        path, cases, lambda: read_json(path), lambda found, content: equal(found, json.loads(content)), (ValueError,), 0
    )


def test_damaged_facts_about_weights(package):
    path = package / "weights" / "momentum_resnet20.json"

    def right(facts, content):
        numbers = [facts["gamma"], facts["test_accuracy"], *facts["mean"], *facts["deviation"]]
        fits = 0 < facts["gamma"] < 1 and all(isinstance(name, str) for name in facts["classes"])
        return equal(facts, json_of(content)) and fits and all(map(math.isfinite, numbers)) and len(numbers) == 8

    read_well, tried = face(path, cases_for(path, 10), lambda: pretrained._facts(path), right, (ValueError,))
    assert 0 < read_well < tried
    assert not (package / "was_run").exists()


def test_damaged_confusion(package):
    path = package / "weights" / "momentum_resnet20_confusion.json"

    def right(counts, content):
        found = np.array(counts)
        return found.shape == (10, 10) and found.dtype.kind == "i" and equal(counts, json_of(content)["confusion"])

    face(path, cases_for(path, 11), lambda: pretrained._confusion(path, 10), right, (ValueError,))


def test_a_damaged_package_gives_no_network(package):
    folder = package / "weights"
    before = models.pretrained()[0].state_dict()
    for name in ("momentum_resnet20.json", "momentum_resnet20_confusion.json", "momentum_resnet20.npz"):
        whole = (folder / name).read_bytes()
        others = [whole[: len(whole) // 2], b"", b"[]", b"null", b"{}", b"[" * 100_000]
        if name == "momentum_resnet20.json":
            facts = json_of(whole)
            for change in ({"gamma": 9.9}, {"gamma": 1e-300}, {"gamma": "0.9"}, {"classes": facts["classes"][1:]}):
                others.append(json.dumps(facts | change).encode())
        for content in others:
            (folder / name).write_bytes(content)
            with limits(), pytest.raises(ValueError, match=r"momentum_resnet20\w*\.(json|npz)"):
                models.pretrained()
        (folder / name).write_bytes(whole)
    assert same(models.pretrained()[0].state_dict(), before)


def test_damaged_figures_of_the_authors_package(package):
    path = package / "drift_momentumnet.json"

    def right(found, content):
        expected = json_of(content)
        expected["drift"] = {float(gamma): columns for gamma, columns in expected["drift"].items()}
        rows = [len(columns["depths"]) == len(columns["position"]) for columns in found["drift"].values()]
        return repr(found) == repr(expected) and all(rows) and isinstance(found["made_by"]["momentumnet"], str)

    read_well, tried = face(path, cases_for(path, 12), drift.authors, right, (ValueError,))
    assert 0 < read_well < tried


def test_damaged_digits(package):
    path = package / "digits" / "digits.npz"
    expected = digits()._asdict()
    cases = [*mutants(path.read_bytes(), 13, 300), *disguised(package / "was_run")]

    def right(found, _):
        return same(found._asdict(), expected)

    face(path, cases, digits, right, (ValueError,), least=300)
    images, labels = np.zeros((1797, 8, 8), np.uint8), np.zeros(1797, np.uint8)
    for arrays in (
        {"images": images}, {"images": images + 17, "labels": labels}, {"images": images, "labels": labels + 10},
        {"images": images[1:], "labels": labels}, {"images": images.astype(float), "labels": labels},
        {"images": images.astype("U"), "labels": labels}, {"images": images, "labels": labels, "more": labels},
    ):  # fmt: skip
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=r"digits\.npz must have"):
            digits()


def test_the_real_package_is_not_touched():
    assert mininet.__file__
    assert equal(drift.authors()["settings"], drift.authors()["settings"])
    assert models.pretrained()[1]["gamma"] == 0.9
