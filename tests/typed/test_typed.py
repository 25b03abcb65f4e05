"""Types: a checker accepts right uses, refuses wrong ones, and draws the right conclusions; `uses` is what it reads."""

import importlib.util
import pathlib

import pytest
from support import run_python

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def uses():
    spec = importlib.util.spec_from_file_location("uses", HERE / "uses.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["readme", "tensors", "networks", "readme_on_images", "training"])
def test_what_a_checker_accepts_runs(uses, name, tmp_path):
    getattr(uses, name)(*[tmp_path] * (name in ("readme_on_images", "training")))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="needs mypy")
def test_a_strict_checker_accepts_right_uses_and_refuses_wrong_ones():  # an ignored error that is none is one
    checked = run_python("-m", "mypy", "--strict", str(HERE / "uses.py"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
