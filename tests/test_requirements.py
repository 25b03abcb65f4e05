"""What pyproject.toml says of requirements and of files to pack; `make packages` looks at the packages themselves."""

import fnmatch
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENT = re.compile(r"([a-z0-9-]+)>=([\d.]+),<([\d.]+)")


def numbers(version):
    """1.10 comes after 1.9, and 2.0 is 2."""
    parts = [int(part) for part in version.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return parts


def requirements():
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = PROJECT["project"]["dependencies"] + extras["test"] + extras["data"]
    return {match[1]: (match[2], match[3]) for match in map(REQUIREMENT.fullmatch, wanted)}


def lowest():
    lines = (ROOT / "requirements-lowest.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("#")[0].strip().split("==") for line in lines if line and not line.startswith("#"))


def test_every_requirement_has_both_bounds():
    for low, high in requirements().values():
        assert numbers(low) < numbers(high)


def test_the_lowest_versions_are_those_that_are_tried():
    tried = {name: numbers(version) for name, version in lowest().items() if name in requirements()}
    assert tried == {name: numbers(low) for name, (low, _) in requirements().items()}


def test_every_file_of_the_package_is_packed():
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "mininet"]
    if not (ROOT / ".git").exists():
        pytest.skip("needs git")
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    forgotten = [
        name
        for name in filter(None, files)
        if not name.endswith(".py")
        and not any(fnmatch.fnmatch(name, f"mininet/{pattern}") for pattern in patterns["mininet"])
    ]
    assert not forgotten


@pytest.mark.parametrize(("platform", "python"), [("win32", "Scripts/python.exe"), ("linux", "bin/python")])
def test_programs_of_an_environment_are_found(platform, python, monkeypatch):
    path = ROOT / "tools/packages.py"
    spec = importlib.util.spec_from_file_location("packages", path)
    packages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(packages)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "platform", platform)
        assert packages.program(pathlib.Path("environment"), "python").as_posix() == f"environment/{python}"
    if shutil.which("make") is None:
        pytest.skip("needs make")
    system = "Windows_NT" if platform == "win32" else "Linux"
    command = ["make", "--dry-run", "demo", f"OS={system}"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f".venv/{python.removesuffix('.exe')} -m mininet compare" in printed
