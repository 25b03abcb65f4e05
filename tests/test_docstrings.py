"""The examples in docstrings run, and print what they say, and what is public has one."""

import doctest
import importlib
import inspect
import pathlib
import re

import numpy as np
import pytest
from PIL import Image
from test_public_names import NAMES as PUBLIC

import mininet
from mininet import MomentumNet, Tensor, datasets, manual_seed, models, nn, optim, track_memory
from mininet import functional as F
from mininet.kernels import buffers, threads
from mininet.profiling import profile

ROOT = pathlib.Path(mininet.__file__).parents[1]
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "mininet").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
NAMES = {
    "F": F, "Image": Image, "MomentumNet": MomentumNet, "Tensor": Tensor, "datasets": datasets, "models": models,
    "nn": nn, "np": np, "optim": optim, "profile": profile, "track_memory": track_memory,
}  # fmt: skip


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    """Examples may write files and change settings."""
    monkeypatch.chdir(tmp_path)
    before = threads.get_num_threads(), buffers.get_limit()
    yield
    threads.set_num_threads(before[0])
    buffers.set_limit(before[1])


@pytest.mark.usefixtures("surroundings")
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name):
    if name == "mininet.bridges.torch":
        pytest.importorskip("torch", reason="needs the extra torch")
    manual_seed(0)
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs={key: value for key, value in NAMES.items() if not hasattr(module, key)})
    assert found.attempted
    assert not found.failed


@pytest.mark.parametrize("module", PUBLIC)
def test_what_is_public_has_an_example(module):
    found = {name: getattr(importlib.import_module(module), name, None) for name in PUBLIC[module].split()}
    texts = {name: each.__doc__ for name, each in found.items() if _can_have_an_example(each)}

    def has_example(name):
        others = re.findall(r"see `(\w+)`", texts[name])
        return ">>> " in texts[name] or any(has_example(other) for other in others if other in texts)

    assert not [name for name in texts if not has_example(name)]


def _can_have_an_example(value):
    if inspect.isclass(value):
        return not issubclass(value, Exception)
    return inspect.isroutine(inspect.unwrap(value))
