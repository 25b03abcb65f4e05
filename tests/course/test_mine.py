"""``mine.py``: pieces are written when they are right, in the order of the course, and stand in for later chapters."""

import inspect
import linecache
import pathlib

import pytest

from mininet import __main__ as command_line
from mininet.course import COUNT, PIECES, keep, own, progress, take
from mininet.course.mine import Mine
from mininet.course.promises import BY_NAME, CHAPTER_PROMISES
from mininet.course.promises.mistakes import MISTAKES, with_mistake
from mininet.grader import try_promise

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


def run_cell(source, **others):
    """Run a cell as a kernel does, whose source linecache knows."""
    name = f"<cell {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names = {"keep": keep, **others}
    exec(compile(source, name, "exec"), names)
    return names


def test_a_right_piece_is_written_with_what_its_cell_defines(path, capsys):
    piece = run_cell(CELL)["multiply"]
    assert piece(-8, 0, 2, 3) == (-5, 0)
    assert capsys.readouterr().out == f"right: multiply, now in mine.py (2 of {COUNT} promises)\n"
    text = path.read_text(encoding="utf-8")
    assert text.endswith(f"{CELL.rsplit(chr(10) * 3, 1)[0]}\n".replace("import math\n\n\n\n", "import math\n\n\n"))
    assert "\n\n\n# %% 06: multiply (checked " in text
    keep(own.invert)  # an earlier chapter
    assert path.read_text(encoding="utf-8").index("%% 05: invert") < path.read_text(encoding="utf-8").index("%% 06")
    capsys.readouterr()
    assert take("multiply")(-8, 0, 2, 3) == (-5, 0)
    take("forward")
    assert capsys.readouterr().out == "multiply: yours, from mine.py\nforward: the course's own\n"
    progress()
    assert capsys.readouterr().out.endswith(f"mine.py: 4 of {COUNT} promises\n")


FORWARD = """def forward(functions, gamma, x, v):
    for f in functions:
        v = gamma * v + (1 - gamma) * f(x)
        x = {}
    return x, v
"""
ELSEWHERE = "which is not in this cell: define it here"


@pytest.mark.parametrize(
    ("begin", "moved", "end", "said"),
    [
        ("", "moved(x, v)", "", f"not yet: forward uses `moved`, {ELSEWHERE}"),
        ("moved = take('moved')\n", "moved(x, v)", "", f"not yet: forward uses `moved`, {ELSEWHERE}"),
        ("", "(lambda: x + SCALE * v)()", "", f"not yet: forward uses `SCALE`, {ELSEWHERE}"),
        ("", "through(x, v)", "def through(x, v):\n    return moved(x, v)\n", f"uses `moved`, {ELSEWHERE}"),
        ("", "x + v", "def helper(v):\n    return v\n", "`helper` is already in the section of 06: multiply"),
        ("ONE = 1\nSCALE = ONE * 1\n", "x + SCALE * v", "", "right: forward, now in mine.py"),
    ],
)
def test_a_piece_is_tried_as_it_stands_in_the_file(path, capsys, begin, moved, end, said):
    """The notebook's own names do not count, since the file must stand alone."""
    run_cell(CELL)
    before = path.read_text(encoding="utf-8")
    cell = f"{begin}\n\n{FORWARD.format(moved)}\n\n{end}\n\nforward = keep(forward)\n"
    run_cell(cell, moved=lambda x, v: x + v, SCALE=1, take=lambda name: lambda x, v: x + v)
    assert said in capsys.readouterr().out
    assert ("right" in said) == (path.read_text(encoding="utf-8") != before)


def test_progress_counts_no_piece_that_was_changed(path, capsys):
    keep(own.multiply)
    keep(own.invert)
    capsys.readouterr()
    path.write_text(path.read_text(encoding="utf-8").replace("/ gamma", "* gamma"), encoding="utf-8")
    keep(own.forward)
    progress()
    printed = capsys.readouterr().out
    assert f"mine.py: 4 of {COUNT} promises\nchanged since it was tried: 05: invert; run its cell again" in printed
    keep(own.invert)
    path.write_text(path.read_text(encoding="utf-8") + "def (", encoding="utf-8")
    progress()
    assert "mine.py is not Python: line " in capsys.readouterr().out


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


def test_the_courses_own_pieces_are_right_and_graded_by_chapter(path, capsys):
    """Those of 06 and 07 are kept in their notebooks."""
    for chapter in ("02", "04", "05"):
        for names, _ in CHAPTER_PROMISES[chapter]:
            keep(*(getattr(own, name) for name in names))
    printed = capsys.readouterr().out.splitlines()
    assert all(line.startswith("right: ") for line in printed), printed
    assert printed[-1].endswith(f"(11 of {COUNT} promises)")
    assert command_line.main(["grade", str(path), "--chapter", "05"]) == 0
    printed = capsys.readouterr().out
    assert "chapter 05\nkept    forward: " in printed
    assert printed.endswith(f"mine.py: kept 11 of the 11 promises up to chapter 05, {COUNT} in all\n")
    path.write_text(path.read_text(encoding="utf-8").replace("/ gamma", "* gamma"))
    assert command_line.main(["grade", str(path), "--chapter", "05"]) == 1
    assert capsys.readouterr().out.endswith(f"promises up to chapter 05, {COUNT} in all; 1 BROKEN\n")


def test_pieces_are_found_by_chapter():
    assert PIECES["05"] == ("forward", "invert")
    assert COUNT == 33


ADDED = "gradients[slot] = gradients[slot] + share if slot in gradients else share"
ADDED_IN_PLACE = "gradients[slot] = gradients[slot].__iadd__(share) if slot in gradients else share"
KNOWN = {
    "stored_backward": "stored", "checkpointed_backward": "checkpointed", "multiply": "product undone",
    "spill_schedule": "spilling", "invert_exact": "exact inversion",
}  # fmt: skip
CHANGES = [  # a piece's promise, what replaces what in the course's own, and the likely cause
    *((KNOWN[name], *row) for name, rows in MISTAKES.items() for row in rows),
    ("matmul_vjp", "gradient @ b.T", "gradient @ b", "by 3 rows; saved has shapes (2, 3) and (3, 4)"),
    ("walk back", "gradients[slot] + share if slot in gradients else share", "share", "overwritten the first: add"),
    ("walk back", "        if output not in gradients:\n            continue\n", "", "skip a record whose output"),
    ("walk back", "gradients.pop(output)", "gradients[output]", "gradients.pop(output) looks up and removes"),
    ("walk back", ADDED, ADDED_IN_PLACE, "+= changes an array that another slot holds, too"),
    ("tanh_vjp", "y * y", "np.tanh(y) ** 2", "which outputs does it touch, and with what factor"),
    ("product undone", "b, v = b * den + v % den, v // den", "b, v[...] = b * den + v % den, v // den", "overwritten"),
    ("product", "return v, b", "return b, v", "return (v, b), in this order"),
    ("product undone", "v // den", "int(v / den)", "int(...) and math.floor(...) don't"),
    ("product undone", "v // den", "np.trunc(v / den).astype(int)", "only negative v are lost: int(v / den) rounds"),
    ("forward is clean", "x = x + v", "x += v", "x += v and x -= v write into the array that you were given"),
    ("invert is clean", "x = x - v", "x -= v", "x = x + v makes a new one"),
    ("invert is clean", ", replay=True", "", "on the way back, call f(x, replay=True)"),
    ("exact is clean", "x = x + v", "x += v", "x += v and x -= v write into"),
    ("exact is clean", ", replay=True", "", "on the way back, call f(x, replay=True)"),
    ("exact is clean", "    stack = list(stack)\n", "", "begin with stack = list(stack)"),
    ("spilling", "2**8", "2**16", "before each layer: while"),
    ("side information", ".astype(np.uint8)", "", "the stack holds bytes as int64: append"),
    ("same bits", "(den - num) / den * value", "(1 - gamma) * value", "two different floats"),
    ("digits", "-np.log(shares[rows, labels]).mean()", "-np.log(shares[rows, labels]).sum()", "summed over the batch"),
    ("digits", "by_scores @ head.T", "by_scores", "in the shape of x_N: by_scores @ head.T"),
    ("digits", "by_scores = shares", "by_scores = -shares", "its sign is wrong"),
    ("stored", "return dx, gradients", "return dx[:2], gradients", "dL/dx_0 must be numbers of shape (3, 4), came an"),
    ("checkpointed", "dx, gradients\n", "dx, gradients[1:]\n", "gradients must be a list of 1, came a list of 0"),
    ("walk back", "return gradients", "return {0: [4, 4], 1: 2}", "dy/dx must be a number, came a list of 2"),
    ("product", "return v, b", "return v", "what multiply returns must be a tuple of 2 (v, b), came -5"),
    ("product undone", "return v, b", "return v, None", "b must be numbers of shape (122,), came a NoneType"),
    ("spilling", "return schedule", "return None, schedule", "what spill_schedule returns must be numbers of shape"),
    ("digits", "return loss", "return None", "the loss must be a number, came a NoneType"),
    ("digits", "by_scores, gradients\n", "by_scores, gradients[::-1]\n", "come first in the list"),
]  # fmt: skip


def with_pieces(**written):
    mine = Mine(pathlib.Path("none"), **written)
    mine.yours = set(mine.names)
    return mine


@pytest.mark.parametrize(("promise", "right", "wrong", "cause"), CHANGES)
def test_mistakes_are_named(promise, right, wrong, cause):
    (names,) = (names for pieces in CHAPTER_PROMISES.values() for names, promises in pieces if promise in promises)
    name = next(name for name in names if right in inspect.getsource(getattr(own, name)))
    outcome = try_promise(BY_NAME[promise], with_pieces(**{name: with_mistake(name, right, wrong)}))
    assert cause in f"{outcome.came}; {outcome.cause}", str(outcome)


def test_a_training_step_is_not_blamed_for_what_it_calls():
    written = dict(vars(own))
    exec(inspect.getsource(own).replace("s = p + q", "s = p - q"), written)
    mine = with_pieces(**{name: written[name] for name in ("backward_exact", "training_step")})
    assert "backward_exact, which it calls, breaks its own promise" in try_promise(BY_NAME["digits"], mine).cause
