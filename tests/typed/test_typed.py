"""What the type checker accepts in `uses.py` runs; the checker itself reads that file in ``make lint``."""

import importlib.util
import pathlib

import pytest

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
