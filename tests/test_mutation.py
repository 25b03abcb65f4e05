"""The tool that asks whether tests would notice: `python -m tests.mutation`."""

import ast
import importlib.util
import json
import re
import signal
import subprocess
import sys
import textwrap
import weakref

import pytest
from mutation.exchange import exchange, exchanges, functions_of
from mutation.operators import mutants
from mutation.report import accepted, table, write_survivors
from support import ROOT

CHANGES = {
    "return a + b": {"return a - b", "return None"},
    "a += 1": {"a -= 1", "a += 2", "a += 0", "pass"},
    "x = a < b": {"x = a <= b", "x = a >= b"},
    "x = a is None": {"x = a is not None"},
    "x = a and b": {"x = a or b"},
    "x = not a": {"x = a"},
    "x = -a": {"x = a"},
    "x = True": {"x = False"},
    "x = 'sum'": {"x = 'sum_'"},
    "x = 0.5": {"x = 1.5"},
    "x = a[b:c]": {"x = a[:c]", "x = a[b:]"},
    "f(a, axis=b)": {"f(a)", "pass"},
    "x = min(a, b)": {"x = max(a, b)"},
    "x = [a for a in b if a]": {"x = [a for a in b]"},
    "x = a if b else c": {"x = a if not b else c"},
    "a.b = c": {"pass"},
    "a[b] = c": {"pass"},
    "del a": {"pass"},
    "raise ValueError('a' + b)": {"pass"},
    "x = a.reshape(-1)": {"x = a.reshape(1)"},
    "def f(a, b=2): return": {"def f(a, b=3)", "def f(a, b=1)"},
    "lambda a: a * b": {"lambda a: a / b", "pass"},
}
UNCHANGED = (
    "import a",
    "x = None",
    "x, y = (a, b)",
    '"""Docstring."""',
    "x: 'text'",
    "x = f'{a:3}'",
    "__all__ = ['a']",
    "@cache(maxsize=3)\ndef f(a):\n    g",
    "def f(a: 'b') -> 'c':\n    return",
    "def __repr__(self):\n    return 'text'",
    "def f(self):\n    raise NotImplementedError('abstract')",
    "x = Operation('name', a)",
    "x = zip(a, b, strict=True)",
    "x = number('name', a)",
)


@pytest.mark.parametrize("code", CHANGES)
def test_changes(code):
    assert {mutant.after for mutant in mutants(code)} >= CHANGES[code] - {"pass"}
    assert {mutant.after for mutant in mutants(code)} == CHANGES[code]


@pytest.mark.parametrize("code", UNCHANGED)
def test_left_out(code):
    assert [mutant.after for mutant in mutants(code) if mutant.after != "pass"] == []


def test_jumps_and_contexts():
    code = "for a in b:\n    with c(), d() as e:\n        if a:\n            break\n        continue"
    texts = [ast.unparse(mutant.make()) for mutant in mutants(code)]
    assert [text for text in texts if "with d() as e" in text]
    assert [text for text in texts if text.count("continue") == 2]
    assert [text for text in texts if text.count("break") == 2]
    assert [text for text in texts if "if not a" in text]
    assert "b" in [ast.unparse(mutant.make()) for mutant in mutants("with a():\n    b")]


def test_a_mutant_differs_in_one_place_and_knows_which():
    code = "class A:\n    def f(self, b):\n        c = b\n\n        return c + 1\n"
    (subtracting,) = [mutant for mutant in mutants(code, "a.py") if "-" in mutant.after]
    assert subtracting.text == "a.py | A.f | return c + 1 -> return c - 1"
    assert subtracting.lines == range(5, 6)
    assert ast.unparse(subtracting.make()) == ast.unparse(ast.parse(code.replace("+", "-")))
    assert len({ast.unparse(mutant.make()) for mutant in mutants(code)}) == len(mutants(code)) == 4


def test_what_is_cached_concerns_all_tests():
    code = "@functools.cache\ndef f(a):\n    return a + 1\n"
    assert {mutant.lines for mutant in mutants(code)} == {range(2, 3)}


LIVING = """
import functools

def twice(function):
    @functools.wraps(function)
    def wrapped(a, by=2):
        return function(a) * 2 + by - 2
    return wrapped

@twice
def plus(a):
    return a + 1

class Sum:
    start = 7
    def of(self, values):
        return self.start + sum(value * 3 for value in values)

def adder(a):
    def add(b):
        return a + b + 0
    return add

add_five = adder(5)
"""


@pytest.fixture
def living(tmp_path):
    """A module whose functions exist, and a function that puts a mutant, known by its new code, in their place."""
    path = tmp_path / "living.py"
    path.write_text(LIVING)
    spec = importlib.util.spec_from_file_location("living", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def put(after):
        (mutant,) = [mutant for mutant in mutants(LIVING, str(path)) if mutant.after == after]
        pairs = exchanges(mutant)
        return pairs and exchange(pairs, functions_of(tmp_path)[str(path)])

    return module, put


@pytest.mark.parametrize(
    ("after", "call", "value", "changed"),
    [
        ("return a - 1", lambda module: module.plus(10), 22, 18),
        ("return function(a) / 2 + by - 2", lambda module: module.plus(11), 24, 6),
        ("return self.start - sum((value * 3 for value in values))", lambda module: module.Sum().of([1, 2]), 16, -2),
        ("return self.start + sum((value / 3 for value in values))", lambda module: module.Sum().of([3, 6]), 34, 10),
        ("return a - b + 0", lambda module: module.add_five(3), 8, 2),
        ("return a - b + 0", lambda module: module.adder(1)(3), 4, -2),
    ],
)
def test_a_mutant_takes_the_place_of_functions_that_exist(living, after, call, value, changed):
    """Under a decorator, in it, in a method, a generator expression, a closure made before and one made later."""
    module, put = living
    assert call(module) == value
    assert put(after)
    assert call(module) == changed


@pytest.mark.parametrize(
    "after", ["start = 8", "@functools.wraps(function) def wrapped(a, by=3)", "add_five = adder(6)"]
)
def test_what_has_run_already_is_not_exchanged(living, after):
    module, put = living
    if "wrapped" in after:  # a default value of a function that the decorator has made already
        assert put(after)
        assert module.plus(10) == 22
    else:
        assert put(after) is None


def test_functions_are_found_among_proxies_of_what_is_gone(living):
    _, put = living
    gone = [weakref.proxy(Gone())]
    assert put("return a - 1")
    assert len(gone) == 1


class Gone:
    pass


@pytest.fixture
def tiny_package(tmp_path):
    """A package named mininet with a function and a test that sees half of it."""
    package = tmp_path / "mininet"
    package.mkdir()
    package.joinpath("__init__.py").write_text("")
    package.joinpath("steps.py").write_text(
        textwrap.dedent("""
            def sign(a):
                if a > 0:
                    return 1
                return -1

            def count(a):
                found = 0
                while a > 0:
                    a -= 1
                    found += 1
                return found

            def unused(a):
                return a + 1
        """)
    )
    tests = tmp_path / "tests"
    tests.mkdir()
    tests.joinpath("conftest.py").write_text(
        "import gc\n\n"
        "def pytest_addoption(parser):\n    parser.addoption('--few', type=int)\n\n"
        "def pytest_collection_finish():\n    gc.freeze()\n"
    )
    tests.joinpath("test_steps.py").write_text(
        "from mininet.steps import count, sign\n\n"
        "def test_sign():\n    assert sign(3) == 1\n\n"
        "def test_count():\n    assert count(2) == 2\n"
    )
    tests.joinpath("mutation").symlink_to(ROOT / "tests/mutation")
    return tmp_path


@pytest.mark.slow
def test_what_tests_notice_and_what_not(tiny_package):
    """Run on a package whose tests pass through `return -1` never, and do not see where 0 belongs; stopped once."""
    command = [sys.executable, "-m", "tests.mutation", "mininet/steps.py", "--output", "out"]
    with subprocess.Popen(command, cwd=tiny_package, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as stopped:
        shown = b""
        while not re.search(rb" [1-9][0-9]*/[0-9]+ ", shown):
            shown += stopped.stderr.read(1) or pytest.fail(shown.decode())
        stopped.send_signal(signal.SIGINT)
        stopped.communicate(timeout=300)
    first = json.loads(tiny_package.joinpath("out/verdicts.json").read_text())
    assert len(first) > 0
    process = subprocess.run(
        [*command, "--again", "--keep-map"], cwd=tiny_package, capture_output=True, text=True, timeout=300
    )
    assert process.returncode == 0, process.stderr
    survivors = tiny_package.joinpath("out/survivors.txt").read_text()
    assert "- if a > 0\n  + if a >= 0" in survivors
    assert "+ if a <= 0" not in survivors
    assert "+ return 2" not in survivors
    assert "+ while a <= 0" not in survivors
    assert "steps.py, sign: no test passes here\n  - return -1" in survivors
    assert "steps.py, unused: no test passes here\n  - return a + 1\n  + return a - 1" in survivors
    verdicts = tiny_package.joinpath("out/verdicts.json").read_text()
    survived = verdicts.count('"survived"')
    assert 0 < survived < 5
    assert re.search(f"imported: 100%.* {survived}/{survived} ", process.stderr)  # the others were judged in place
    assert 'a -= 1 -> pass": "killed by time in' in verdicts
    assert 'found += 1 -> pass": "killed by tests/test_steps.py::test_count' in verdicts


def test_accepted_survivors_have_reasons(tmp_path):
    path = tmp_path / "equivalent.txt"
    path.write_text("# a comment\n\nm.py | f | a > 0 -> a >= 0 # equivalent: a is never 0\n")
    reasons = accepted(path)
    assert reasons == {"m.py | f | a > 0 -> a >= 0": "a is never 0"}
    verdicts = {
        "m.py | f | a > 0 -> a >= 0": "survived",
        "m.py | f | b -> c": "survived",
        "m.py | f | b -> d": "killed by test_f",
        "n.py | g | b -> d": "no test passes here",
    }
    lines = [line.split() for line in table(verdicts, reasons).splitlines()]
    assert lines[1:] == [["m.py", "3", "1", "1", "1", "50.0"], ["n.py", "1", "0", "0", "1", "0.0"],
                         ["all", "4", "1", "1", "2", "33.3"]]  # fmt: skip
    write_survivors(tmp_path / "survivors.txt", verdicts, reasons)
    text = (tmp_path / "survivors.txt").read_text()
    assert "m.py, f: equivalent: a is never 0\n  - a > 0\n  + a >= 0\n" in text
    assert "n.py, g: no test passes here" in text
    assert "test_f" not in text


def test_every_accepted_survivor_is_a_mutant_of_the_code_as_it_is():
    """A line whose code is gone is to be deleted."""
    reasons = accepted(ROOT / "tests/mutation/equivalent.txt")
    for file in {text.split(" | ")[0] for text in reasons}:
        found = {mutant.text for mutant in mutants((ROOT / file).read_text(), file)}
        assert {text for text in reasons if text.startswith(f"{file} ")} <= found
