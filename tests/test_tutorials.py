"""Every notebook runs, is committed as it ran, and its exercises and blanks can be filled."""

import functools
import inspect
import json
import os
import pathlib
import re
import sys

import pytest

from mininet.course import CHAPTERS, PIECES, own

TUTORIALS = pathlib.Path(__file__).parents[1] / "tutorials"
EVERY_CHAPTER = pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.file for chapter in CHAPTERS])
FIRST = """%reset -f
from matplotlib_inline.config import InlineBackend
InlineBackend.instance().print_figure_kwargs = {"dpi": 40, "bbox_inches": None}
import gc, os, mininet
mininet.set_num_threads(os.cpu_count())
os.environ["MININET_MINE"] = PATH
gc.collect(); gc.freeze(); del gc, os, mininet, InlineBackend"""
"""What a notebook runs first here: the one before is forgotten, and figures are drawn once each, of fewer pixels."""
TRIED = re.compile(r'^(?:check\("(\d\d\.\d)", .*|([\w, ]+) = keep\(.*)\)$', re.MULTILINE)
SOLUTION = re.compile(r"<summary>Solution</summary>(.*?)</details>", re.DOTALL)
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
COLOR = re.compile(r"\x1b\[\d+m")


class Node(dict):
    """Of a notebook's JSON, like nbformat's nodes: entries are attributes too, and text is in one piece."""

    __getattr__ = dict.__getitem__

    def __init__(self, entries):
        super().__init__(entries)
        self.update((key, "".join(self[key])) for key in ("source", "text") if key in self)


@functools.cache
def read(chapter):
    text = (TUTORIALS / f"{chapter.file}.ipynb").read_text(encoding="utf-8")
    return json.loads(text, object_hook=Node)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def markdown(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tasks(notebook):
    """The cell of each exercise, by number, and of each piece, by its functions: its last line tries the answer."""
    return {match[1] or match[2]: cell for cell in code_cells(notebook) for match in TRIED.finditer(cell.source)}


def solutions(notebook):
    """The code that solves each task, which stands folded before its cell."""
    found, code = {}, None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            shown = [match[1] for text in SOLUTION.findall(cell.source) for match in CODE.finditer(text)]
            code = shown[-1] if shown else code
        elif match := TRIED.search(cell.source):
            found[match[1] or match[2]], code = code, None
    return found


def verdict(cell):
    """The last line that it printed."""
    printed = [output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout"]
    return COLOR.sub("", "".join(printed)).splitlines()[-1]


def is_open(cell):
    return verdict(cell).startswith(("not yet: ", "open: "))


def problems(cells):
    """What was written to stderr, warnings as a rule, and errors."""
    outputs = [output for cell in cells for output in cell.outputs]
    return [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_the_chapters_are_the_notebooks_that_are_there():
    assert [path.stem for path in sorted(TUTORIALS.glob("*.ipynb"))] == [
        "00_the_course", *(chapter.file for chapter in CHAPTERS)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def client():
    """What runs notebooks, all in one kernel: a new one for each would import, and load compiled code, again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TUTORIALS.parent), prepend=os.pathsep)  # the kernel runs this source tree
        patch.setitem(sys.modules, "rfc3987_syntax", None)  # what checks web addresses takes seconds to begin
        import nbclient
        from jupyter_client import KernelManager

        manager = KernelManager()
        folder = {"metadata": {"path": str(TUTORIALS)}}
        client = nbclient.NotebookClient(None, manager, timeout=300, startup_timeout=300, resources=folder)
        yield client
        client.kc.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.slow
@EVERY_CHAPTER
def test_runs_and_its_solutions_are_right(chapter, client, tmp_path):
    import nbformat
    from nbformat.v4 import new_code_cell

    client.nb = notebook = nbformat.read(TUTORIALS / f"{chapter.file}.ipynb", as_version=4)
    cells, stubs, solved = code_cells(notebook), tasks(notebook), solutions(notebook)
    for cell in cells:
        cell.outputs = []
    answers = {  # run after the notebook, as the reader does who goes back to an exercise
        task: new_code_cell(f"{solved[task]}\n\n{TRIED.search(stub.source)[0]}") for task, stub in stubs.items()
    }
    first = new_code_cell(FIRST.replace("PATH", repr(str(tmp_path / "mine.py"))))
    notebook.cells = [first, *notebook.cells, *answers.values()]
    client.execute()
    assert not problems([first, *cells, *answers.values()])
    assert (tmp_path / "mine.py").exists() == (chapter.number in PIECES)
    for task in stubs:
        assert is_open(stubs[task]), f"the stub of {task} passes"
        assert verdict(answers[task]).startswith("right"), answers[task].outputs


@EVERY_CHAPTER
def test_committed_as_executed_from_top_to_bottom(chapter):
    cells = code_cells(read(chapter))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not problems(cells)
    assert all(map(is_open, tasks(read(chapter)).values()))


@EVERY_CHAPTER
def test_has_what_every_notebook_has(chapter):
    notebook = read(chapter)
    text = markdown(notebook)
    assert text.startswith(f"# {chapter.title}\n")
    for heading in ("Summary", "Further reading"):
        assert f"\n## {heading}\n" in text
    figures = [
        output for cell in code_cells(notebook) for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    assert len(figures) >= 2
    assert text.count("**What to see.**") >= 2
    assert len(tasks(notebook)) == len(
        re.findall(r"^\*\*(?:Exercise|Build) .*\*\* · (?:easy|medium|hard)\.", text, re.M)
    )
    assert text.count("<details><summary>Hint</summary>") >= len(tasks(notebook))
    if chapter.optional:
        assert text.index("\n## Summary\n") < text.index("**Exercise")


@EVERY_CHAPTER
def test_plotting_code_is_folded(chapter):
    for cell in code_cells(read(chapter)):
        if "plotting.figure(" in cell.source:
            assert "hide-input" in cell.metadata.get("tags", []), cell.source
            assert cell.metadata.jupyter.source_hidden


@pytest.mark.parametrize("number", PIECES)
def test_solutions_of_pieces_are_the_courses_own(number):
    (chapter,) = (each for each in CHAPTERS if each.number == number)
    shown = solutions(read(chapter))
    assert ", ".join(task for task in shown if not task[0].isdigit()) == ", ".join(PIECES[number])
    for task, code in shown.items():
        for name in [] if task[0].isdigit() else task.split(", "):
            lines = inspect.getsource(getattr(own, name)).splitlines()
            assert "\n".join(line for line in lines if '"""' not in line) in code


@EVERY_CHAPTER
def test_links_lead_to_files_that_are_there(chapter):
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)(#[^)]*)?\)", markdown(read(chapter)))
    assert targets
    for target, _ in targets:
        assert (TUTORIALS / target).exists(), target


@EVERY_CHAPTER
def test_needs_nothing_from_elsewhere(chapter):
    code = "\n".join(cell.source for cell in code_cells(read(chapter)))
    for word in ("urllib", "requests", "/home", "/tmp", "download=True", "!pip", "%pip", "shared/"):
        assert word not in code


@EVERY_CHAPTER
def test_the_page_of_the_course_lists_it_with_its_time(chapter):
    page = (TUTORIALS.parent / "docs" / "course.md").read_text(encoding="utf-8")
    link = f"[{chapter.number} {chapter.title}](../tutorials/{chapter.file}.ipynb)"
    assert f"| {link} | {chapter.time} | {chapter.about} |" in page
