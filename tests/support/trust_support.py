"""What the tests of `tests/trust` share: Python in processes that can be killed, that have no cache, that leak."""

import contextlib
import os
import pathlib
import subprocess
import sys

from support import ROOT

TRUST = pathlib.Path(__file__).parents[1] / "trust"
HANG = 300
"""Seconds after which a process that should have ended long ago is taken to hang."""


def environment(**changes):
    """The environment of a process that finds this source tree and the scripts of these tests; None takes one out."""
    path = os.pathsep.join(filter(None, [str(ROOT), str(TRUST), os.environ.get("PYTHONPATH", "")]))
    every = {**os.environ, "PYTHONPATH": path, **changes}
    return {name: str(value) for name, value in every.items() if value is not None}


def run_script(*arguments, folder=ROOT, timeout=HANG, **changes):
    """Run Python on a script, as `subprocess.run` does, and return what it wrote; it must end well."""
    process = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, env=environment(**changes), capture_output=True, text=True,
        timeout=timeout, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    return process


@contextlib.contextmanager
def started_script(*arguments, **changes):
    """Start Python on a script; what is still running when the block ends is killed."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=environment(**changes), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def files_below(folder):
    """Paths, relative to `folder`, of all files below it."""
    return sorted(str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file())
