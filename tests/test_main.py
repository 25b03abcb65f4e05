"""The command line: options are checked, results are whole or absent."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mininet import __main__ as command_line
from mininet import models
from mininet.datasets import digits

SMALL = ["compare", "--quiet", "--depth", "2", "--width", "4", "--epochs", "1", "--batch-size", "256"]


@pytest.fixture
def quick(monkeypatch):
    """Measure memory at small depths only."""
    compare = command_line.comparing.compare
    monkeypatch.setattr(
        command_line.comparing, "compare", lambda settings, progress: compare(settings, (1, 2), progress)
    )


def test_compare_prints_a_table_and_saves_results(quick, tmp_path, capsys):
    assert command_line.main([*SMALL, "--output", str(tmp_path / "new" / "folder")]) == 0
    printed = capsys.readouterr().out
    assert "test accuracy" in printed
    assert "0 bits" in printed
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["compare.json", "compare.png"]
    assert json.loads((tmp_path / "new" / "folder" / "compare.json").read_text())["settings"]["width"] == 4


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--depth", "0"),
        ("--depth", "2.5"),
        ("--width", "-1"),
        ("--gamma", "0"),
        ("--gamma", "1"),
        ("--gamma", "nan"),
        ("--gamma", "many"),
        ("--gamma", "0.99999999"),
        ("--arithmetic", "decimal"),
        ("--epochs", "0"),
        ("--batch-size", "1"),
        ("--batch-size", "2000"),
        ("--learning-rate", "-1"),
        ("--learning-rate", "inf"),
        ("--seed", "-1"),
        ("--seed", "x"),
    ],
)
def test_bad_options_are_refused_by_name(option, value, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["compare", option, value])
    assert stopped.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert option in message
    assert value in message


def test_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemExit, match="file"):
        command_line.main([*SMALL, "--output", str(tmp_path / "file")])
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["info", "--help"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(arguments)
    assert stopped.value.code == 0
    assert "usage: python -m mininet" in capsys.readouterr().out


def test_info(capsys):
    assert command_line.main(["info"]) == 0
    printed = capsys.readouterr().out
    assert "NumPy" in printed
    assert "threads" in printed


def test_info_does_not_profile_unless_told_to(capsys, monkeypatch):
    monkeypatch.setattr(command_line.step_profile, "profile_steps", None)
    assert command_line.main(["info"]) == 0
    assert "memory-free" not in capsys.readouterr().out


PROFILED = ["info", "--profile", "--depth", "2", "--width", "4", "--batch-size", "3", "--size", "8"]


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_info_can_say_where_the_time_of_a_step_goes(arithmetic, capsys):
    assert command_line.main([*PROFILED, "--arithmetic", arithmetic]) == 0
    printed = capsys.readouterr().out
    for name in (f"{arithmetic} momentum step", f"{arithmetic} step undone", "conv2d, backward", "optimizer step"):
        assert name in printed
    assert printed.splitlines()[-1].split()[0] == "total"


def test_info_passes_on_its_options(monkeypatch, capsys):
    given = {}
    monkeypatch.setattr(command_line.step_profile, "profile_steps", lambda **settings: given.update(settings))
    monkeypatch.setattr(command_line.step_profile, "table", lambda profiles: "the table")
    assert command_line.main([*PROFILED, "--arithmetic", "float"]) == 0
    assert given == {"depth": 2, "width": 4, "batch_size": 3, "size": 8, "arithmetic": "float"}
    assert capsys.readouterr().out == "the table\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--depth", "0"), ("--width", "x"), ("--batch-size", "0"), ("--size", "0"), ("--size", "1.5"),
     ("--arithmetic", "decimal")],
)  # fmt: skip
def test_bad_options_of_info_are_refused_by_name(option, value, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["info", "--profile", option, value])
    assert stopped.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert option in message
    assert value in message


def test_without_a_command_it_says_what_there_is(capsys):
    with pytest.raises(SystemExit):
        command_line.main([])
    assert "compare" in capsys.readouterr().err


def test_interruption_says_so_and_writes_nothing(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line.comparing, "compare", interrupted)
    assert command_line.main([*SMALL, "--output", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_in_training_leaves_no_broken_file(tmp_path):
    command = [sys.executable, "-m", "mininet", "compare", "--epochs", "1000", "--output", str(tmp_path)]
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


@pytest.mark.parametrize("name", ["compare.json", "compare.png"])
def test_output_that_cannot_be_replaced_is_refused_at_once(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(SystemExit, match=name):
        command_line.main([*SMALL, "--output", str(tmp_path)])


def test_training_that_diverges_is_an_error_with_advice(quick, tmp_path):
    with pytest.raises(SystemExit, match="smaller --learning-rate"):
        command_line.main([*SMALL, "--batch-size", "32", "--learning-rate", "9.9", "--output", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_a_single_step_is_not_timed(quick, tmp_path):
    assert command_line.main([*SMALL, "--batch-size", "1437", "--output", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "compare.json").read_text())["runs"]["stored"]["seconds_per_step"] is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*encountered in matmul:RuntimeWarning")
def test_floats_that_drift_out_of_sight_are_reported(quick, tmp_path, capsys):
    options = ["--arithmetic", "float", "--gamma", "0.05", "--depth", "40", "--output", str(tmp_path)]
    assert command_line.main([*SMALL, *options]) == 0
    assert "inf bits" in capsys.readouterr().out
    inversion = json.loads((tmp_path / "compare.json").read_text())["inversion"]
    assert inversion["float"]["position_errors"][0] is None  # infinite
    assert inversion["exact"]["bits"] == 0


def test_version(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["--version"])
    assert "mininet" in capsys.readouterr().out


# train

TRAIN = ["train", "--dataset", "digits", "--epochs", "1", "--batch-size", "512", "--quiet"]


def test_train_writes_a_checkpoint_and_curves_and_can_go_on(tmp_path, capsys):
    assert command_line.main([*TRAIN, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "test accuracy 0." in printed
    assert "after 1 epochs" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.npz", "curves.csv", "curves.png", "weights.npz",
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="has a checkpoint: go on from it with --resume"):
        command_line.main([*TRAIN, "--output", str(tmp_path)])
    assert command_line.main([*TRAIN, "--output", str(tmp_path), "--resume"]) == 0
    assert "going on after 1 epochs" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="is from another training"):
        command_line.main([*TRAIN, "--output", str(tmp_path), "--resume", "--gamma", "0.9"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weights", "missing.npz"], "missing.npz"),
        (["--weights", "pickled.pt"], "nothing is unpickled"),
        (["--dataset", "cifar10", "--data", "/nowhere"], "CIFAR-10 is not there"),
    ],
)
def test_train_says_what_is_wrong(options, message, tmp_path):
    with pytest.raises(SystemExit, match=f"mininet: .*{re.escape(message)}"):
        command_line.main([*TRAIN, *options, "--output", str(tmp_path)])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--network", "resnet21"), ("--gamma", "0"), ("--dataset", "mnist"), ("--weight-decay", "-1"),
        ("--normalization", "none"), ("--checkpoint-seconds", "-1"), ("--epochs", "many"),
    ],
)  # fmt: skip
def test_bad_options_of_train_are_refused_by_name(option, value, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["train", option, value])
    assert stopped.value.code == 2
    assert option in capsys.readouterr().err.splitlines()[-1]


# evaluate

EVALUATE = ["evaluate", "--dataset", "digits"]


@pytest.mark.parametrize("options", [[], ["--gamma", "0.9"], ["--network", "revnet20"]], ids=" ".join)
def test_evaluate_scores_the_weights_that_train_wrote(options, tmp_path, capsys):
    assert command_line.main([*TRAIN, *options, "--output", str(tmp_path)]) == 0
    (accuracy,) = re.findall(r"test accuracy (\S+),", capsys.readouterr().out)
    assert command_line.main([*EVALUATE, *options, "--weights", str(tmp_path / "weights.npz")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"test accuracy {accuracy}: ")
    assert printed.endswith(" of 360 images\n")


def test_evaluate_writes_what_was_taken_for_what(tmp_path, capsys):
    weights, file = tmp_path / "weights.npz", tmp_path / "confusion.json"
    models.save_pytorch_state_dict(models.resnet20(), weights)
    assert command_line.main([*EVALUATE, "--weights", str(weights), "--confusion", str(file)]) == 0
    written = json.loads(file.read_text())
    counts = np.array(written["confusion"])
    assert written["dataset"] == "digits"
    assert counts.sum(axis=1).tolist() == np.bincount(digits().test_labels).tolist()
    assert f": {counts.trace()} of 360 images" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="mininet: "):
        command_line.main([*EVALUATE, "--weights", str(weights), "--confusion", str(tmp_path / "missing" / "a.json")])


def test_a_learned_velocity_is_not_written_as_a_residual_network(tmp_path, capsys):
    assert command_line.main([*TRAIN, "--gamma", "0.9", "--learned-velocity", "--output", str(tmp_path)]) == 0
    assert not (tmp_path / "weights.npz").exists()
    assert "weights.npz" not in capsys.readouterr().out


def test_evaluate_says_what_is_wrong(tmp_path):
    with pytest.raises(SystemExit, match=r"mininet: .*missing\.npz"):
        command_line.main([*EVALUATE, "--weights", "missing.npz"])
    with pytest.raises(SystemExit):
        command_line.main(EVALUATE)
