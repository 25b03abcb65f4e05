"""Every notebook runs from a clean kernel, is committed as it ran, and its exercises can be solved."""

import os
import pathlib
import re

import nbclient
import nbformat
import pytest
from nbformat.v4 import new_code_cell

from mininet.course import CHAPTERS

TUTORIALS = pathlib.Path(__file__).parents[1] / "tutorials"
EVERY_CHAPTER = pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.file for chapter in CHAPTERS])
QUICK_FIGURES = """from matplotlib_inline.config import InlineBackend
InlineBackend.instance().print_figure_kwargs = {"dpi": 40, "bbox_inches": None}"""
"""What a notebook runs first here: figures of fewer pixels, drawn once each; its own are committed with it."""
CHECK = re.compile(r'^check\("(\d\d\.\d)", .*\)$', re.MULTILINE)


def read(chapter):
    return nbformat.read(TUTORIALS / f"{chapter.file}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def markdown(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def exercises(notebook):
    """The cell of each exercise, by number; its last line is the check."""
    return {match[1]: cell for cell in code_cells(notebook) for match in CHECK.finditer(cell.source)}


def solutions(chapter):
    """The code that solves each exercise, by number."""
    text = (TUTORIALS / "solutions" / f"{chapter.file}.py").read_text(encoding="utf-8")
    parts = re.split(r"^# %% (\d\d\.\d)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


def verdict(cell):
    """The last line that it printed."""
    return printed(cell).splitlines()[-1]


def problems(cells):
    """What was written to stderr, warnings as a rule, and errors."""
    outputs = [output for cell in cells for output in cell.outputs]
    return [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_the_chapters_are_the_notebooks_that_are_there():
    assert [path.stem for path in sorted(TUTORIALS.glob("*.ipynb"))] == [chapter.file for chapter in CHAPTERS]
    assert [path.stem for path in sorted((TUTORIALS / "solutions").glob("*.py"))] == [
        chapter.file for chapter in CHAPTERS
    ]


@pytest.mark.slow
@EVERY_CHAPTER
def test_runs_from_a_clean_kernel_and_solutions_are_right(chapter, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TUTORIALS.parent), prepend=os.pathsep)  # the kernel runs this source tree
    notebook = read(chapter)
    cells, stubs, solved = code_cells(notebook), exercises(notebook), solutions(chapter)
    for cell in cells:
        cell.outputs = []
    answers = {  # run after the notebook, as the reader does who goes back to an exercise
        number: new_code_cell(f"{solved[number]}\n\n{CHECK.search(stub.source)[0]}") for number, stub in stubs.items()
    }
    notebook.cells = [new_code_cell(QUICK_FIGURES), *notebook.cells, *answers.values()]
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(TUTORIALS)}}).execute()
    assert not problems([*cells, *answers.values()])
    for number in stubs:
        assert verdict(stubs[number]).startswith("not yet: "), f"the stub of {number} passes"
        assert verdict(answers[number]) == "right", printed(answers[number])


@EVERY_CHAPTER
def test_committed_as_executed_from_top_to_bottom(chapter):
    cells = code_cells(read(chapter))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not problems(cells)
    for cell in exercises(read(chapter)).values():
        assert verdict(cell).startswith("not yet: ")


@EVERY_CHAPTER
def test_has_what_every_notebook_has(chapter):
    notebook = read(chapter)
    text = markdown(notebook)
    assert text.startswith(f"# {chapter.title}\n")
    for heading in ("Summary", "Exercises", "Further reading"):
        assert f"\n## {heading}\n" in text
    summary = text.split("\n## Summary\n")[1].split("\n## ")[0]
    assert re.findall(r"^(\d)\. ", summary, flags=re.MULTILINE) == ["1", "2", "3", "4", "5"]
    figures = [
        output for cell in code_cells(notebook) for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    assert len(figures) >= 2
    assert text.count("**What to see.**") >= 2


@EVERY_CHAPTER
def test_exercises_have_hints_checks_and_solutions(chapter):
    notebook = read(chapter)
    numbers = list(exercises(notebook))
    assert numbers == [f"{chapter.number}.{k + 1}" for k in range(len(numbers))]
    assert 3 <= len(numbers) <= 6
    assert list(solutions(chapter)) == numbers
    part = markdown(notebook).split("\n## Exercises\n")[1]
    assert part.count("<details><summary>Hint</summary>") == len(numbers)
    for k in range(len(numbers)):
        assert f"\n**{k + 1}.** " in part


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
def test_the_readme_lists_it_with_its_time(chapter):
    readme = (TUTORIALS.parent / "README.md").read_text(encoding="utf-8")
    part = readme.split("\n## The course\n")[1].split("\n## ")[0]
    assert f"[{chapter.number} {chapter.title}](tutorials/{chapter.file}.ipynb) | {chapter.minutes} min" in part
