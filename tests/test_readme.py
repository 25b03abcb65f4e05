"""The README is short, its examples print what it says, and its commands and links are there."""

import re
import shlex

import pytest
from support import ROOT

from mininet.__main__ import _parser, main
from mininet.course import CHAPTERS
from mininet.version import VERSION

README = (ROOT / "README.md").read_text(encoding="utf-8")

TOO_EARLY = """
def forward(functions, gamma, x, v):
    for f in functions:
        x = x + v
        v = gamma * v + (1 - gamma) * f(x)
    return x, v
"""


def test_it_fits_on_110_lines():
    assert len(README.splitlines()) <= 110


def test_the_example_prints_what_stands_below_it(capsys):
    code, printed = re.search(r"```python\n(.*?)```\n\n    (.*?)\n", README, re.DOTALL).groups()
    assert code.count("\n") <= 9
    exec(code, {})
    assert capsys.readouterr().out == printed + "\n"


def test_the_grader_says_what_it_shows(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(TOO_EARLY)
    assert main(["grade", str(tmp_path / "mine.py")]) == 1
    (shown,) = re.findall(r"    BROKEN .*\n(?:            .*\n){3}", README)
    assert re.sub("^    ", "", shown, flags=re.MULTILINE) in capsys.readouterr().out


def test_write_continues_the_text(capsys):
    assert main(["write", "Call me", "--count", "20"]) == 0
    assert capsys.readouterr().out.startswith("Call me")


def test_commands_are_accepted():
    commands = re.findall(r"(?:`|^    )(mininet [a-z][^`#\n]*)", README, re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        words = shlex.split(command)[1:]
        _parser(words)[0].parse_args(words)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^    )make (\w+)", README, re.MULTILINE):
        assert f"\n{target}: " in makefile, target


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_lead_to_files_that_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (ROOT / target).exists(), target


def test_the_course_is_as_long_as_its_chapters():
    core = [chapter.minutes for chapter in CHAPTERS if chapter.is_core]
    count, hours = map(int, re.search(r"path of\s(\d+)\schapters\S+\stakes about (\d+) hours", README).groups())
    assert (count, hours) == (len(core), round(sum(core) / 60))


def test_the_version_is_the_same_everywhere():
    for page, before in (("CITATION.cff", r"^version: "), ("CHANGELOG.md", r"^## \[")):
        assert re.search(before + r"([\d.]+)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)[1] == VERSION
