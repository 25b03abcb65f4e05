"""Promise: a full disk costs what was to be written, and nothing else.

Whatever mininet writes (checkpoints, curves, weights, figures, animations, tables, pages, the site, templates,
downloads, unpacked archives) is written beside the old file and takes its place when it is whole.  On a full disk an
OSError says so and names the file; the old one is as it was, and nothing half-written is left.  A download keeps what
has come, in a file ending in .part, and goes on from there when there is room.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.animation import FuncAnimation
from support import ROOT, normal
from trust_support import HANG, environment, files_below

import mininet.__main__ as command_line
from mininet import grader, manual_seed, models, nn, optim, plotting
from mininet.course.site.build import build
from mininet.datasets import Batches, download
from mininet.experiments import reproduce
from mininet.experiments.claim import Claim, Options, Report
from mininet.files import written_atomically
from mininet.training import CHECKPOINT, CURVES, FIGURE, Training

resource = pytest.importorskip("resource")

FULL = {errno.ENOSPC, errno.EFBIG}
MANY = 2**15
KIND = os.environ.get("FULL_DISK", "limited")  # or "small"


class Limited:
    """A disk on which no file may have more than some bytes, for this process."""

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def full(self, left):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))  # Python ignores the signal that comes with it
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Small:
    """A file system in memory of a few megabytes, of which a file takes all but some bytes."""

    SIZE = 2**23

    def __init__(self, folder):
        self.folder = folder / "small"
        self.folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}", "none", str(self.folder)], check=True)

    @contextlib.contextmanager
    def full(self, left):
        filler = self.folder / "filler"
        filler.write_bytes(b"")
        found = os.statvfs(self.folder)
        with open(filler, "wb") as file:
            file.write(b"x" * max(0, found.f_bavail * found.f_frsize - left))
        try:
            yield
        finally:
            filler.unlink()

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    if KIND == "limited":
        yield Limited(tmp_path)
        return
    made = Small(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.skipif(KIND == "small", reason="starts itself")
def test_all_of_this_on_a_small_file_system(tmp_path):
    """In a name space of its own, where it may be mounted, and from which it is gone with the process."""
    alone = ["unshare", "--map-root-user", "--mount"]
    attempt = [*alone, "mount", "-t", "tmpfs", "none", str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run(attempt, capture_output=True, check=False).returncode:
        pytest.skip("needs to be allowed to mount")
    command = [*alone, sys.executable, "-m", "pytest", __file__, "-q", "-p", "no:cacheprovider"]
    process = subprocess.run(
        [*command, f"--basetemp={tmp_path / 'inner'}"], env=environment(FULL_DISK="small"), cwd=ROOT,
        capture_output=True, text=True, timeout=HANG, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    assert int(re.search(r"(\d+) passed", process.stdout)[1]) > 30


# Writers: callables (folder, variant) that leave another content for each variant; whole afterwards or as before


def net(variant):
    manual_seed(variant)
    return nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 3))


def training(folder, variant):
    one, images, labels = net(variant), normal((12, 64), np.float32), np.arange(12) % 3
    batches = Batches(images, labels, 6)
    return Training(one, optim.SGD(one.parameters(), 0.1), None, batches, batches, 1, folder, progress=False)


def checkpoint(folder, variant):
    training(folder, variant).save()


def weights(folder, variant, ending="npz"):
    models.save_pytorch_state_dict(net(variant), folder / f"weights.{ending}")


def safetensors(folder, variant):
    weights(folder, variant, "safetensors")


def drawn(variant):
    made, axes = pyplot.subplots()
    axes.plot(normal(100, seed=variant))
    return made


def figure(folder, variant, ending="png"):
    made = drawn(variant)
    try:
        plotting.save(made, folder / f"figure.{ending}")
    finally:
        pyplot.close(made)


def vector_figure(folder, variant):
    figure(folder, variant, "svg")


def animation(folder, variant):
    made, axes = pyplot.subplots(figsize=(1, 1))
    (line,) = axes.plot(normal(3, seed=variant))
    try:
        plotting.save_animation(FuncAnimation(made, lambda frame: (line,), frames=2), folder / "animation.gif")
    finally:
        pyplot.close(made)


def json_facts(folder, variant):
    with written_atomically(folder / "facts.json") as path:
        path.write_text(json.dumps([variant] * MANY))


WRITERS = {
    each.__name__: each for each in (checkpoint, weights, safetensors, figure, vector_figure, animation, json_facts)
}


def contents(folder):
    return {name: (folder / name).read_bytes() for name in files_below(folder) if name != "filler"}


@pytest.mark.parametrize("left", [0, 4096])
@pytest.mark.parametrize("old", [True, False], ids=["replacing", "new"])
@pytest.mark.parametrize("name", WRITERS)
def test_what_stood_there_is_intact_and_nothing_half_is_left(disk, name, old, left):
    write = WRITERS[name]
    (disk.folder / "elsewhere").mkdir()
    write(disk.folder / "elsewhere", 1)  # loads fonts and the like, and shows that it works
    (written,) = contents(disk.folder / "elsewhere")
    if name == "animation":
        left = 0  # it is small
    if old:
        write(disk.folder, 1)
    before = contents(disk.folder)
    with disk.full(left), pytest.raises(OSError) as raised:
        write(disk.folder, 2)
    assert raised.value.errno in FULL
    assert str(disk.folder / written) in str(raised.value)
    assert contents(disk.folder) == before
    write(disk.folder, 2)
    assert set(contents(disk.folder)) == set(before) | {written}
    assert contents(disk.folder)[written] != before[f"elsewhere/{written}"]


def test_a_training_stops_with_a_message_and_goes_on_from_its_last_checkpoint(disk):
    one = training(disk.folder, 1)
    one.save()
    with disk.full(4096), pytest.raises(OSError, match=CHECKPOINT) as raised:
        one.run()
    assert raised.value.errno in FULL
    assert list(contents(disk.folder)) == [CHECKPOINT]
    again = training(disk.folder, 1)
    assert again.resume()
    again.run()
    assert sorted(contents(disk.folder)) == sorted([CHECKPOINT, CURVES, FIGURE])


def test_a_page_of_an_experiment(disk, monkeypatch, capsys):
    class Experiment:
        """What it is about."""

        @staticmethod
        def reproduce(options):
            return Report("numbers " * MANY, [Claim("1 is 1", "1", True)], {"drawn": drawn(1)}, {})

    monkeypatch.setattr(reproduce, "EXPERIMENTS", {"one": (Experiment,)})
    reproduce.run("one", Options(disk.folder, progress=False))
    before = contents(disk.folder)
    assert sorted(before) == ["drawn.png", "one.md"]
    (disk.folder / "one.md").unlink()
    with disk.full(100_000), pytest.raises(OSError, match=r"one\.md") as raised:
        reproduce.run("one", Options(disk.folder, progress=False))
    assert raised.value.errno in FULL
    assert list(contents(disk.folder)) == ["drawn.png"]
    pyplot.close("all")


def test_a_template_for_the_grader(disk):
    path = disk.folder / "mine.py"
    with disk.full(0), pytest.raises(OSError, match=r"mine\.py") as raised:
        grader.write_template(path)
    assert raised.value.errno in FULL
    assert not contents(disk.folder)
    grader.write_template(path)
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        grader.write_template(path)
    assert path.read_text() == "mine"


def test_the_site(disk):
    output = disk.folder / "site"
    output.mkdir()
    with disk.full(2**17), pytest.raises(OSError) as raised:
        build(ROOT, output)
    assert raised.value.errno in FULL
    assert "site" in str(raised.value)
    assert not contents(disk.folder)
    assert [path.name for path in disk.folder.iterdir()] == ["site"]


DATA = normal(2**16).tobytes()


def test_a_download_is_kept_as_far_as_it_came_and_goes_on(disk, server):
    server.files["/data.bin"] = DATA
    sha256, path = hashlib.sha256(DATA).hexdigest(), disk.folder / "data.bin"
    path.write_bytes(b"old")
    with disk.full(2**18), pytest.raises(OSError, match=r"data\.bin") as raised:
        download.download(server.url("/data.bin"), path, sha256, progress=False)
    assert raised.value.errno in FULL
    assert len(server.requests) == 1  # a full disk is not tried again
    found = contents(disk.folder)
    assert found.pop("data.bin") == b"old"
    assert set(found) <= {"data.bin.part"}
    assert all(DATA.startswith(part) for part in found.values())
    download.download(server.url("/data.bin"), path, sha256, progress=False)
    assert contents(disk.folder) == {"data.bin": DATA}


def test_an_archive_is_unpacked_as_a_whole_or_not_at_all(disk):
    archive = disk.folder / "set.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for number in range(3):
            member = tarfile.TarInfo(f"set/{number}.bin")
            member.size = len(DATA)
            tar.addfile(member, io.BytesIO(DATA))
    with disk.full(len(DATA) // 2), pytest.raises(OSError, match=r"set/\d\.bin") as raised:
        download.extract(archive, disk.folder, "set")
    assert raised.value.errno in FULL
    assert list(contents(disk.folder)) == ["set.tar.gz"]
    assert [path.name for path in disk.folder.iterdir()] == ["set.tar.gz"]
    download.extract(archive, disk.folder, "set")
    assert len(contents(disk.folder)) == 4


@pytest.mark.slow
def test_the_command_line_says_so_in_a_line(disk, capsys):
    options = ["train", "--dataset", "digits", "--epochs", "1", "--batch-size", "512", "--quiet", "--output"]
    with disk.full(4096), pytest.raises(SystemExit) as raised:
        command_line.main([*options, str(disk.folder)])
    assert str(raised.value).startswith("mininet: ")
    assert os.strerror(errno.ENOSPC) in str(raised.value) or os.strerror(errno.EFBIG) in str(raised.value)
    assert CHECKPOINT in str(raised.value)
    assert not contents(disk.folder)


@pytest.mark.parametrize("command", [["compare", "--depth", "1", "--epochs", "1"], ["train"]])
def test_results_that_cannot_be_written_at_the_end_are_an_error_in_a_line(command, tmp_path, monkeypatch):
    """The last files of a command, after its work; the disk is full for those only."""

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "the file")

    if command[0] == "train":
        command = ["train", "--dataset", "digits", "--epochs", "1", "--batch-size", "1437"]
        monkeypatch.setattr(command_line.models, "save_pytorch_state_dict", full)
    else:
        monkeypatch.setattr(command_line.comparing, "compare", full)
    with pytest.raises(SystemExit, match=f"mininet: .*{os.strerror(errno.ENOSPC)}.*the file"):
        command_line.main([*command, "--quiet", "--output", str(tmp_path)])


def test_no_writer_goes_around_this():
    """Whatever opens a file to write is `written_atomically`, or one of those tested above."""
    others = {
        "files.py", "models/safetensors.py", "training.py", "course/site/build.py", "datasets/download.py",
    }  # fmt: skip
    package = pathlib.Path(command_line.__file__).parent
    for path in package.rglob("*.py"):
        if path.relative_to(package).as_posix() not in others:
            text = path.read_text(encoding="utf-8")
            for call in ("write_bytes(", 'open(path, "w', 'open(path, "x', "np.save"):
                assert call not in text or "written_atomically(" in text, (path, call)
