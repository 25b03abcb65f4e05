"""What it was measured on, with what is compared and the commit."""

import datetime
import importlib.metadata
import subprocess

from llvmlite import binding

from mininet.experiments import machine
from mininet.version import VERSION

from .processes import ROOT


def describe():
    """Processor, cores, versions, commit and date, as strings and numbers."""
    described = machine.describe()
    versions = described["versions"] | {name: _version(name) for name in ("torch", "momentumnet")}
    return described | {
        "versions": {"mininet": VERSION} | versions,
        "avx512": bool(binding.get_host_cpu_features().get("avx512f")),
        "commit": _commit(),
        "date": datetime.date.today().isoformat(),
    }


def _version(package):
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
