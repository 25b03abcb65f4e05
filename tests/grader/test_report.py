"""The report, and the command line."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest
from command_support import refusal

from mininet import __main__ as command_line
from mininet.grader import exact_promises, float_promises, grade, template
from mininet.grader.contract import ARGUMENTS

HERE = pathlib.Path(__file__).parent
RIGHT = HERE / "right.py"


@pytest.fixture
def wrong(tmp_path):
    """A right implementation in floats, but for the inverse."""
    path = tmp_path / "mine.py"
    floats = RIGHT.read_text(encoding="utf-8").split("# Exact:")[0]
    path.write_text(floats.replace("f(x, replay=True)) / gamma", "f(x, replay=True))"))
    return path


def test_a_wrong_implementation(wrong, capsys):
    report = grade(wrong)
    printed = capsys.readouterr().out
    assert printed == f"{report}\n"
    assert (
        """\
BROKEN  inversion: invert brings x_N and v_N back to x_0 and v_0, but for rounding errors
        smallest example: 1 layer, f(x) = -0.5 x, gamma = 0.9, x_0 = [1], v_0 = [0.25]; invert is given x_1 =
          [1.175], v_1 = [0.175]
        came: v_0 = 0.225, should be 0.25
        likely cause: v was not divided by gamma
kept    gradients: dL/dx_0 and the gradients by parameters are those of stored backpropagation
"""
        in printed
    )
    assert printed.endswith("\nmine.py: 10 of 11 promises kept, 1 BROKEN; begin with 'inversion'\n")
    assert not report.all_kept
    assert report["inversion"].cause == "v was not divided by gamma"
    assert repr(report) == f"<Report {report.summary}>"


def test_a_cause_is_told_once(capsys):
    names = {}
    exec(RIGHT.read_text(encoding="utf-8").replace("s = dx + dv", "s = dx"), names)
    grade({"backward": names["backward"]})
    printed = capsys.readouterr().out
    assert printed.count("s is p alone") == 1
    assert printed.count("the same as for 'gradients'") == 3
    assert "to do   forward: forward is not there\n" in printed


def test_ctrl_c_tells_where_it_hung(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def forward(functions, gamma, x, v):\n    raise KeyboardInterrupt\n")
    assert command_line.main(["grade", str(tmp_path / "mine.py")]) == 130
    assert capsys.readouterr().out == "stopped while 'forward' was tried (line 2: raise KeyboardInterrupt)\n"


def test_exact_arithmetic_is_graded_when_it_has_begun_or_is_asked_for():
    floats, exact = len(float_promises.PROMISES), len(exact_promises.PROMISES)
    assert len(grade(template).outcomes) == floats
    assert len(grade(template, exact=True).outcomes) == floats + exact
    only_exact = {"forward_exact": lambda functions, n, d, x, v: (x, v)}
    assert len(grade(only_exact).outcomes) == exact


def test_the_template_has_stubs_for_the_whole_contract(capsys):
    tree = ast.parse(pathlib.Path(template.__file__).read_text(encoding="utf-8"))
    stubs = {
        each.name: tuple(argument.arg for argument in each.args.args)
        for each in tree.body
        if isinstance(each, ast.FunctionDef)
    }
    assert stubs == ARGUMENTS
    report = grade(template, exact=True)
    assert {outcome.status for outcome in report.outcomes} == {"to do"}


# The command line


@pytest.mark.slow
def test_grade_on_the_command_line(wrong, capsys):
    assert command_line.main(["grade", str(RIGHT)]) == 0
    promises = len(float_promises.PROMISES) + len(exact_promises.PROMISES)
    assert capsys.readouterr().out.endswith(f"\nright.py: all {promises} promises kept\n")
    assert command_line.main(["grade", str(wrong)]) == 1


def test_the_template_is_written_but_never_over_a_file(tmp_path, capsys):
    path = tmp_path / "mine.py"
    assert command_line.main(["grade", "--template", str(path)]) == 0
    assert f"mininet grade {path}" in capsys.readouterr().out
    assert f"mininet grade {path}\n" in path.read_text(encoding="utf-8")
    assert command_line.main(["grade", str(path)]) == 1
    path.write_text("mine")
    assert re.match("mininet: cannot write .*: File exists", refusal(["grade", "--template", path]))
    assert path.read_text(encoding="utf-8") == "mine"


# pytest --implementation


@pytest.mark.slow
def test_pytest_runs_the_suite_on_a_file(wrong):
    command = [sys.executable, "-m", "pytest", str(HERE), f"--implementation={wrong}", "-p", "no:cacheprovider"]
    finished = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "1 failed, 10 passed" in finished.stdout
    assert "likely cause: v was not divided by gamma" in finished.stdout
    assert "test_promise_is_kept[inversion]" in finished.stdout
    assert "def test_" not in finished.stdout  # nobody's source code
