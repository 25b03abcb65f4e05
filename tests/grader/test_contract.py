"""What is no implementation, or returns something else than agreed, is told so in words."""

import pathlib
import types

import numpy as np
import pytest

from mininet.grader import PROMISES, CannotLoad, load, try_promise
from mininet.grader.cases import small_cases, small_exact_cases
from mininet.grader.contract import Broken, NotWritten
from mininet.grader.report import grade

HERE = pathlib.Path(__file__).parent
CASE, EXACT_CASE = small_cases()[2], small_exact_cases()[3]  # two layers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def forward(:\n    pass", "mine.py is not Python: line 1: invalid syntax"),
        ("x = 1\nif x:\nprint(x)", "mine.py is not Python: line 3: expected an indented block"),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("a = 1\nb = a / 0", "ZeroDivisionError: division by zero (line 2: b = a / 0)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("forwards = 1", "mine.py defines none of the functions forward, invert, backward, forward_exact"),
        ("\0", "mine.py is not Python"),
    ],
)
def test_files_that_cannot_be_loaded(text, message, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(CannotLoad) as raised:
        load(tmp_path / "mine.py")
    assert message in str(raised.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(CannotLoad, match=r"cannot read .*: No such file"):
        load(tmp_path / "mine.py")
    with pytest.raises(CannotLoad, match=r"cannot read .*: Is a directory"):
        load(str(tmp_path))
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CannotLoad, match="not a text in UTF-8"):
        load(tmp_path / "mine.py")


def test_a_file_may_use_its_neighbours(tmp_path):
    (tmp_path / "my_neighbour.py").write_text("def forward(functions, gamma, x, v):\n    return x, v\n")
    (tmp_path / "mine.py").write_text("from my_neighbour import forward\n")
    assert load(tmp_path / "mine.py").name == "mine.py"


def test_sources_of_all_kinds():
    def forward(functions, gamma, x, v):
        return x, v

    for source in ({"forward": forward}, types.SimpleNamespace(forward=forward)):
        x, v = load(source).forward(CASE)
        assert np.array_equal(x, CASE.x)
        assert np.array_equal(v, CASE.v)
    with pytest.raises(CannotLoad, match="your functions defines none"):
        load({})


def one(name, function):
    return load({name: function})


@pytest.mark.parametrize(
    "stub", [lambda functions, gamma, x, v: None, lambda functions, gamma, x, v: ...], ids=["None", "Ellipsis"]
)
def test_stubs_are_not_written_yet(stub):
    with pytest.raises(NotWritten, match="forward is not written yet"):
        one("forward", stub).forward(CASE)
    with pytest.raises(NotWritten, match="invert is not there"):
        one("forward", stub).invert(CASE)


def test_a_stub_may_raise():
    def forward(functions, gamma, x, v):
        raise NotImplementedError

    with pytest.raises(NotWritten, match="forward is not written yet"):
        one("forward", forward).forward(CASE)


def test_what_has_begun_but_returns_nothing_is_no_stub():
    def invert_exact(functions, n, d, state):
        """Its return is missing."""
        x, v = state
        x = x - v

    with pytest.raises(Broken, match="invert_exact returned None") as raised:
        one("invert_exact", invert_exact).invert_exact(EXACT_CASE, (EXACT_CASE.x, EXACT_CASE.v))
    assert raised.value.cause == "is a return missing?"
    assert one("invert_exact", invert_exact).has_begun(["invert_exact"])


def x_of(shape):
    return np.zeros(shape)


@pytest.mark.parametrize(
    ("name", "result", "message"),
    [
        ("forward", np.zeros(1), "forward must return (x, v), came an array of shape (1,) and float64"),
        ("forward", (x_of(1), x_of(1), 0), "forward must return (x, v), came a tuple of 3"),
        ("forward", (x_of(1), x_of(2)), "return v as an array of shape (1,), came an array of shape (2,) and float64"),
        ("forward", (x_of(1), 0.5), "return v as an array of shape (1,), came 0.5"),
        ("forward", (x_of(1), None), "return v as an array of shape (1,), came a NoneType"),
        ("forward", (x_of(1), np.array(["a"])), "return v as an array of shape (1,), came an array of shape (1,)"),
        ("backward", (x_of(1), x_of(1)), "backward must return (dx, dv, gradients), came a tuple of 2"),
        ("backward", (x_of(1), x_of(3), []), "return dv as an array of shape (1,)"),
        (
            "backward",
            (x_of(1), x_of(1), [[x_of(1)]]),
            "gradients must be a list with an entry for each layer, 2 in all, came a",
        ),
        ("backward", (x_of(1), x_of(1), 2 * [x_of(1)]), "gradients[0] must be a list with an array for each parameter"),
        ("backward", (x_of(1), x_of(1), [[x_of(1)], []]), "gradients[1] must be a list with an array for each parame"),
        ("backward", (x_of(1), x_of(1), [[x_of(1)], [x_of(2)]]), "gradients[1][0] as an array of shape (1,), came an"),
    ],
)
def test_results_of_another_form(name, result, message):
    def function(functions, gamma, x, v, dx=None):
        return result

    with pytest.raises(Broken) as raised:
        getattr(one(name, function), name)(CASE)
    assert message in raised.value.came
    assert "2 layers, f_0(x) = -0.5 x, f_1(x) = 0.25 x, gamma = 0.9" in raised.value.example


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (7, "forward_exact must return (x, v, ...), came 7"),
        ((np.zeros(1, np.int64),), "forward_exact must return (x, v, ...), came a tuple of 1"),
        ((x_of(1), x_of(1)), "state[0] must be an int64 array of shape (1,), came an array of shape (1,) and float64"),
        ((np.zeros(1, np.int64), np.zeros(1, np.int32)), "state[1] must be an int64 array of shape (1,)"),
    ],
)
def test_states_of_another_form(state, message):
    with pytest.raises(Broken) as raised:
        one("forward_exact", lambda functions, n, d, x, v: state).forward_exact(EXACT_CASE)
    assert message in raised.value.came


def test_a_state_may_be_of_another_kind_than_a_tuple():
    """state[0] and state[1] are all that is asked for."""
    names = {}
    exec((HERE / "right_from_the_template.py").read_text(encoding="utf-8"), names)
    forward_exact = names["forward_exact"]
    as_dict = {"forward_exact": lambda functions, n, d, x, v: dict(enumerate(forward_exact(functions, n, d, x, v)))}
    for promise in PROMISES:
        if promise.name in ("exact forward", "side information"):
            assert try_promise(promise, load(as_dict)).status == "kept"


def test_a_state_that_cannot_be_copied():
    x = EXACT_CASE.x
    with pytest.raises(Broken, match="the state cannot be copied for invert_exact: cannot pickle 'generator' object"):
        one("invert_exact", lambda functions, n, d, state: (x, x)).invert_exact(EXACT_CASE, (each for each in x))


def test_inversion_that_returns_floats_is_not_exact():
    with pytest.raises(Broken, match="invert_exact must return x as integers"):
        one("invert_exact", lambda functions, n, d, state: (x_of(1), x_of(1))).invert_exact(EXACT_CASE, ())


def test_functions_that_cannot_be_called():
    with pytest.raises(Broken) as raised:
        one("forward", lambda f, x: (x, x)).forward(CASE)
    assert raised.value.came == "it takes (f, x), and must take (functions, gamma, x, v)"
    with pytest.raises(Broken, match="forward must be a function, and is 3"):
        one("forward", 3).forward(CASE)


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

    case = small_cases()[2]
    overwritten = []
    one("forward", forward).call("forward", case, case.x, case.v, overwritten=overwritten)
    assert overwritten == ["functions", "x"]
    assert case.depth == 2
    assert case.x == 1


ENTRY = [x_of(1)]


@pytest.mark.parametrize(
    ("gradients", "cause"),
    [
        (3 * [ENTRY], "default argument gradients=[]"),
        ([ENTRY], "is a layer left out?"),
        ([x_of(1), x_of(1)], "a layer's list of arrays must be one entry"),
        (2 * [2 * ENTRY], "all entries are the same list"),
    ],
)
def test_why_gradients_have_another_form(gradients, cause):
    with pytest.raises(Broken) as raised:
        one("backward", lambda functions, gamma, x, v, dx: (x_of(1), x_of(1), gradients)).backward(CASE)
    assert cause in raised.value.cause


def test_warnings_are_no_errors(tmp_path):
    """Also where the test suite makes them so."""
    text = 'def forward(functions, gamma, x, v):\n    """v <- \\gamma v"""\n    x[:0].mean()\n    return x, v\n'
    (tmp_path / "mine.py").write_text(text)
    load(tmp_path / "mine.py").forward(CASE)


def test_overflow_raises_no_warnings():
    def forward(functions, gamma, x, v):
        return x * 1e308 * 1e308, v

    x, _ = one("forward", forward).forward(CASE)
    assert np.isinf(x)


@pytest.mark.parametrize("junk", [None, 3, (), (None, None), "text", {}, np.float64(1), (1, 2, 3), object()])
def test_no_junk_upsets_the_grader(junk, capsys):
    """Whatever functions return, there is a verdict."""
    names = {
        "forward": lambda functions, gamma, x, v: junk,
        "invert": lambda functions, gamma, x, v: junk,
        "backward": lambda functions, gamma, x, v, dx: junk,
        "forward_exact": lambda functions, n, d, x, v: junk,
        "invert_exact": lambda functions, n, d, state: junk,
        "backward_exact": lambda functions, n, d, state, dx: junk,
    }
    report = grade(names, exact=True)
    assert not any(outcome.status == "kept" for outcome in report.outcomes)
    assert str(report) in capsys.readouterr().out


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
def test_results_that_are_no_numbers_break_promises_without_a_warning(value, capsys):
    def backward(functions, gamma, x, v, dx):
        return dx + value, dx - value, [[theta * value for theta in f.parameters] for f in functions]

    def forward(functions, gamma, x, v):
        return x + value, v - value

    report = grade({"forward": forward, "invert": forward, "backward": backward})
    for promise in ("forward", "inversion", "gradients", "gradient of v_0", "finite differences", "tied functions"):
        assert report[promise].status == "BROKEN"
