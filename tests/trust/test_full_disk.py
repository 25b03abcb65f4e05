"""Promise: a full disk costs what was to be written, and nothing else.

Whatever mininet writes (checkpoints, curves, weights, figures, animations, pages, unpacked archives) is
written beside the old file and takes its place when it is whole.  On a full disk an OSError says so and names the file;
the old one is as it was, and nothing half-written is left.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import pathlib
import re
import tarfile

import numpy as np
import pytest
from command_support import refusal
from matplotlib import pyplot
from matplotlib.animation import FuncAnimation
from support import normal
from trust_support import files_below

import mininet
from mininet import grader, manual_seed, models, nn, optim, plotting
from mininet.base.files import written_atomically
from mininet.datasets import Batches
from mininet.datasets.download import install
from mininet.experiments.compare import comparison
from mininet.training import CHECKPOINT, CURVES, FIGURE, Training

resource = pytest.importorskip("resource")


@contextlib.contextmanager
def full(left, match=""):
    """No file may have more than so many bytes, which is an OSError that says so."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))  # Python ignores the signal that comes with it
    try:
        with pytest.raises(OSError, match=match) as raised:
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.errno == errno.EFBIG


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


def weights(folder, variant):
    models.save_pytorch_state_dict(net(variant), folder / "weights.npz")


def safetensors(folder, variant):
    models.save_pytorch_state_dict(net(variant), folder / "weights.safetensors")


def drawn(variant):
    made, axes = pyplot.subplots(figsize=(1, 1))
    return made, axes.plot(normal(100, seed=variant))


def figure(folder, variant):
    plotting.save(drawn(variant)[0], folder / "figure.png")


def animation(folder, variant):
    made, lines = drawn(variant)
    plotting.save_animation(FuncAnimation(made, lambda frame: lines, frames=2), folder / "animation.gif")


def json_facts(folder, variant):
    with written_atomically(folder / "facts.json") as path:
        path.write_text(json.dumps([variant] * 2**15))


WRITERS = {each.__name__: each for each in (checkpoint, weights, safetensors, figure, animation, json_facts)}


@pytest.fixture(autouse=True)
def no_figures():
    yield
    pyplot.close("all")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in files_below(folder)}


@pytest.mark.parametrize(
    ("name", "old", "left"),
    [*((name, True, 0 if name in ("animation", "figure") else 4096) for name in WRITERS), ("json_facts", False, 0)],
)  # some are small
def test_what_stood_there_is_intact_and_nothing_half_is_left(tmp_path, name, old, left):
    write, folder, elsewhere = WRITERS[name], tmp_path / "here", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    write(elsewhere, 1)  # loads fonts and the like, and shows that it works
    (written,) = contents(elsewhere)
    if old:
        write(folder, 1)
    before = contents(folder)
    with full(left, str(folder / written)):
        write(folder, 2)
    assert contents(folder) == before
    write(folder, 2)
    assert list(contents(folder)) == [written]
    assert contents(folder)[written] != contents(elsewhere)[written]


def test_a_training_stops_with_a_message_and_goes_on_from_its_last_checkpoint(tmp_path):
    one = training(tmp_path, 1)
    one.save()
    with full(4096, CHECKPOINT):
        one.run()
    assert list(contents(tmp_path)) == [CHECKPOINT]
    again = training(tmp_path, 1)
    assert again.resume()
    again.run()
    assert sorted(contents(tmp_path)) == sorted([CHECKPOINT, CURVES, FIGURE])


def test_a_template_for_the_grader(tmp_path):
    path = tmp_path / "mine.py"
    with full(0, r"mine\.py"):
        grader.write_template(path)
    assert not contents(tmp_path)
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        grader.write_template(path)
    assert path.read_text() == "mine"


def test_an_archive_is_unpacked_as_a_whole_or_not_at_all(tmp_path):
    pytest.importorskip("pooch")
    archive, data = tmp_path / "set.tar.gz", normal(2**16).tobytes()
    with tarfile.open(archive, "w:gz") as tar:
        for number in range(3):
            member = tarfile.TarInfo(f"set/{number}.bin")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    about = "http://localhost/set.tar.gz", hashlib.sha256(archive.read_bytes()).hexdigest(), tmp_path, "set", False
    with full(len(data) // 2, "set"):
        install(*about)
    assert [path.name for path in tmp_path.iterdir()] == ["set.tar.gz"]
    install(*about)
    assert len(contents(tmp_path)) == 4


def test_results_that_cannot_be_written_at_the_end_are_an_error_in_a_line(tmp_path, monkeypatch):
    def no_room(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "the file")

    monkeypatch.setattr(comparison, "compare", no_room)
    said = refusal(["compare", "--depth", "1", "--epochs", "1", "--quiet", "--output", tmp_path])
    assert re.match(f"mininet: .*{os.strerror(errno.ENOSPC)}.*the file", said)


def test_no_writer_goes_around_this():
    """Whatever opens a file to write is `written_atomically`, or one of those tested above."""
    others = {
        "base/files.py", "base/npz.py", "models/safetensors.py", "datasets/download.py",
    }  # fmt: skip
    package = pathlib.Path(mininet.__file__).parent
    for path in package.rglob("*.py"):
        if path.relative_to(package).as_posix() not in others:
            text = path.read_text(encoding="utf-8")
            for call in ("write_bytes(", 'open(path, "w', 'open(path, "x', "np.save", "write_npz("):
                assert call not in text or "written_atomically(" in text, (path, call)
