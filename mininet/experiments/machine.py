"""What figures are measured on."""

import pathlib
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

import llvmlite.binding
import numba
import numpy as np

from ..kernels.threads import usable_cores

_CPUINFO = pathlib.Path("/proc/cpuinfo")
_COMMANDS = ((["sysctl", "-n", "machdep.cpu.brand_string"], ""), (["lscpu"], "Model name:"))
"""What names the processor where `_CPUINFO` does not, on macOS and on ARM, and how the line begins."""


def describe() -> dict[str, Any]:
    """Processor, cores and versions, as a dict of strings and numbers."""
    return {
        "processor": _processor(),
        "architecture": llvmlite.binding.get_host_cpu_name(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"numpy": np.__version__, "numba": numba.__version__},
    }


def in_words(machine: Mapping[str, Any]) -> str:
    """What `describe` gave, as part of a sentence."""
    versions = machine["versions"]
    return (
        f"{machine['cores']} core{'s' * (machine['cores'] != 1)} of {machine['processor']} ({machine['architecture']} "
        f"to LLVM), {machine['system']}; Python {machine['python']}, NumPy {versions['numpy']}, "
        f"Numba {versions['numba']}"
    )


def _processor() -> str:
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    for command, mark in _COMMANDS:
        try:
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        for line in printed.splitlines():
            if line.startswith(mark) and line != mark:
                return line.removeprefix(mark).strip()
    return platform.processor() or platform.machine()
