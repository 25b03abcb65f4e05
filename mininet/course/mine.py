"""The reader's own network: ``mine.py`` beside the notebooks, which grows from chapter to chapter."""

import ast
import inspect
import linecache
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

from ..base.files import written_atomically
from ..base.terminal import BLUE, GREEN, RED, colored
from ..grader.contract import CannotLoad, Implementation, NotWritten, is_stub, module_at
from ..grader.report import BROKEN, KEPT, TO_DO, Outcome, Report, in_color, try_promise
from . import own
from .contents import CHAPTERS
from .promises import BY_NAME, CHAPTER_PROMISES

HEADER = '''"""My network, piece by piece, from the course of mininet.

    mininet grade mine.py --chapter 07
"""

import numpy as np
'''

PIECES = {chapter: tuple(name for names, _ in pieces for name in names) for chapter, pieces in CHAPTER_PROMISES.items()}
"""The functions that the reader writes, by chapter."""

COUNT = sum(len(promises) for pieces in CHAPTER_PROMISES.values() for _, promises in pieces)
"""How many promises all of them make."""

_SECTION = re.compile(r"^# %% (\d\d): (.+)$", re.MULTILINE)


def file() -> pathlib.Path:
    """Where the reader's pieces are: ``mine.py`` in the working folder, or the variable MININET_MINE."""
    return pathlib.Path(os.environ.get("MININET_MINE", "mine.py"))


class Mine(Implementation):
    """Functions that the reader wrote, and the course's own where one is missing."""

    def __init__(self, path: pathlib.Path, **written: Callable[..., Any]) -> None:
        names = {name: value for name, value in vars(own).items() if not name.startswith("__")}
        if path.exists():
            module = module_at(path, names)
            names |= vars(module)
        names |= written
        self.yours = {name for pieces in PIECES.values() for name in pieces if names[name] is not getattr(own, name)}
        self.names = names
        super().__init__(_Names(names), path.name)

    def function(self, name: str) -> Callable[..., Any]:
        """Return the reader's function, or raise `NotWritten`."""
        if name in own.__dict__ and name not in self.yours:
            raise NotWritten(f"{name} is not there")
        return super().function(name)


class _Names:
    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__.update(names)


def take(*names: str) -> Any:
    """Return pieces of earlier chapters: the reader's from ``mine.py``, or else the course's own.

    So ``multiply, forward = take("multiply", "forward")`` prints "multiply: yours, from mine.py; forward: the course's
    own" to someone who has written the first.
    """
    mine = _mine()
    for name in names:
        if name not in mine.names:
            raise ValueError(f"names must be of functions in {mine.name}, or of pieces of the course, got {name!r}")
    print("; ".join(f"{name}: {f'yours, from {mine.name}' if name in mine.yours else _OURS}" for name in names))
    pieces = [mine.names[name] for name in names]
    return pieces[0] if len(pieces) == 1 else pieces


_OURS = "the course's own"


def _mine() -> Mine:
    try:
        return Mine(file())
    except CannotLoad as error:
        print(colored(f"{error}: until that is mended, the course's own pieces take the place of all", RED))
        return Mine(pathlib.Path(os.devnull, "none"))


def keep(*functions: Callable[..., Any]) -> Any:
    """Try pieces that the reader has just written in a cell, and put the cell into ``mine.py`` if they are right.

    It returns them.  For a blank that is open, or wrong, it returns the reader's earlier piece or the course's own, and
    says so, so that the notebook can go on.
    """
    names = tuple(function.__name__ for function in functions)
    pieces = {piece: promises for each in CHAPTER_PROMISES.values() for piece, promises in each}
    if names not in pieces:
        known = "; ".join(", ".join(each) for each in pieces)
        raise ValueError(f"functions must be a piece of the course ({known}), got {', '.join(names)}")
    mine, path = _mine(), file()
    if any(map(is_stub, functions)):
        origin = f"yours from {path.name} runs" if set(names) <= mine.yours else "the course's own runs"
        print(colored(f"open: {' and '.join(names)}; {origin} from here on", BLUE))
        return _one_or_all([mine.names[name] for name in names])
    mine = Mine(pathlib.Path(os.devnull, "none"), **mine.names | dict(zip(names, functions, strict=True)))
    mine.yours = set(mine.names)  # whatever else it needs may be the course's
    for promise in pieces[names]:
        outcome = try_promise(BY_NAME[promise], mine)
        if outcome.status != KEPT:
            print(in_color(str(outcome)))
            print(colored(f"not yet: {' and '.join(names)}; the course's own runs from here on", RED))
            return _one_or_all([getattr(own, name) for name in names])
    _write(path, names, _cell_of(*functions))
    print(
        colored(f"right: {' and '.join(names)}, now in {path.name}", GREEN) + f" ({_count(path)} of {COUNT} promises)"
    )
    return _one_or_all(list(functions))


def _one_or_all(pieces: list[Any]) -> Any:
    return pieces[0] if len(pieces) == 1 else pieces


def _cell_of(*functions: Callable[..., Any]) -> str:
    """Return what the functions' cell defines and imports; its other lines, such as calls, stay where they are."""
    file_name = functions[0].__code__.co_filename
    lines = linecache.getlines(file_name)
    if os.path.exists(file_name) or not lines:  # a file, and no cell
        return "\n\n\n".join(inspect.getsource(function).strip("\n") for function in functions)
    kept = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    parts = []
    for node in ast.parse("".join("\n" if line.startswith(("%", "!")) else line for line in lines)).body:
        if isinstance(node, kept):
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
            parts.append("".join(lines[first - 1 : node.end_lineno]).strip("\n"))
    return "\n\n\n".join(parts)


def _sections(text: str) -> dict[str, str]:
    """The text of each section, by its heading."""
    parts = _SECTION.split(text)
    return {
        f"{chapter}: {names}": body.strip("\n") for chapter, names, body in zip(*[iter(parts[1:])] * 3, strict=True)
    }


def _write(path: pathlib.Path, names: tuple[str, ...], code: str) -> None:
    """Write the section of these functions, in the order of the course, and leave the others alone."""
    headings = {each: f"{chapter}: {', '.join(each)}" for chapter in CHAPTER_PROMISES for each in _names_of(chapter)}
    text = path.read_text(encoding="utf-8") if path.exists() else HEADER
    begin = _SECTION.search(text)
    sections = _sections(text) | {headings[names]: code}
    order = [*headings.values(), *sections]  # a heading that is not the course's goes last
    parts = [(text[: begin.start()] if begin else text).rstrip("\n")]
    parts += [f"# %% {each}\n\n\n{sections[each]}" for each in sorted(sections, key=order.index)]
    with written_atomically(path) as temporary:
        temporary.write_text("\n\n\n".join(parts) + "\n", encoding="utf-8")


def _names_of(chapter: str) -> list[tuple[str, ...]]:
    return [names for names, _ in CHAPTER_PROMISES[chapter]]


def _count(path: pathlib.Path) -> int:
    """How many promises the sections of the file make; only right pieces are written."""
    there = _sections(path.read_text(encoding="utf-8")) if path.exists() else {}
    made = {f"{chapter}: {', '.join(names)}": len(promises)
            for chapter, pieces in CHAPTER_PROMISES.items() for names, promises in pieces}  # fmt: skip
    return sum(made.get(heading, 0) for heading in there)


def progress() -> None:
    """Print how far ``mine.py`` has come, chapter by chapter."""
    path = file()
    there = _sections(path.read_text(encoding="utf-8")) if path.exists() else {}
    titles = {chapter.number: chapter.title for chapter in CHAPTERS}
    for chapter, pieces in CHAPTER_PROMISES.items():
        done = sum(len(promises) for names, promises in pieces if f"{chapter}: {', '.join(names)}" in there)
        all_of_them = sum(len(promises) for _, promises in pieces)
        bar = colored("█" * done, GREEN) + "░" * (all_of_them - done) + " " * (15 - all_of_them)
        print(f"{chapter} {bar} {done:2} of {all_of_them:2}  {titles[chapter]}")
    print(f"{path.name}: {_count(path)} of {COUNT} promises" + ("" if there else "; it begins in chapter 02"))


def overview() -> None:
    """Print the chapters of the course, those to be read in turn and those that stand beside them, with their times."""
    for is_core, heading in ((True, "the path, in this order"), (False, "side paths, in any order")):
        chapters = [chapter for chapter in CHAPTERS if chapter.is_core == is_core]
        minutes = sum(chapter.minutes for chapter in chapters)
        print(f"{heading}: {minutes / 60:.1f} hours, exercises included")
        for chapter in chapters:
            builds = "  you build" if chapter.number in PIECES else ""
            print(f"  {chapter.number}  {chapter.minutes:3} min  {chapter.title}{builds}")


def grade_chapters(path: pathlib.Path, chapter: str = "07") -> Report:
    """Try what a file promises up to a chapter, print it, and return the outcomes.

    Raises
    ------
    CannotLoad
        If the file cannot be read, or is not Python.
    ValueError
        If the chapter has no pieces, and none before it has.
    """
    if chapter not in [each.number for each in CHAPTERS] or chapter < min(CHAPTER_PROMISES):
        raise ValueError(f"chapter must be one of {', '.join(CHAPTER_PROMISES)}, got {chapter!r}")
    if not path.exists():
        raise CannotLoad(f"cannot read {path}: there is no such file; the cells of chapter 02 begin it")
    mine = Mine(path)
    report = Report(path.name, [])
    for number, pieces in CHAPTER_PROMISES.items():
        if number > chapter:
            break
        print(f"chapter {number}")
        for names, promises in pieces:
            if not mine.yours.issuperset(names):
                missing = " and ".join(name for name in names if name not in mine.yours)
                outcomes = [Outcome(BY_NAME[each], TO_DO, came=f"{missing} is not there") for each in promises]
            else:
                outcomes = [try_promise(BY_NAME[each], mine) for each in promises]
            for outcome in outcomes:
                print(in_color(str(outcome)), flush=True)
            report.outcomes.extend(outcomes)
    kept = sum(outcome.status == KEPT for outcome in report.outcomes)
    broken = sum(outcome.status == BROKEN for outcome in report.outcomes)
    summary = f"{path.name}: {kept} of {COUNT} promises kept" + (f", {broken} {BROKEN}" if broken else "")
    print(colored(summary, RED if broken else GREEN))
    return report
