"""The reader's own network: ``mine.py`` beside the notebooks, which grows from chapter to chapter."""

import ast
import builtins
import dis
import hashlib
import inspect
import linecache
import os
import pathlib
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from ..base.files import written_atomically
from ..base.terminal import BLUE, GREEN, RED, colored
from ..grader.contract import CannotLoad, Implementation, NotWritten, is_stub, module_at
from ..grader.report import BROKEN, KEPT, TO_DO, Outcome, Report, in_color, try_promise
from . import own
from .checking import NotYet, require
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

_PROMISES = {names: promises for pieces in CHAPTER_PROMISES.values() for names, promises in pieces}
_HEADINGS = {
    names: f"{chapter}: {', '.join(names)}" for chapter, pieces in CHAPTER_PROMISES.items() for names, _ in pieces
}

_SECTION = re.compile(r"^# %% (\d\d: [\w, ]+?)(?: \(checked (\w+)\))?$", re.MULTILINE)
"""The line above a section: its heading, and a digest of the section as it was found right."""


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

    def is_ours(self, name: str) -> bool:
        """Whether it is the course's own."""
        return name in own.__dict__ and name not in self.yours

    def function(self, name: str) -> Callable[..., Any]:
        """Return the reader's function, or raise `NotWritten`."""
        if self.is_ours(name):
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
    print("; ".join(f"{name}: {_OURS if mine.is_ours(name) else f'yours, from {mine.name}'}" for name in names))
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

    They are tried as they will stand there.  It returns them; for a blank that is open, or wrong, it returns the
    reader's earlier piece or the course's own, and says so, so that the notebook can go on.
    """
    names = tuple(function.__name__ for function in functions)
    if names not in _PROMISES:
        known = "; ".join(", ".join(each) for each in _PROMISES)
        raise ValueError(f"functions must be a piece of the course ({known}), got {', '.join(names)}")
    path = file()
    if any(map(is_stub, functions)):
        mine = _mine()
        origin = f"yours from {path.name} runs" if set(names) <= mine.yours else f"{_OURS} runs"
        print(colored(f"open: {' and '.join(names)}; {origin} from here on", BLUE))
        return _one_or_all([mine.names[name] for name in names])
    try:
        with written_atomically(path) as temporary:
            temporary.write_text(_with_section(path, _HEADINGS[names], _cell_of(*functions)), encoding="utf-8")
            _require_right(temporary, path.name, names)
    except NotYet as error:
        if str(error):
            print(colored(f"not yet: {error}", RED))
        print(colored(f"not yet: {' and '.join(names)}; {_OURS} runs from here on", RED))
        return _one_or_all([getattr(own, name) for name in names])
    kept = colored(f"right: {' and '.join(names)}, now in {path.name}", GREEN)
    print(f"{kept} ({_count(path)} of {COUNT} promises)")
    return _one_or_all(list(functions))


def _require_right(path: pathlib.Path, name: str, names: tuple[str, ...]) -> None:
    """Raise `NotYet` unless these functions of a file, called `name`, are right; a broken promise is printed."""
    try:
        mine = Mine(path)
    except CannotLoad as error:
        raise NotYet(str(error).replace(path.name, name)) from None
    for function in names:
        unknown = sorted(set(_globals_of(mine.names[function])) - {*mine.names, *dir(builtins)})
        they = ", ".join(f"`{each}`" for each in unknown)
        require(not unknown, f"{function} uses {they}, which is not in this cell: define it here")
    _require_own_names(path, _HEADINGS[names])
    mine.yours = set(mine.names)  # whatever else it needs may be the course's
    for promise in _PROMISES[names]:
        outcome = try_promise(BY_NAME[promise], mine)
        if outcome.status != KEPT:
            print(in_color(str(outcome)))
            raise NotYet


def _globals_of(function: Any) -> Iterator[str]:
    """Yield the global names that a function uses, and those of functions in its file that it calls."""
    waiting, seen = [function], set()
    while waiting:
        each = waiting.pop()
        code = getattr(each, "__code__", each)
        if isinstance(code, types.CodeType) and code.co_filename == function.__code__.co_filename and code not in seen:
            seen.add(code)
            used = [step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"]
            waiting += [*code.co_consts, *map(function.__globals__.get, used)]
            yield from used


def _require_own_names(path: pathlib.Path, heading: str) -> None:
    """Raise `NotYet` if a section defines a name that another one defines otherwise; the later would replace it."""
    definitions = {each: _definitions(body) for each, (body, _) in _sections(path).items()}
    for other in definitions.keys() - {heading}:
        for name in definitions[heading].keys() & definitions[other].keys():
            same = definitions[heading][name] == definitions[other][name]
            require(
                same, f"`{name}` is already in the section of {other}, with another body: give it another name here"
            )


def _definitions(body: str) -> dict[str, str]:
    nodes = [node for node in ast.parse(body).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return {node.name: ast.unparse(node) for node in nodes}


def _one_or_all(pieces: list[Any]) -> Any:
    return pieces[0] if len(pieces) == 1 else pieces


def _cell_of(*functions: Callable[..., Any]) -> str:
    """Return what the functions' cell imports and defines; its other lines, such as calls, stay where they are."""
    file_name = functions[0].__code__.co_filename
    lines = linecache.getlines(file_name)
    if os.path.exists(file_name) or not lines:  # a file, and no cell
        return "\n\n\n".join(inspect.getsource(function).strip("\n") for function in functions)
    nodes = ast.parse("".join("\n" if line.startswith(("%", "!")) else line for line in lines)).body
    definitions = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    kept: list[ast.stmt] = [node for node in nodes if isinstance(node, definitions)]
    for node in reversed(nodes):  # constants, if something that is kept uses them
        used = {each.id for one in kept for each in ast.walk(one) if isinstance(each, ast.Name)}
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        if isinstance(node, ast.Assign) and not names & {"keep", "take"}:
            targets = {each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)}
            kept += [node] if targets & used else []
    parts = []
    for node in sorted(kept, key=lambda node: node.lineno):
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        parts.append("".join(lines[first - 1 : node.end_lineno]).strip("\n"))
    return "\n\n\n".join(parts)


def _sections(path: pathlib.Path) -> dict[str, tuple[str, bool]]:
    """The text of each section by its heading, and whether it is still as it was found right."""
    parts = _SECTION.split(path.read_text(encoding="utf-8")) if path.exists() else []
    bodies = [(heading, digest, body.strip("\n")) for heading, digest, body in zip(*[iter(parts[1:])] * 3, strict=True)]
    return {heading: (body, digest == _digest(body)) for heading, digest, body in bodies}


def is_begun(path: pathlib.Path) -> bool:
    """Whether the file has sections of the course."""
    return bool(_sections(path))


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:8]


def _with_section(path: pathlib.Path, heading: str, code: str) -> str:
    """The file's text with this section, in the order of the course; others are left alone."""
    text = path.read_text(encoding="utf-8") if path.exists() else HEADER
    begin = _SECTION.search(text)
    sections = _sections(path) | {heading: (code, True)}
    order = [*_HEADINGS.values(), *sections]  # a heading that is not the course's goes last
    parts = [(text[: begin.start()] if begin else text).rstrip("\n")]
    for each in sorted(sections, key=order.index):
        body, is_right = sections[each]
        parts.append(f"# %% {each}{f' (checked {_digest(body)})' if is_right else ''}\n\n\n{body}")
    return "\n\n\n".join(parts) + "\n"


def _count(path: pathlib.Path, chapter: str = "") -> int:
    """How many promises are kept, of a chapter or of all, by sections that are as they were found right."""
    there = _sections(path)
    right = {heading for heading in there if there[heading][1] and heading.startswith(chapter)}
    return sum(len(_PROMISES[names]) for names, heading in _HEADINGS.items() if heading in right)


def progress() -> None:
    """Print how far ``mine.py`` has come, chapter by chapter, and which pieces were changed since they were tried."""
    path = file()
    there = _sections(path)
    titles = {chapter.number: chapter.title for chapter in CHAPTERS}
    for chapter, pieces in CHAPTER_PROMISES.items():
        done, all_of_them = _count(path, chapter), sum(len(promises) for _, promises in pieces)
        bar = colored("█" * done, GREEN) + "░" * (all_of_them - done) + " " * (15 - all_of_them)
        print(f"{chapter} {bar} {done:2} of {all_of_them:2}  {titles[chapter]}")
    print(f"{path.name}: {_count(path)} of {COUNT} promises" + ("" if there else "; it begins in chapter 02"))
    changed = [heading for heading, (_, is_right) in there.items() if not is_right]
    if changed:
        print(colored(f"changed since it was tried: {'; '.join(changed)}; run its cell again, or grade the file", RED))
    _mine()  # says so if the file is not Python


def overview() -> None:
    """Print the chapters of the course, those to be read in turn and those that stand beside them, with their times."""
    for is_core, heading in ((True, "the path, in this order"), (False, "side paths, in any order")):
        chapters = [chapter for chapter in CHAPTERS if chapter.is_core == is_core]
        minutes = sum(chapter.minutes for chapter in chapters)
        print(f"{heading}: {minutes / 60:.1f} hours, exercises included")
        for chapter in chapters:
            time, _, more = chapter.time.partition(", ")
            more = "you build" if chapter.number in PIECES else more
            print(f"  {chapter.number}  {time:>7}  {chapter.title}  {more}".rstrip())


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
        elsewhere = pathlib.Path("tutorials") / path.name
        begun = f"yours is {elsewhere}" if elsewhere.exists() else "chapter 02 begins it, as tutorials/mine.py"
        raise CannotLoad(f"cannot read {path}: there is no such file; {begun}")
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
            for outcome in outcomes[: 1 if outcomes[0].status == TO_DO else None]:
                print(in_color(str(outcome)), flush=True)
            report.outcomes.extend(outcomes)
    kept = sum(outcome.status == KEPT for outcome in report.outcomes)
    broken = sum(outcome.status == BROKEN for outcome in report.outcomes)
    upto = f"the {len(report.outcomes)} promises up to chapter {chapter}, {COUNT} in all"
    summary = f"{path.name}: kept {kept} of {upto}" + (f"; {broken} {BROKEN}" if broken else "")
    print(colored(summary, RED if broken else GREEN))
    return report
