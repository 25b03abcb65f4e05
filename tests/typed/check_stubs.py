"""Do the stubs say what the code does?  ``python tests/typed/check_stubs.py`` asks mypy's stubtest.

The stubs are what mininet publishes of its types; the code itself has no annotations.  So stubtest sees a folder with
the stubs alone, and imports the code that they describe: names, parameters, defaults and kinds must agree.
"""

import os
import pathlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile

import mininet

PACKAGE = pathlib.Path(mininet.__file__).parent
PUBLISHED = {path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.pyi")}


def modules_without_stub() -> list[str]:
    """Those that are not published, and typing.py, whose annotations stubtest takes for definitions."""
    found: list[str] = []
    for module in pkgutil.walk_packages([str(PACKAGE)], "mininet."):
        path = pathlib.Path(*module.name.split("."))
        is_published = bool(PUBLISHED & {path.with_suffix(".pyi"), path / "__init__.pyi"})
        if not is_published and module.name.rpartition(".")[0] not in found:  # stubtest looks no deeper either
            found.append(module.name)
    return found


def main() -> int:
    """Run stubtest; returns its exit code."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for path in [*PUBLISHED, pathlib.Path("mininet/py.typed"), pathlib.Path("mininet/typing.py")]:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PACKAGE.parent / path, folder / path)
        (folder / "allowed").write_text("\n".join(rf"{re.escape(name)}(\..*)?" for name in modules_without_stub()))
        command = [sys.executable, "-m", "mypy.stubtest", "mininet", "--allowlist", str(folder / "allowed")]
        environment = {**os.environ, "MYPYPATH": str(folder)}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
