"""What SECURITY.md says: what is safe to load and what is code.  Most of it is tried out by its neighbours here."""

import os
import pathlib
import pickle

import numpy as np
import pytest
from hostile_support import Harmful
from nbformat.v4 import new_code_cell, new_notebook
from support import ROOT, run_python

from mininet import grader, models, nn
from mininet.course.site import notebook
from mininet.datasets import image_folder
from mininet.kernels import momentum

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_page_is_short_and_names_what_there_is():
    assert len(PAGE.splitlines()) <= 10
    for name in (".npz", ".safetensors", ".pt", ".pth", "mininet grade", "pytest --implementation", "NUMBA_CACHE_DIR"):
        assert f"`{name}`" in PAGE or f"{name}`" in PAGE
    assert ", ".join(image_folder._FORMATS) in PAGE


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.npz", "net.safetensors", "net.pkl"])
def test_pickles_are_refused_by_any_name(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Harmful(tmp_path / "was_run")))
    with pytest.raises(ValueError, match=name):
        models.load_pytorch_state_dict(nn.Linear(2, 3), tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_the_command_line_says_it_in_one_line(tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, weight=np.array([Harmful(tmp_path / "was_run")], object))
    found = run_python(
        "-m", "mininet", "evaluate", "--dataset", "digits", "--network", "resnet20", "--weights", str(path)
    )
    assert found.returncode == 1
    assert found.stderr.startswith("mininet: ")
    assert str(path) in found.stderr
    assert found.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["net.npz"]


def code(tmp_path):
    return f"import pathlib\npathlib.Path({str(tmp_path / 'was_run')!r}).touch()\n\ndef forward(x): pass\n"


def test_an_implementation_is_code(tmp_path):
    (tmp_path / "mine.py").write_text(code(tmp_path))
    grader.load(tmp_path / "mine.py")
    assert (tmp_path / "was_run").exists()


def test_a_notebook_is_not_run_to_be_shown(tmp_path):
    page = notebook.render(new_notebook(cells=[new_code_cell(code(tmp_path))]), str, str)
    assert "was_run" in page
    assert os.listdir(tmp_path) == []


def test_where_compiled_code_is_kept(monkeypatch):
    kernels = [each for each in vars(momentum).values() if hasattr(each, "_cache")]
    folders = {pathlib.Path(each._cache.cache_path) for each in kernels if hasattr(each._cache, "cache_path")}
    allowed = {pathlib.Path(momentum.__file__).parent / "__pycache__"}
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    for folder in folders:
        assert folder in allowed or "numba" in str(folder).lower() or (chosen and folder.is_relative_to(chosen))
