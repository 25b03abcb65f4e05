"""What figures are measured on, in words."""

import numpy as np

from mininet import machine


def test_this_machine():
    described = machine.describe()
    words = machine.in_words(described)
    assert described["cores"] >= 1
    assert words.startswith(f"{described['cores']} core")
    assert f"NumPy {np.__version__}" in words
    assert "\n" not in words


def test_one_core():
    described = {
        "processor": "An Abacus", "architecture": "wood", "cores": 1, "system": "Linux x86_64", "python": "3.11.0",
        "versions": {"numpy": "2.1", "numba": "0.61"},
    }  # fmt: skip
    expected = "1 core of An Abacus (wood to LLVM), Linux x86_64; Python 3.11.0, NumPy 2.1, Numba 0.61"
    assert machine.in_words(described) == expected
