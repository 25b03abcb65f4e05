"""What the tests of `tests/trust` share."""

import pathlib

from support import run_python

TRUST = pathlib.Path(__file__).parents[1] / "trust"
HANG = 300
"""Seconds after which a process that should have ended long ago is taken to hang."""


def run_script(*arguments, timeout=HANG, **settings):
    """`run_python` on a script that must end well."""
    process = run_python(*arguments, timeout=timeout, **settings)
    assert process.returncode == 0, process.stdout + process.stderr
    return process


def files_below(folder):
    """Paths, relative to `folder`, of all files below it."""
    return sorted(str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file())
