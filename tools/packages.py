"""Build the wheel and the source distribution, and try them as somebody would who has nothing else.

    python tools/packages.py                                       # build both into dist/, look at what is in them, and
                                                                   # run the quick tests with each, freshly installed
    python tools/packages.py --only wheel --constraint requirements-lowest.txt
    python tools/packages.py --only wheel --python python3.14 -- -m "not slow"      # these tests, in that Python

The tests come from the unpacked source distribution.  In the place of the package that is in it stands a link to the
one that was installed (or a copy), so that this is what they import, run and read, whichever way they find it.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
QUICK = ["-m", "not slow", "--few", "2", "--numprocesses", "2"]


def run(*command, **options):
    """Run a command, which must succeed; returns what it printed if that is captured."""
    print("$", *command, flush=True)
    return subprocess.run(list(map(str, command)), check=True, text=True, **options).stdout


def build(folder):
    """Build both into `folder`, the wheel from the source distribution; returns their paths."""
    for old in folder.glob("momentum_mininet-*"):
        old.unlink()
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, stdout=subprocess.DEVNULL)
    (wheel,), (source,) = folder.glob("momentum_mininet-*.whl"), folder.glob("momentum_mininet-*.tar.gz")
    return wheel, source


def check_contents(wheel, source):
    """Both must hold what git has, and nothing else but their metadata."""
    if not (ROOT / ".git").exists():
        print("contents not checked: there is no git to compare them with")
        return
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    known = run(*listing, cwd=ROOT, stdout=subprocess.PIPE).split("\0")
    known = {name for name in known if name and (ROOT / name).exists()}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if ".dist-info/" not in name}
    with tarfile.open(source) as archive:
        in_source = {entry.name.partition("/")[2] for entry in archive if entry.isfile()}
    in_source = {name for name in in_source - {"PKG-INFO", "setup.cfg"} if ".egg-info/" not in name}
    for path, found, expected in (
        (wheel, in_wheel, {name for name in known if name.startswith("mininet/")}),
        (source, in_source, known),
    ):
        if found != expected:
            raise SystemExit(f"{path.name} lacks {sorted(expected - found)} and has also {sorted(found - expected)}")
        print(f"{path.name}: {len(found)} files, {path.stat().st_size / 2**20:.1f} MiB")


def program(environment, name):
    """Where an environment keeps this program."""
    return environment / (f"Scripts/{name}.exe" if sys.platform == "win32" else f"bin/{name}")


def try_package(package, source, python, constraint, tests):
    """Install `package` into a fresh environment, and run the tests of the source distribution there."""
    with tempfile.TemporaryDirectory(prefix="mininet-") as temporary:
        folder, environment = pathlib.Path(temporary, "unpacked"), pathlib.Path(temporary, "environment")
        run(python, "-m", "venv", environment)
        own, installed = program(environment, "python"), environment.resolve()
        run(own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{package}[test,data]",
            *(["--constraint", constraint] if constraint else []))  # fmt: skip
        with tarfile.open(source) as archive:
            archive.extractall(folder, filter="data")
        (folder,) = folder.iterdir()
        place = run(own, "-c", "import mininet; print(mininet.__file__)", cwd=temporary, stdout=subprocess.PIPE).strip()
        if installed not in pathlib.Path(place).resolve().parents:
            raise SystemExit(f"mininet is {place}, which is not in {installed}")
        shutil.rmtree(folder / "mininet")
        try:
            (folder / "mininet").symlink_to(pathlib.Path(place).parent)
        except OSError:  # Windows lets administrators alone make links
            shutil.copytree(pathlib.Path(place).parent, folder / "mininet")
        run(program(environment, "mininet"), "info", cwd=temporary)
        run(own, "-m", "mininet", "--version", cwd=temporary)
        run(program(environment, "pytest"), *tests, cwd=folder)


def main():
    """Build, look, try."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "dist", help="where the packages go")
    parser.add_argument("--only", choices=("wheel", "source"), help="which one to try (default: both)")
    parser.add_argument("--python", default=sys.executable, help="to make the environments with")
    parser.add_argument("--constraint", type=pathlib.Path, help="a file with versions for pip")
    parser.add_argument("tests", nargs="*", default=QUICK, help="arguments of pytest, after --")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    packages = dict(zip(("wheel", "source"), build(arguments.folder.resolve()), strict=True))
    check_contents(*packages.values())
    for kind, package in packages.items():
        if arguments.only in (None, kind):
            constraint = arguments.constraint and arguments.constraint.resolve()
            try_package(package, packages["source"], arguments.python, constraint, arguments.tests)


if __name__ == "__main__":
    main()
