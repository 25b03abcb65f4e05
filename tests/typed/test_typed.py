"""Types: what is published agrees with the code, and a checker draws the right conclusions; `uses` is what it reads."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
mypy_is_needed = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="needs mypy")


def run(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, check=False)


@pytest.fixture
def uses():
    spec = importlib.util.spec_from_file_location("uses", HERE / "uses.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["readme", "tensors", "networks"])
def test_what_a_checker_accepts_runs(uses, name):
    getattr(uses, name)()


@pytest.mark.parametrize("name", ["readme_on_images", "training"])
def test_what_a_checker_accepts_of_files_runs(uses, name, tmp_path):
    getattr(uses, name)(tmp_path)


@pytest.mark.slow
@mypy_is_needed
def test_a_strict_checker_accepts_right_uses_and_refuses_wrong_ones():  # an ignored error that is none is one
    checked = run("-m", "mypy", "--strict", HERE / "uses.py")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
@mypy_is_needed
def test_stubs_agree_with_the_code():
    checked = run(HERE / "check_stubs.py")
    assert checked.returncode == 0, checked.stdout + checked.stderr
