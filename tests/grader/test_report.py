"""The report, and the command line."""

import ast
import pathlib
import subprocess
import sys

import pytest

from mininet import __main__ as command_line
from mininet.grader import exact_promises, float_promises, grade, template
from mininet.grader.contract import ARGUMENTS

HERE = pathlib.Path(__file__).parent
RIGHT = HERE / "right.py"


@pytest.fixture
def wrong(tmp_path):
    """A right implementation in floats, but for the inverse."""
    path = tmp_path / "mine.py"
    path.write_text(RIGHT.read_text().split("# Exact:")[0] + (HERE / "wrong" / "not_divided_by_gamma.py").read_text())
    return path


def test_a_wrong_implementation(wrong, capsys):
    report = grade(wrong)
    printed = capsys.readouterr().out
    assert printed == f"{report}\n"
    assert (
        """\
kept    forward: x_N and v_N follow equation 2: v <- gamma v + (1 - gamma) f(x), then x <- x + v
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
    assert max(map(len, printed.splitlines())) <= 110


def test_a_cause_is_told_once(capsys):
    names = {}
    exec((HERE / "wrong" / "s_is_p_alone.py").read_text(), names)
    grade(names)
    printed = capsys.readouterr().out
    assert printed.count("s is p alone") == 1
    assert printed.count("the same as for 'gradients'") == 3
    assert "to do   forward: forward is not there\n" in printed


def test_what_came_is_told_once(capsys):
    def forward(functions, gamma, x, v):
        raise TypeError("as it is")

    grade({"forward": forward})
    printed = capsys.readouterr().out
    assert printed.count("forward raised TypeError: as it is") == 1
    assert printed.count("came: the same as for 'forward'\n") == 4
    assert printed.count("smallest example") == 1


def test_ctrl_c_tells_where_it_hung(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def forward(functions, gamma, x, v):\n    raise KeyboardInterrupt\n")
    assert command_line.main(["grade", str(tmp_path / "mine.py")]) == 130
    assert capsys.readouterr().out == "stopped while 'forward' was tried (line 2: raise KeyboardInterrupt)\n"


def test_a_right_implementation(capsys):
    assert grade(RIGHT).all_kept
    promises = len(float_promises.PROMISES) + len(exact_promises.PROMISES)
    assert capsys.readouterr().out.endswith(f"\nright.py: all {promises} promises kept\n")


def test_exact_arithmetic_is_graded_when_it_has_begun_or_is_asked_for(tmp_path):
    template_file = tmp_path / "mine.py"
    template_file.write_text(pathlib.Path(template.__file__).read_text())
    floats, exact = len(float_promises.PROMISES), len(exact_promises.PROMISES)
    assert len(grade(template_file).outcomes) == floats
    assert len(grade(template_file, exact=True).outcomes) == floats + exact
    only_exact = {"forward_exact": lambda functions, n, d, x, v: (x, v)}
    assert len(grade(only_exact).outcomes) == exact


def test_the_template_has_stubs_for_the_whole_contract(capsys):
    tree = ast.parse(pathlib.Path(template.__file__).read_text())
    stubs = {
        each.name: tuple(argument.arg for argument in each.args.args)
        for each in tree.body
        if isinstance(each, ast.FunctionDef)
    }
    assert stubs == ARGUMENTS
    report = grade(template, exact=True)
    assert {outcome.status for outcome in report.outcomes} == {"to do"}


# The command line


def test_grade_on_the_command_line(wrong, capsys):
    assert command_line.main(["grade", str(RIGHT)]) == 0
    assert "promises kept" in capsys.readouterr().out
    assert command_line.main(["grade", str(wrong)]) == 1
    assert "likely cause: v was not divided by gamma" in capsys.readouterr().out


def test_exact_can_be_asked_for(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def forward(functions, gamma, x, v):\n    return x, v\n")
    command_line.main(["grade", str(tmp_path / "mine.py")])
    assert "exact" not in capsys.readouterr().out
    command_line.main(["grade", str(tmp_path / "mine.py"), "--exact"])
    assert "to do   exact inversion: forward_exact is not there" in capsys.readouterr().out


def test_the_template_is_written_but_never_over_a_file(tmp_path, capsys):
    path = tmp_path / "mine.py"
    assert command_line.main(["grade", "--template", str(path)]) == 0
    assert f"python -m mininet grade {path}" in capsys.readouterr().out
    assert f"python -m mininet grade {path}\n" in path.read_text()
    assert command_line.main(["grade", str(path)]) == 1
    path.write_text("mine")
    with pytest.raises(SystemExit, match=r"mininet: cannot write .*: File exists"):
        command_line.main(["grade", "--template", str(path)])
    assert path.read_text() == "mine"


def test_what_cannot_be_loaded_is_told_without_a_traceback(tmp_path):
    (tmp_path / "mine.py").write_text("def forward(:")
    with pytest.raises(SystemExit, match=r"mininet: mine\.py is not Python: line 1"):
        command_line.main(["grade", str(tmp_path / "mine.py")])


@pytest.mark.parametrize("options", [[], ["a.py", "--template", "b.py"]])
def test_a_file_or_the_template(options, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["grade", *options])
    assert stopped.value.code == 2
    assert "--template" in capsys.readouterr().err


# pytest --implementation


def pytest_run(path):
    command = [sys.executable, "-m", "pytest", str(HERE), f"--implementation={path}", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, check=False)


def test_pytest_runs_the_suite_on_a_file(wrong):
    finished = pytest_run(wrong)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "1 failed, 10 passed" in finished.stdout
    assert "likely cause: v was not divided by gamma" in finished.stdout
    assert "test_promise_is_kept[inversion]" in finished.stdout
    assert "Traceback" not in finished.stdout
    assert "def test_" not in finished.stdout  # nobody's source code


def test_pytest_says_what_cannot_be_loaded(tmp_path):
    (tmp_path / "mine.py").write_text("def forward(:")
    finished = pytest_run(tmp_path / "mine.py")
    assert finished.returncode == 1
    assert "mine.py is not Python: line 1: invalid syntax" in finished.stdout
