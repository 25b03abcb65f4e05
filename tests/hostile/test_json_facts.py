"""JSON that is damaged, and files of the package itself that are cut off."""

import importlib.resources
import json
import re
import shutil

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


@pytest.mark.parametrize(
    ("load", "files"),
    [
        (models.pretrained, ["weights/momentum_resnet20.json", "weights/momentum_resnet20_confusion.json",
                             "weights/momentum_resnet20.npz"]),
        (lambda: models.pretrained("moby_dick"), ["weights/moby_dick.json", "weights/moby_dick.npz"]),
        (moby_dick, ["moby_dick/moby-dick.txt.xz"]),
        (digits, ["digits/digits.npz"]),
        (drift.authors, ["drift_momentumnet.json"]),
    ],
)  # fmt: skip
def test_a_file_of_the_package_that_is_cut_off_is_named(package, load, files):
    for name in files:
        path = package / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with limits(), pytest.raises(ValueError, match=re.escape(path.name)):
            load()
        path.write_bytes(whole)
    load()
