"""Promise: nothing asks for what only POSIX has, neither modules nor signals; nobody tried it on Windows itself."""

import pytest
from trust_support import TRUST, files_below, run_script

pytest.importorskip("fcntl")  # where it is missing, every other test shows the same


def test_training_saving_and_commands(tmp_path):
    printed = run_script(TRUST / "without_posix.py", tmp_path, PYTHONIOENCODING="cp1252").stdout
    assert printed.startswith("mininet ")
    assert files_below(tmp_path) == [
        "checkpoint.npz", "curves.csv", "curves.png", "mine.py", "weights.npz", "weights.safetensors",
    ]  # fmt: skip
