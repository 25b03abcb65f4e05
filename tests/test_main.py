"""The command line: options are checked, results are whole or absent."""

import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command_support import refusal

from mininet import __main__ as command_line
from mininet import models
from mininet.datasets import digits
from mininet.experiments import machine, reproduce, step_profile
from mininet.experiments.claim import Claim, Report
from mininet.experiments.compare import comparison
from mininet.experiments.images import image_training

SMALL = ["compare", "--quiet", "--depth", "2", "--width", "4", "--epochs", "1", "--batch-size", "1437"]


@pytest.fixture
def quick(monkeypatch):
    """Measure memory at small depths only."""
    compare = comparison.compare
    monkeypatch.setattr(comparison, "compare", lambda settings, progress: compare(settings, (1, 2), progress))


def test_without_a_command_there_is_help_with_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        command_line.main([])
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert printed.startswith("usage: mininet ")
    assert len(re.findall("^  mininet (?:compare|reproduce|grade) ", printed, re.MULTILINE)) == 3


def test_the_help_loads_no_figures_and_no_experiments():
    code = "import sys; from mininet.__main__ import _parser; _parser(['--help'])[0].format_help(); print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout.split())
    assert "mininet.__main__" in loaded
    assert not loaded & {"matplotlib", "mininet.experiments", "mininet.course", "mininet.training"}


@pytest.mark.slow
def test_compare_prints_a_table_and_saves_results(quick, tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert command_line.main([*SMALL, "--output", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "test accuracy" in printed
    assert "0 bits" in printed
    assert sorted(path.name for path in folder.iterdir()) == ["compare.json", "compare.png"]
    results = json.loads((folder / "compare.json").read_text())
    assert results["settings"]["width"] == 4
    assert results["runs"]["stored"]["seconds_per_step"] is None  # a single step is not timed


def test_output_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "compare.png").mkdir()
    for output, name in ((tmp_path / "file", "file"), (tmp_path, "compare.png")):
        assert name in refusal([*SMALL, "--output", output])
    assert (tmp_path / "file").read_text() == "mine"


def test_info_does_not_profile_unless_told_to(capsys, monkeypatch):
    monkeypatch.setattr(step_profile, "profile_steps", None)
    assert command_line.main(["info"]) == 0
    printed = capsys.readouterr().out
    assert "NumPy" in printed
    assert "threads" in printed
    assert "memory-free" not in printed


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_fit_the_terminal(terminal, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((40, 24)))
    assert command_line.main(["info"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert (max(map(len, printed)) <= 40) == terminal
    assert len(printed) == 3 or terminal


PROFILED = ["info", "--profile", "--depth", "2", "--width", "4", "--batch-size", "3", "--size", "8"]


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_info_can_say_where_the_time_of_a_step_goes(arithmetic, capsys):
    assert command_line.main([*PROFILED, "--arithmetic", arithmetic]) == 0
    printed = capsys.readouterr().out
    for name in ("conv2d, backward", "optimizer step"):
        assert name in printed
    assert printed.splitlines()[-1].split()[0] == "total"


@pytest.mark.parametrize(("terminal", "quiet"), [(True, []), (True, ["--quiet"]), (False, [])])
def test_progress_is_shown_on_a_terminal_alone(terminal, quiet, tmp_path, monkeypatch, small_commands):
    seen = []
    monkeypatch.setattr(Experiment, "reproduce", lambda options: seen.append(options.progress) or Report("", []))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert command_line.main([*COMMANDS["reproduce"], *quiet]) == 0
    assert seen == [terminal and not quiet]


class Experiment:
    """About γ."""

    @staticmethod
    def reproduce(options):
        return Report("γ is √2", [Claim("λ is 1", "1 ± 0", True)])


COMMANDS = {
    "info": ["info"],
    "grade": ["grade", "mine.py"],
    "template": ["grade", "--template", "template.py"],
    "reproduce": ["reproduce", "ode", "--output", "."],
    "evaluate": ["evaluate", "--dataset", "digits", "--weights", "weights.npz"],
}


@pytest.fixture
def small_commands(tmp_path, monkeypatch):
    """`COMMANDS` print letters beyond ASCII, and have what they need in the present folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.npz").touch()
    (tmp_path / "mine.py").write_text(
        'def forward(functions, gamma, x, v):\n    raise ValueError("γ")', encoding="utf-8"
    )
    monkeypatch.setattr(machine, "in_words", lambda _: "γ")
    monkeypatch.setattr(reproduce, "EXPERIMENTS", {"ode": (Experiment,)})
    monkeypatch.setattr(image_training, "evaluate", lambda *_: np.eye(2, dtype=int))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("command", COMMANDS)
def test_letters_that_the_output_does_not_have_are_replaced(command, encoding, small_commands, tmp_path, monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding))
    assert command_line.main(COMMANDS[command]) == (command == "grade")
    assert printed.getvalue()
    assert (b"?" in printed.getvalue()) == (command in ("info", "grade", "reproduce"))
    if command == "reproduce":
        assert "γ is √2" in (tmp_path / "ode.md").read_text(encoding="utf-8")


class Closed(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_pipe_ends_every_command_quietly(command, small_commands, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    assert command_line.main(COMMANDS[command]) == 141
    assert capsys.readouterr().err == ""


def test_nothing_is_said_at_the_end_of_python_either():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run([sys.executable, "-m", "mininet", "info"], stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_in_training_leaves_no_broken_file(tmp_path):
    on_a_terminal = "import sys, mininet.__main__ as c; sys.stderr.isatty = lambda: True; sys.exit(c.main())"
    command = [sys.executable, "-c", on_a_terminal, "compare", "--epochs", "1000", "--output", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while "loss=" not in (line := process.stderr.read(64)):  # the progress bar says that training is under way
            assert line, "the command ended by itself"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_training_that_diverges_is_an_error_with_advice(quick, tmp_path):
    fast = ["--batch-size", "32", "--learning-rate", "9.9"]
    assert refusal([*SMALL, *fast, "--output", tmp_path]).endswith("try a smaller --learning-rate")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_networks(monkeypatch):
    for name, kind in (("resnet20", models.CifarResNet), ("revnet20", models.CifarRevNet)):
        monkeypatch.setattr(models, name, lambda classes=10, kind=kind: kind(2, classes, width=4))


TRAIN = ["train", "--dataset", "digits", "--epochs", "1", "--batch-size", "512", "--quiet"]


@pytest.mark.slow
def test_train_writes_a_checkpoint_and_curves_and_can_go_on(small_networks, tmp_path, capsys):
    assert command_line.main([*TRAIN, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "test accuracy 0." in printed
    assert "after 1 epoch\n" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.npz", "curves.csv", "curves.png", "weights.npz",
    ]  # fmt: skip
    assert "has a checkpoint: go on from it with --resume" in refusal([*TRAIN, "--output", tmp_path])
    assert command_line.main([*TRAIN, "--output", str(tmp_path), "--resume"]) == 0
    assert "going on after 1 epoch\n" in capsys.readouterr().out
    said = refusal([*TRAIN, "--output", tmp_path, "--resume", "--gamma", "0.9"])
    assert said.endswith("is from another training: gamma was None, is now 0.9")


EVALUATE = ["evaluate", "--dataset", "digits"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--gamma", "0.9"], ["--network", "revnet20"]], ids=" ".join)
def test_evaluate_scores_the_weights_that_train_wrote(options, small_networks, tmp_path, capsys):
    assert command_line.main([*TRAIN, *options, "--output", str(tmp_path)]) == 0
    (accuracy,) = re.findall(r"test accuracy (\S+),", capsys.readouterr().out)
    assert command_line.main([*EVALUATE, *options, "--weights", str(tmp_path / "weights.npz")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"test accuracy {accuracy}: ")
    assert printed.endswith(" of 360 images\n")
    with np.load(tmp_path / "weights.npz") as state:
        np.savez(tmp_path / "parallel.npz", **{f"module.{name}": array for name, array in state.items()})
    other = [*EVALUATE, *options, "--weights", str(tmp_path / "parallel.npz")]
    assert "prefix='module.'" in refusal(other)
    assert command_line.main([*other, "--prefix", "module."]) == 0
    assert capsys.readouterr().out == printed


def test_evaluate_writes_what_was_taken_for_what(small_networks, tmp_path, capsys):
    weights, file = tmp_path / "weights.npz", tmp_path / "confusion.json"
    models.save_pytorch_state_dict(models.resnet20(), weights)
    assert command_line.main([*EVALUATE, "--weights", str(weights), "--confusion", str(file)]) == 0
    written = json.loads(file.read_text())
    counts = np.array(written["confusion"])
    assert written["dataset"] == "digits"
    assert counts.sum(axis=1).tolist() == np.bincount(digits().test_labels).tolist()
    assert f": {counts.trace()} of 360 images" in capsys.readouterr().out
    assert "missing" in refusal([*EVALUATE, "--weights", weights, "--confusion", tmp_path / "missing" / "a.json"])


@pytest.mark.slow
def test_weights_do_not_depend_on_the_way_of_backpropagation(small_networks, tmp_path, monkeypatch):
    chosen = []
    make = models.to_momentum
    monkeypatch.setattr(
        models, "to_momentum", lambda *args, **more: chosen.append(more["backprop"]) or make(*args, **more)
    )
    for way in ("reversible", "stored"):
        assert command_line.main([*TRAIN, "--gamma", "0.9", "--backprop", way, "--output", str(tmp_path / way)]) == 0
    assert chosen == ["reversible", "stored"]
    assert len({(tmp_path / way / "weights.npz").read_bytes() for way in chosen}) == 1


@pytest.mark.slow
def test_a_learned_velocity_is_not_written_as_a_residual_network(small_networks, tmp_path, capsys):
    assert command_line.main([*TRAIN, "--gamma", "0.9", "--learned-velocity", "--output", str(tmp_path)]) == 0
    assert not (tmp_path / "weights.npz").exists()
    assert "weights.npz" not in capsys.readouterr().out
