"""What figures are measured on, in words."""

from mininet.experiments import machine


def test_one_core():
    described = {
        "processor": "An Abacus", "architecture": "wood", "cores": 1, "system": "Linux x86_64", "python": "3.11.0",
        "versions": {"numpy": "2.1", "numba": "0.61"},
    }  # fmt: skip
    expected = "1 core of An Abacus (wood to LLVM), Linux x86_64; Python 3.11.0, NumPy 2.1, Numba 0.61"
    assert machine.in_words(described) == expected
