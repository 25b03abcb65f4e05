"""Promise: mininet works without a place to keep anything.

No home, a package folder that cannot be written to, no folder for Numba's cache: kernels are compiled for this process
only, with the same results and no word about it.  (matplotlib, where it is loaded, warns once that it found no place
for its own cache.)
"""

import shutil

import pytest
from support import ROOT
from trust_support import TRUST, files_below, run_script

SCRIPT = TRUST / "small_step.py"


@pytest.mark.slow
def test_a_file_in_the_place_of_every_folder(tmp_path):
    """Which stops the superuser, too; a user who may only read comes to the same lines."""
    expected, place = run_script(SCRIPT).stdout.split()
    assert place == str(ROOT / "mininet" / "__init__.py")
    package = shutil.copytree(
        ROOT / "mininet", tmp_path / "package" / "mininet", ignore=shutil.ignore_patterns("__pycache__")
    )
    in_the_way = tmp_path / "in_the_way"
    for path in (in_the_way, *(folder / "__pycache__" for folder in [package, *package.rglob("*/")])):
        path.touch()
    names = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "IPYTHONDIR")
    variables = {"PYTHONPATH": package.parent, **dict.fromkeys(names, in_the_way / "folder")}
    before = files_below(tmp_path)
    process = run_script(SCRIPT, folder=package.parent, **variables)
    assert process.stdout.split() == [expected, str(package / "__init__.py")]
    assert process.stderr == ""
    process = run_script("-m", "mininet", "info", folder=package.parent, **variables)
    assert process.stdout.startswith("mininet ")
    assert len(process.stderr.splitlines()) <= 2, process.stderr  # matplotlib's
    assert files_below(tmp_path) == before
