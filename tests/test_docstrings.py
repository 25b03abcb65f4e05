"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
import pathlib

import numpy as np
import pytest

import mininet
from mininet import MomentumNet, Tensor, datasets, manual_seed, models, nn, optim, track_memory
from mininet import functional as F
from mininet.profiling import profile

ROOT = pathlib.Path(mininet.__file__).parents[1]
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "mininet").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
NAMES = {
    "F": F, "MomentumNet": MomentumNet, "Tensor": Tensor, "datasets": datasets, "models": models, "nn": nn, "np": np,
    "optim": optim, "profile": profile, "track_memory": track_memory,
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name):
    manual_seed(0)
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs={key: value for key, value in NAMES.items() if not hasattr(module, key)})
    assert found.attempted
    assert not found.failed
