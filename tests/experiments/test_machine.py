"""What figures are measured on, in words."""

import subprocess

import pytest

from mininet.experiments import machine


def test_one_core():
    described = {
        "processor": "An Abacus", "architecture": "wood", "cores": 1, "system": "Linux x86_64", "python": "3.11.0",
        "versions": {"numpy": "2.1", "numba": "0.61"},
    }  # fmt: skip
    expected = "1 core of An Abacus (wood to LLVM), Linux x86_64; Python 3.11.0, NumPy 2.1, Numba 0.61"
    assert machine.in_words(described) == expected


@pytest.mark.parametrize(("cpuinfo", "outputs", "expected"), [
    ("processor: 0\nmodel name\t: An Abacus\n", {}, "An Abacus"),
    ("processor: 0\nCPU implementer: 0x41\n", {"lscpu": "Vendor ID: ARM\nModel name:   Neoverse-N1\n"}, "Neoverse-N1"),
    (None, {"sysctl": "Apple M1\n"}, "Apple M1"),
    (None, {}, "by Python"),
])  # fmt: skip
def test_the_processor_has_a_name(cpuinfo, outputs, expected, tmp_path, monkeypatch):
    def run(command, **_):
        if command[0] not in outputs:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, outputs[command[0]])

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine.platform, "processor", lambda: "by Python")
    if cpuinfo:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert machine.describe()["processor"] == expected
