"""``mine.py``: pieces are written when they are right, in the order of the course, and stand in for later chapters."""

import linecache

import pytest

from mininet import __main__ as command_line
from mininet.course import COUNT, PIECES, keep, own, progress, take
from mininet.course.promises import CHAPTER_PROMISES

HEAD = "def multiply(v, b, num, den):\n"
RIGHT = f"{HEAD}    b, v = b * den + v % den, v // den\n    v, b = helper(v, b, num)\n    return v, b\n"
CELL = f"""import math


{RIGHT}

def helper(v, b, num):
    return v * num + b % num, b // num


multiply = keep(multiply)
"""


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("MININET_MINE", str(tmp_path / "mine.py"))
    return tmp_path / "mine.py"


def run_cell(source):
    """Run a cell as a kernel does, whose source linecache knows."""
    name = f"<cell {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names = {"keep": keep}
    exec(compile(source, name, "exec"), names)
    return names


def test_a_right_piece_is_written_with_what_its_cell_defines(path, capsys):
    piece = run_cell(CELL)["multiply"]
    assert piece(-8, 0, 2, 3) == (-5, 0)
    assert capsys.readouterr().out == f"right: multiply, now in mine.py (2 of {COUNT} promises)\n"
    text = path.read_text(encoding="utf-8")
    assert text.endswith(
        f"# %% 06: multiply\n\n\n{CELL.rsplit(chr(10) * 3, 1)[0]}\n".replace("import math\n\n\n\n", "import math\n\n\n")
    )
    keep(own.invert)  # an earlier chapter
    assert path.read_text(encoding="utf-8").index("%% 05: invert") < path.read_text(encoding="utf-8").index("%% 06")
    capsys.readouterr()
    assert take("multiply")(-8, 0, 2, 3) == (-5, 0)
    take("forward")
    assert capsys.readouterr().out == "multiply: yours, from mine.py\nforward: the course's own\n"
    progress()
    assert capsys.readouterr().out.endswith(f"mine.py: 3 of {COUNT} promises\n")


def test_open_and_wrong_blanks_fall_back(path, capsys):
    assert run_cell(f"{HEAD}    ...\n\n\nmultiply = keep(multiply)\n")["multiply"] is own.multiply
    assert capsys.readouterr().out == "open: multiply; the course's own runs from here on\n"
    wrong = f"{HEAD}    return v * num // den, b\n\n\nmultiply = keep(multiply)\n"
    assert run_cell(wrong)["multiply"] is own.multiply
    printed = capsys.readouterr().out
    assert "came: v = -59, b = 1 came back as v = -60, b = 1\n" in printed
    assert printed.endswith("not yet: multiply; the course's own runs from here on\n")
    assert not path.exists()
    run_cell(CELL)
    assert run_cell(f"{HEAD}    ...\n\n\nmultiply = keep(multiply)\n")["multiply"] is not own.multiply
    assert capsys.readouterr().out.endswith("open: multiply; yours from mine.py runs from here on\n")


def test_a_file_that_is_not_python_does_not_stop_the_course(path, capsys):
    path.write_text("def multiply(:\n")
    assert take("multiply") is own.multiply
    assert "mine.py is not Python: line 1" in capsys.readouterr().out


def test_what_is_not_a_piece_is_refused():
    with pytest.raises(ValueError, match=r"functions must be a piece of the course \(tanh_vjp; .*, got print"):
        keep(print)


@pytest.mark.slow
def test_the_courses_own_pieces_keep_all_promises_and_are_graded_by_chapter(path, capsys):
    for pieces in CHAPTER_PROMISES.values():
        for names, _ in pieces:
            keep(*(getattr(own, name) for name in names))
    printed = capsys.readouterr().out.splitlines()
    assert all(line.startswith("right: ") for line in printed), printed
    assert printed[-1].endswith(f"({COUNT} of {COUNT} promises)")
    assert command_line.main(["grade", str(path), "--chapter", "05"]) == 0
    printed = capsys.readouterr().out
    assert "chapter 05\nkept    forward: " in printed
    assert printed.endswith(f"mine.py: 9 of {COUNT} promises kept\n")
    path.write_text(path.read_text(encoding="utf-8").replace("/ gamma", "* gamma"))
    assert command_line.main(["grade", str(path), "--chapter", "05"]) == 1
    assert capsys.readouterr().out.endswith(f"mine.py: 8 of {COUNT} promises kept, 1 BROKEN\n")


def test_pieces_are_found_by_chapter():
    assert PIECES["05"] == ("forward", "invert")
    assert COUNT == 30
