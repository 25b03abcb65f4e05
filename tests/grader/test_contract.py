"""What is no implementation, or returns something else than agreed, is told so in words."""

import pathlib
import re
import types

import numpy as np
import pytest

from mininet.grader import PROMISES, CannotLoad, load, try_promise
from mininet.grader.cases import small_cases, small_exact_cases
from mininet.grader.contract import Broken, NotWritten
from mininet.grader.report import grade

HERE = pathlib.Path(__file__).parent
CASE, EXACT_CASE = small_cases()[2], small_exact_cases()[3]  # two layers
ONE, TWO, WHOLE = np.zeros(1), np.zeros(2), np.zeros(1, np.int64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"def forward(:\n    pass", "mine.py is not Python: line 1: invalid syntax"),
        (b"a = 1\nb = a / 0", "ZeroDivisionError: division by zero (line 2: b = a / 0)"),
        (b"import sys\nsys.exit(3)", "SystemExit: 3"),
        (b"forwards = 1", "mine.py defines none of the functions forward, invert, backward, forward_exact"),
        (b"\xff\xfe\x00", "not a text in UTF-8"),
    ],
)
def test_files_that_cannot_be_loaded(content, message, tmp_path):
    (tmp_path / "mine.py").write_bytes(content)
    with pytest.raises(CannotLoad, match=re.escape(message)):
        load(tmp_path / "mine.py")


def test_sources_of_all_kinds(tmp_path):
    """A file may use its neighbours, and warn."""
    (tmp_path / "my_neighbour.py").write_text(
        "def forward(functions, gamma, x, v):\n    x[:0].mean()\n    return x, v\n"
    )
    (tmp_path / "mine.py").write_text('from my_neighbour import forward\n"""v <- \\gamma v"""\n')

    def forward(functions, gamma, x, v):
        return x, v

    for source in (tmp_path / "mine.py", {"forward": forward}, types.SimpleNamespace(forward=forward)):
        for found, given in zip(load(source).forward(CASE), (CASE.x, CASE.v), strict=True):
            assert np.array_equal(found, given)


@pytest.mark.parametrize("forward", [lambda functions, gamma, x, v: None, lambda functions, gamma, x, v: ...])
def test_stubs_are_not_written_yet(forward):
    stub = load({"forward": forward})
    with pytest.raises(NotWritten, match="forward is not written yet"):
        stub.forward(CASE)
    with pytest.raises(NotWritten, match="invert is not there"):
        stub.invert(CASE)


def test_what_has_begun_but_returns_nothing_is_no_stub():
    def invert_exact(functions, n, d, state):
        x, v = state
        x = x - v

    mine = load({"invert_exact": invert_exact})
    with pytest.raises(Broken, match="invert_exact returned None") as raised:
        mine.invert_exact(EXACT_CASE, (EXACT_CASE.x, EXACT_CASE.v))
    assert raised.value.cause == "is a return missing?"
    assert mine.has_begun(["invert_exact"])


FORMS = [  # what is returned, what is said that came, and the cause
    ("forward", ONE, "forward must return (x, v), came an array of shape (1,) and float64", None),
    ("forward", (ONE, TWO), "return v as an array of shape (1,), came an array of shape (2,) and float64", None),
    ("forward", (ONE, 0.5), "return v as an array of shape (1,), came 0.5", None),
    ("forward", (ONE, np.array(["a"])), "return v as an array of shape (1,), came an array of shape (1,)", None),
    ("backward", (ONE, ONE), "backward must return (dx, dv, gradients), came a tuple of 2", None),
    ("backward", (ONE, ONE, [[ONE], []]), "gradients[1] must be a list with an array for each parameter", None),
    ("backward", (ONE, ONE, [[ONE], [TWO]]), "gradients[1][0] as an array of shape (1,), came an array", None),
    ("backward", (ONE, ONE, 3 * [[ONE]]), "with an entry for each layer, 2", "default argument gradients=[]"),
    ("backward", (ONE, ONE, [[ONE]]), "with an entry for each layer, 2 in all", "is a layer left out?"),
    ("backward", (ONE, ONE, [ONE, ONE]), "gradients[0] must be a list", "a layer's list of arrays must be one entry"),
    ("backward", (ONE, ONE, 2 * [[ONE, ONE]]), "gradients[0] must be a list", "all entries are the same list"),
    ("forward_exact", 7, "forward_exact must return (x, v, ...), came 7", None),
    ("forward_exact", (WHOLE,), "forward_exact must return (x, v, ...), came a tuple of 1", None),
    ("forward_exact", (ONE, ONE), "state[0] must be an int64 array of shape (1,), came an array of shape (1,)", None),
    ("forward_exact", (WHOLE, WHOLE.astype(np.int32)), "state[1] must be an int64 array of shape (1,)", None),
]


@pytest.mark.parametrize(("name", "result", "came", "cause"), FORMS)
def test_results_of_another_form(name, result, came, cause):
    functions = {
        "forward": lambda functions, gamma, x, v: result,
        "backward": lambda functions, gamma, x, v, dx: result,
        "forward_exact": lambda functions, n, d, x, v: result,
    }
    with pytest.raises(Broken) as raised:
        getattr(load({name: functions[name]}), name)(EXACT_CASE if name == "forward_exact" else CASE)
    assert came in raised.value.came
    assert cause is None or cause in raised.value.cause
    if name != "forward_exact":
        assert "2 layers, f_0(x) = -0.5 x, f_1(x) = 0.25 x, gamma = 0.9" in raised.value.example


def test_a_state_may_be_of_another_kind_than_a_tuple():
    """state[0] and state[1] are all that is asked for."""
    names = {}
    exec((HERE / "right.py").read_text(encoding="utf-8"), names)
    forward_exact = names["forward_exact"]
    as_dict = {"forward_exact": lambda functions, n, d, x, v: dict(enumerate(forward_exact(functions, n, d, x, v)))}
    for promise in PROMISES:
        if promise.name in ("exact forward", "side information"):
            assert try_promise(promise, load(as_dict)).status == "kept"


def test_what_cannot_be_called_or_copied():
    with pytest.raises(Broken) as raised:
        load({"forward": lambda f, x: (x, x)}).forward(CASE)
    assert raised.value.came == "it takes (f, x), and must take (functions, gamma, x, v)"
    with pytest.raises(Broken, match="forward must be a function, and is 3"):
        load({"forward": 3}).forward(CASE)
    x = EXACT_CASE.x
    with pytest.raises(Broken, match="the state cannot be copied for invert_exact: cannot pickle 'generator' object"):
        load({"invert_exact": lambda functions, n, d, state: (x, x)}).invert_exact(EXACT_CASE, (each for each in x))


def test_what_a_function_raises_is_told_with_its_line(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def helper(x):\n    return x.no_such_thing\n\ndef forward(functions, gamma, x, v):\n    return helper(x), v\n"
    )
    with pytest.raises(Broken) as raised:
        load(tmp_path / "mine.py").forward(CASE)
    assert raised.value.came.startswith("forward raised AttributeError: 'numpy.ndarray' object has no attribute")
    assert raised.value.came.endswith("(line 2: return x.no_such_thing)")


def test_what_is_given_is_a_copy():
    def forward(functions, gamma, x, v):
        functions.clear()
        x += 1
        return x, v

    case, overwritten = small_cases()[2], []
    load({"forward": forward}).call("forward", case, case.x, case.v, overwritten=overwritten)
    assert overwritten == ["functions", "x"]
    assert (case.depth, case.x) == (2, 1)


@pytest.mark.parametrize("junk", [None, (None, None), "text", {}, np.float64(1)])
def test_no_junk_upsets_the_grader(junk, capsys):
    """Whatever functions return, there is a verdict."""
    report = grade({
        "forward": lambda functions, gamma, x, v: junk,
        "invert": lambda functions, gamma, x, v: junk,
        "backward": lambda functions, gamma, x, v, dx: junk,
        "forward_exact": lambda functions, n, d, x, v: junk,
        "invert_exact": lambda functions, n, d, state: junk,
        "backward_exact": lambda functions, n, d, state, dx: junk,
    }, exact=True)  # fmt: skip
    assert not any(outcome.status == "kept" for outcome in report.outcomes)
    assert str(report) in capsys.readouterr().out


@pytest.mark.parametrize("value", [np.nan, 1e308])
def test_results_that_are_no_numbers_break_promises_without_a_warning(value, capsys):
    def forward(functions, gamma, x, v):
        return x + value, v - value

    def backward(functions, gamma, x, v, dx):
        return dx + value, dx - value, [[theta * value for theta in f.parameters] for f in functions]

    report = grade({"forward": forward, "invert": forward, "backward": backward})
    for promise in ("forward", "inversion", "gradients", "gradient of v_0", "finite differences", "tied functions"):
        assert report[promise].status == "BROKEN"
