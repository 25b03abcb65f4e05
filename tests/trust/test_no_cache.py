"""Promise: mininet works without a place to keep anything.

No home, a package folder that cannot be written to, no folder for Numba's cache or a full one: kernels are compiled for
this process only, with the same results and no word about it.  (matplotlib, where it is loaded, warns once that it
found no place for its own cache.)
"""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from support import ROOT
from trust_support import HANG, TRUST, environment, files_below, run_script

SCRIPT = TRUST / "small_step.py"


@pytest.fixture(scope="module")
def expected():
    value, place = run_script(SCRIPT).stdout.split()
    assert pathlib.Path(place).is_relative_to(ROOT)
    return value


def copy_of_the_package(folder):
    """The package in `folder`, never compiled."""
    return shutil.copytree(ROOT / "mininet", folder / "mininet", ignore=shutil.ignore_patterns("__pycache__"))


def homes(place):
    """Variables that name folders for what programs keep, all of them in `place`."""
    names = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "IPYTHONDIR")
    return dict.fromkeys(names, place)


def run_copy(folder, *arguments, **options):
    """What Python writes, from outside the source tree, with the package in `folder`: (output, errors)."""
    changes = options.pop("changes")
    process = subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment(PYTHONPATH=folder, **changes), cwd=folder,
        capture_output=True, text=True, timeout=HANG, check=False, **options,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process.stdout, process.stderr


@pytest.mark.slow
def test_a_file_in_the_place_of_every_folder(expected, tmp_path):
    """This stops the superuser, too."""
    package = copy_of_the_package(tmp_path / "package")
    in_the_way = tmp_path / "in_the_way"
    in_the_way.touch()
    for folder in [package, *package.rglob("*/")]:
        (folder / "__pycache__").touch()
    before = files_below(tmp_path)
    output, errors = run_copy(package.parent, SCRIPT, changes=homes(in_the_way / "folder"))
    assert output.split() == [expected, str(package / "__init__.py")]
    assert errors == ""
    output, errors = run_copy(package.parent, "-m", "mininet", "info", changes=homes(in_the_way / "folder"))
    assert output.startswith("mininet ")
    assert len(errors.splitlines()) <= 2, errors  # matplotlib's
    assert files_below(tmp_path) == before


def without_the_right_to_write_everywhere():
    """In a child about to start: permission bits hold for the superuser as well (Linux)."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs permission bits")
def test_a_package_and_a_home_that_may_only_be_read(expected, tmp_path):
    package = copy_of_the_package(tmp_path)
    options = {"preexec_fn": without_the_right_to_write_everywhere} if os.geteuid() == 0 else {}
    folders = [tmp_path, package, *package.rglob("*/")]
    for folder in folders:
        folder.chmod(0o555)
    before = files_below(tmp_path)
    try:
        attempt = [sys.executable, "-c", f"open({str(package / 'new')!r}, 'w')"]
        if subprocess.run(attempt, capture_output=True, check=False, **options).returncode == 0:
            pytest.skip("nothing keeps this user from writing")
        output, errors = run_copy(tmp_path, SCRIPT, changes=homes(tmp_path), **options)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert output.split() == [expected, str(package / "__init__.py")]
    assert errors == ""
    assert files_below(tmp_path) == before


def test_a_cache_on_a_full_disk(expected, tmp_path):
    """Files of at most 100 bytes can be written: Numba can make its folders, but keep nothing there."""
    pytest.importorskip("resource")
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
    code = f"{limited}runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    (tmp_path / "cache").mkdir()
    process = run_script("-c", code, NUMBA_CACHE_DIR=tmp_path / "cache", PYTHONDONTWRITEBYTECODE=1)
    assert process.stdout.split()[0] == expected
    assert process.stderr == ""
    assert not [name for name in files_below(tmp_path / "cache") if ".tmp." in name or name.endswith(".nbc")]


@pytest.mark.slow
def test_processes_that_compile_at_once_into_one_cache(expected, tmp_path):
    """As when several trainings are started together, after which the cache is whole."""
    commands = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT)], env=environment(NUMBA_CACHE_DIR=tmp_path), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in commands:
        output, errors = process.communicate(timeout=HANG)
        assert (process.returncode, errors) == (0, "")
        assert output.split()[0] == expected
    assert run_script(SCRIPT, NUMBA_CACHE_DIR=tmp_path).stdout.split()[0] == expected


@pytest.mark.slow
def test_killed_while_it_compiles(expected, tmp_path):
    """SIGKILL at several moments: the next process takes what is whole, and compiles the rest."""
    for seconds in (1.5, 2.0, 2.5):
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], env=environment(NUMBA_CACHE_DIR=tmp_path), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert run_script(SCRIPT, NUMBA_CACHE_DIR=tmp_path).stdout.split()[0] == expected
