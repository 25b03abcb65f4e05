"""What SECURITY.md says of what is safe to load and what is code, and of places that are no files."""

import os
import pickle

import pytest
from command_support import refusal
from hostile_support import Harmful, limits
from support import ROOT

from mininet import grader, models, nn
from mininet.base.files import read_json
from mininet.base.npz import read_npz
from mininet.datasets import cifar10, image_folder
from mininet.models import load_pytorch_state_dict, safetensors

READERS = {
    "npz": read_npz,
    "safetensors": safetensors.load,
    "json": read_json,
    "a network": lambda path: load_pytorch_state_dict(nn.Linear(2, 2), path),
    "CIFAR-10": lambda path: cifar10(path),
}
PLACES = {
    "a folder": os.mkdir,
    "a pipe": lambda path: os.mkfifo(path),
    "an endless device": lambda path: os.symlink("/dev/zero", path),
}


def test_the_page_names_what_there_is():
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for name in (".npz", ".safetensors", ".pt", ".pth", "mininet grade", "pytest --implementation", "NUMBA_CACHE_DIR"):
        assert f"{name}`" in page
    assert ", ".join(image_folder._FORMATS) in page


@pytest.mark.parametrize("name", ["net.pt", "net.npz", "net.safetensors"])
def test_pickles_are_refused_by_any_name(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Harmful(tmp_path / "was_run")))
    with pytest.raises(ValueError, match=name):
        models.load_pytorch_state_dict(nn.Linear(2, 3), tmp_path / name)
    assert name in refusal(["evaluate", "--dataset", "digits", "--weights", tmp_path / name])
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_by_name(tmp_path, reader, place):
    if place != "a folder" and not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes and devices among the files")
    path = tmp_path / "place.npz"
    PLACES[place](path)
    with limits(), pytest.raises((OSError, ValueError), match=path.name):
        READERS[reader](path)
    assert os.listdir(tmp_path) == [path.name]


def test_an_implementation_is_code(tmp_path):
    code = f"import pathlib\npathlib.Path({str(tmp_path / 'was_run')!r}).touch()\n\ndef forward(x): pass\n"
    (tmp_path / "mine.py").write_text(code)
    grader.load(tmp_path / "mine.py")
    assert (tmp_path / "was_run").exists()
