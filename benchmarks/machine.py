"""What it was measured on."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess

import llvmlite.binding

from .processes import ROOT

_PACKAGES = ("mininet", "numpy", "numba", "torch", "momentumnet")


def usable_cores():
    """How many cores this process may run on; all libraries use as many threads."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe():
    """Processor, cores, versions, commit and date, as strings and numbers."""
    return {
        "processor": _processor(),
        "architecture": llvmlite.binding.get_host_cpu_name(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "commit": _commit(),
        "date": datetime.date.today().isoformat(),
    }


def _processor():
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package):
    if package == "mininet":  # run from its folder, perhaps not installed
        from mininet.version import VERSION

        return VERSION
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit():
    """The commit, with a + if what is measured has been changed since; None without git."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--", "mininet", "benchmarks") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
