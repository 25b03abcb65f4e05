"""The tool that asks whether tests would notice: `python -m tests.mutation`."""

import ast
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("resource")  # the tool forks
from mutation.__main__ import accepted
from mutation.operators import mutants
from support import ROOT

CHANGES = {
    "return a + b": {"return a - b", "return None"},
    "a += 1": {"a -= 1", "a += 2", "pass"},
    "x = a < b": {"x = a <= b", "x = a >= b"},
    "x = a and not b": {"x = a or not b", "x = a and b"},
    "x = True": {"x = False"},
    "x = ['sum', 0.5]": {"x = ['sum_', 0.5]", "x = ['sum', 1.5]"},
    "x = a[b:c]": {"x = a[:c]", "x = a[b:]"},
    "f(a, axis=b)": {"f(a)", "pass"},
    "x = min(a, b)": {"x = max(a, b)"},
    "x = [a for a in b if a]": {"x = [a for a in b]"},
    "x = a if b else c": {"x = a if not b else c"},
    "a.b = c": {"pass"},
    "raise ValueError('a' + b)": {"pass"},
    "with a():\n    b": {"b", "pass"},
    "for a in b:\n    break": {"continue"},
}
UNCHANGED = (
    "import a", "x = None", '"""Docstring."""', "x: 'text'", "x = f'{a:3}'", "__all__ = ['a']",
    "@cache(maxsize=3)\ndef f(a):\n    g", "def __repr__(self):\n    return 'text'",
    "def f(self):\n    raise NotImplementedError('abstract')", "x = Operation('name', a)", "x = zip(a, b, strict=True)",
    "x = number('name', a)", "x = a.reshape(-1)", "x = TypeVar('x', bound=a)",
)  # fmt: skip


@pytest.mark.parametrize("code", CHANGES)
def test_changes(code):
    assert {mutant.after for mutant in mutants(code)} == CHANGES[code]


@pytest.mark.parametrize("code", UNCHANGED)
def test_left_out(code):
    assert [mutant.after for mutant in mutants(code) if mutant.after != "pass"] == []


def test_a_mutant_differs_in_one_place_and_knows_which():
    code = "class A:\n    def f(self, b):\n        c = b\n\n        return c + 1\n"
    (subtracting,) = [mutant for mutant in mutants(code, "a.py") if "-" in mutant.after]
    assert subtracting.text == "a.py | A.f | return c + 1 -> return c - 1"
    assert subtracting.lines == range(5, 6)
    assert ast.unparse(subtracting.make()) == ast.unparse(ast.parse(code.replace("+", "-")))
    assert len({ast.unparse(mutant.make()) for mutant in mutants(code)}) == len(mutants(code)) == 3
    assert {mutant.lines for mutant in mutants("@functools.cache\n" + code[9:].replace("    d", "d"))} == {range(2, 3)}


STEPS = """
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
"""
TESTS = """
import pytest
from mininet.steps import count, sign

def test_sign():
    assert sign(3) == 1

@pytest.mark.parametrize("a", [0, 2])
def test_count(a):
    assert count(a) == a
"""


@pytest.mark.slow
def test_what_tests_notice_and_what_not(tmp_path):
    """Run on a package whose tests pass through `return -1` never, and do not see where 0 belongs."""
    for name, text in {"mininet/__init__.py": "", "mininet/steps.py": STEPS, "tests/test_steps.py": TESTS}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    shutil.copytree(ROOT / "tests/mutation", tmp_path / "tests/mutation")
    options = ["mininet/steps.py", "--tests", "tests/test_steps.py", "--cases", "1"]
    command = [sys.executable, "-m", "tests.mutation", *options]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    survivors = {"if a >= 0", "if a > 1", "return None", "return 1", "return -2"}
    lines = process.stdout.splitlines()
    assert {line.removeprefix("  + ") for line in lines if line.startswith("  + ")} == survivors
    assert lines[-1].endswith("5 survived")


def test_every_accepted_survivor_is_a_mutant_of_the_code_as_it_is():
    """A line whose code is gone is to be deleted."""
    reasons = accepted()
    for file in {text.split(" | ")[0] for text in reasons}:
        found = {mutant.text for mutant in mutants((ROOT / file).read_text(encoding="utf-8"), file)}
        assert {text for text in reasons if text.startswith(f"{file} ")} <= found
