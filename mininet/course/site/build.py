"""From the repository to a folder of pages: it starts with the course, and follows every link."""

import ast
import collections
import contextlib
import dataclasses
import html
import io
import os
import pathlib
import posixpath
import re
import shutil
import tempfile
from urllib.parse import quote, unquote

import jinja2
import matplotlib
import nbformat
from markupsafe import Markup
from PIL import Image

from ...base.files import naming
from ...experiments.reproduce import EXPERIMENTS
from ..contents import CHAPTERS
from . import notebook
from .markdown import Renderer, highlighted, plain, render, slug

PICTURES = (".png", ".gif", ".jpg", ".svg")
TEXTS = {".py": "python", ".toml": "toml", ".json": "json", ".txt": "text", "": "text"}
LANGUAGES = TEXTS | {"Makefile": "make"}
MATHEMATICS_FONT = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSerif.ttf")
GENERATOR = "mininet.course.site"


class SiteError(Exception):
    """The site cannot be built; the message names the page and what is wrong there."""


def build(root, output, chapters=CHAPTERS):
    """Write the site, as a whole or not at all; an older one in its place is replaced.

    Parameters
    ----------
    root : path
        Of the repository.
    output : path
        A folder that is not there yet, is empty, or holds a site.
    chapters : sequence of Chapter

    Returns
    -------
    int
        The number of pages.

    Raises
    ------
    SiteError
        If a notebook is not there, a link leads nowhere, a formula cannot be shown, or `output` holds something else.
    """
    output = pathlib.Path(output).resolve()
    with _written_as_a_whole(output) as folder:
        return _Site(pathlib.Path(root).resolve(), folder, chapters).write()


@contextlib.contextmanager
def _written_as_a_whole(output):
    if output.exists() and not (output.is_dir() and (not any(output.iterdir()) or _is_site(output))):
        raise SiteError(f"{output} holds something that is not such a site; it stays as it is")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as temporary:
        new, old = pathlib.Path(temporary, "new"), pathlib.Path(temporary, "old")
        new.mkdir()
        with naming(output):
            yield new
        if output.exists():
            os.replace(output, old)
        os.replace(new, output)


def _is_site(folder):
    home = folder / "index.html"
    return home.is_file() and f'content="{GENERATOR}"' in home.read_text(encoding="utf-8", errors="replace")


@dataclasses.dataclass
class _Page:
    """What is on a page, apart from what all pages have."""

    source: str  # where in the repository it comes from
    title: str
    body: str
    kind: str  # "course", "results", "page", "code" or "home"
    about: str = ""
    label: str = ""  # a line over the title
    headings: list = dataclasses.field(default_factory=list)


class _Site:
    def __init__(self, root, folder, chapters):
        self.root, self.folder = root, folder
        self.chapters = {f"tutorials/{chapter.file}.ipynb": chapter for chapter in chapters}
        order = [f"docs/results/{name}.md" for name in EXPERIMENTS]
        pages = sorted(path.relative_to(root).as_posix() for path in (root / "docs" / "results").glob("*.md"))
        self.results = sorted(pages, key=lambda page: order.index(page) if page in order else len(order))
        self.waiting, self.known, self.fragments, self.anchors = collections.deque(), set(), [], {}
        templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.template, self.home_template = templates.get_template("page.html"), templates.get_template("home.html")

    def write(self):
        """All pages; how many."""
        missing = [source for source in self.chapters if not (self.root / source).is_file()]
        if missing:
            raise SiteError(f"{', '.join(missing)} not there")
        self.ask_for(*self.chapters, *self.results, "README.md", "mininet")
        pages = 1
        self.finish(self.home())
        while self.waiting:
            source = self.waiting.popleft()
            with _named(source):
                page = self.page(source)
            if page is not None:
                pages += 1
                self.finish(page)
        for source, target, fragment in self.fragments:
            if fragment not in self.anchors.get(target, ()):
                raise SiteError(f"{source} links to #{fragment} of {target}, which has no such section")
        shutil.copyfile(pathlib.Path(__file__).with_name("style.css"), self.folder / "style.css")
        shutil.copyfile(MATHEMATICS_FONT, self.folder / "math.ttf")
        return pages

    def ask_for(self, *sources):
        for source in sources:
            if source not in self.known:
                self.known.add(source)
                self.waiting.append(source)

    # -- links

    def link(self, target, source):
        """The address, on the page of `source`, of what it calls `target`; that is then part of the site."""
        if re.match(r"(https?|mailto):", target):
            return target
        path, _, fragment = unquote(target).partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path)) if path else source
        if fragment:
            fragment = slug(fragment)
            self.fragments.append((source, path, fragment))
        return self.address(path, source) + (f"#{quote(fragment)}" if fragment else "")

    def address(self, path, source):
        """From the page of `source` to that of `path`, both in the repository."""
        if path.startswith("..") or not (self.root / path).exists():
            raise SiteError(f"it links to {path}, which is not there")
        if path != ".":
            self.ask_for(path)
        return quote(posixpath.relpath(self.place(path), posixpath.dirname(self.place(source)) or "."))

    def place(self, source):
        """Where on the site something in the repository is."""
        if (self.root / source).is_dir():
            return posixpath.join(source, "index.html") if source != "." else "index.html"
        stem, suffix = posixpath.splitext(source)
        if suffix in (".md", ".ipynb"):
            return f"{stem}.html"
        return f"{source}.html" if self.is_text(source) else source

    def is_text(self, source):
        return posixpath.splitext(source)[1] in TEXTS

    # -- pages

    def page(self, source):
        """The page of a file or folder; None for what is only copied."""
        path = self.root / source
        if path.is_dir():
            return self.listing(source)
        if source in self.chapters:
            return self.notebook_page(source)
        if path.suffix == ".ipynb":
            raise SiteError("it is not a chapter of the course")
        if path.suffix == ".md":
            return self.markdown_page(source)
        if self.is_text(source):
            return self.code_page(source)
        self.copied(source)
        return None

    def renderer(self, source, about=""):
        def picture(target, alternative):
            if re.match(r"\w+:", target):
                raise SiteError(f"its picture {target} is not part of the repository")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
            if alternative == pathlib.PurePath(target).stem and about:  # a page of results
                alternative = f"{alternative}: {about}"
            return self.picture(self.address(path, source), (self.root / path).read_bytes(), alternative, source)

        return Renderer(lambda target: self.link(target, source), picture)

    def markdown_page(self, source):
        is_result = source in self.results
        about = _first_line(EXPERIMENTS, source) if is_result else ""
        renderer = self.renderer(source, about)
        body = render((self.root / source).read_text(encoding="utf-8"), renderer)
        title = next((plain(text) for level, _, text in renderer.headings if level == 1), source)
        kind = "results" if is_result else "page"
        label = "Results" if is_result else source
        return _Page(source, title, body, kind, about or source, label, renderer.headings)

    def notebook_page(self, source):
        chapter = self.chapters[source]
        renderer = self.renderer(source)
        figures = []

        def draw(data, alternative):
            figures.append(data)
            name = f"{chapter.file}-{len(figures)}.png"
            self.save(posixpath.join("tutorials", name), data)
            return f"<p>{self.picture(name, data, alternative, source)}</p>"

        body = notebook.render(
            nbformat.read(self.root / source, as_version=4), lambda text: render(text, renderer), draw
        )
        label = f"Chapter {int(chapter.number)} of {len(self.chapters)} · {chapter.minutes} minutes and exercises"
        return _Page(source, chapter.title, body, "course", chapter.about, label, renderer.headings)

    def code_page(self, source):
        path = self.root / source
        text = path.read_text(encoding="utf-8")
        language = LANGUAGES.get(path.name) or LANGUAGES[path.suffix]
        folder = posixpath.dirname(source) or "."
        up = f'<a href="{self.address(folder, source)}">{folder}</a>/' if folder != "." else ""
        code = (
            highlighted(text, language, linenos="inline", lineanchors="line")
            if text.strip()
            else "<p>An empty file.</p>"
        )
        body = f'<h1 class="path">{up}{path.name}</h1>\n{code}'
        return _Page(source, source, body, "code", _docstring(path) or source, "Code")

    def listing(self, source):
        """What is in a folder."""
        folder, rows = self.root / source, []
        for path in sorted(folder.iterdir(), key=lambda path: (path.is_file(), path.name)):
            inside = path.relative_to(self.root).as_posix()
            if path.name.startswith((".", "__pycache__")):
                continue
            is_page = (
                path.is_dir() or self.is_text(inside) or path.suffix in (*PICTURES, ".md") or inside in self.chapters
            )
            name = f"<code>{path.name}{'/' if path.is_dir() else ''}</code>"
            name = f'<a href="{self.address(inside, source)}">{name}</a>' if is_page else name
            rows.append(f"<tr><td>{name}</td><td>{html.escape(_docstring(path), quote=False)}</td></tr>")
        table = f'<div class="scrolls"><table class="files">{"".join(rows)}</table></div>'
        up, name = posixpath.split(source)
        up = f'<a href="{self.address(up, source)}">{up}</a>/' if up else ""
        body = f'<h1 class="path">{up}{name}/</h1>\n<p>{html.escape(_docstring(folder), quote=False)}</p>\n{table}'
        return _Page(source, f"{source}/", body, "code", f"The files in {source}", "Code")

    def home(self):
        """The first page: the README's first words and its figure, the course and the results."""
        readme = (self.root / "README.md").read_text(encoding="utf-8")
        figure = re.search(r"^!\[[^\]]*\]\([^)]*\)\n\n.*?(?=\n\n)", readme, re.MULTILINE | re.DOTALL)
        renderer = self.renderer("README.md")
        introduction = re.split(r"^## ", readme, maxsplit=1, flags=re.MULTILINE)[0]
        with _named("README.md"):
            shown = render(figure[0], renderer) if figure and figure[0] not in introduction else ""
            introduction = render(introduction, renderer)
        body = self.home_template.render(
            introduction=Markup(introduction),
            figure=Markup(shown),
            chapters=[(self.address(source, "."), chapter) for source, chapter in self.chapters.items()],
            results=[
                (self.address(source, "."), posixpath.basename(source)[:-3], _first_line(EXPERIMENTS, source))
                for source in self.results
            ],
            readme=self.address("README.md", "."),
            code=self.address("mininet", "."),
        )
        headings = [(1, "mininet", "mininet"), (2, "the-course", "The course"), (2, "results", "Results")]
        return _Page(".", "mininet", body, "home", plain(introduction.split("</p>")[0].split("</h1>")[1]), "", headings)

    # -- files

    def picture(self, address, data, alternative, source):
        """A picture that leads to itself, at its full size; one that moves has a still one for who prefers that."""
        image = Image.open(io.BytesIO(data))
        size = f'width="{image.width}" height="{image.height}"'
        shown = f'<img src="{address}" alt="{html.escape(alternative)}" {size}>'
        if getattr(image, "is_animated", False):
            still = io.BytesIO()
            image.convert("RGB").save(still, "png")
            self.save(
                posixpath.join(posixpath.dirname(self.place(source)), f"{unquote(address)}.png"), still.getvalue()
            )
            reduced = f'<source srcset="{address}.png" media="(prefers-reduced-motion: reduce)">'
            shown = f"<picture>{reduced}{shown}</picture>"
        return f'<a class="figure" href="{address}">{shown}</a>'

    def copied(self, source):
        self.save(source, (self.root / source).read_bytes())

    def save(self, place, data):
        path = self.folder / posixpath.normpath(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def finish(self, page):
        """Write a page, with the navigation around it."""
        self.anchors[page.source] = {identifier for _, identifier, _ in page.headings}
        sequence = {"course": list(self.chapters), "results": self.results}.get(page.kind, [])
        place = sequence.index(page.source) if page.source in sequence else None
        neighbours = {}
        if place is not None:
            neighbours = {"previous": sequence[place - 1 : place], "next": sequence[place + 1 : place + 2]}
        text = self.template.render(
            page=page,
            body=Markup(page.body),
            generator=GENERATOR,
            to=lambda source: self.address(source, page.source),
            style=posixpath.relpath("style.css", posixpath.dirname(self.place(page.source)) or "."),
            sections=[(identifier, Markup(text)) for level, identifier, text in page.headings if level == 2],
            chapters=self.chapters.items(),
            results=[(source, posixpath.basename(source)[:-3]) for source in self.results],
            neighbours={which: (found[0], self.name(found[0])) for which, found in neighbours.items() if found},
        )
        self.save(self.place(page.source), text.encode())

    def name(self, source):
        if source in self.chapters:
            return f"{self.chapters[source].number} {self.chapters[source].title}"
        return posixpath.basename(source)[:-3]


@contextlib.contextmanager
def _named(source):
    """Errors say on which page they are."""
    try:
        yield
    except (SiteError, ValueError) as error:
        raise SiteError(f"{source}: {error}") from None


def _docstring(path):
    """What the first line of a module or package says."""
    path = path / "__init__.py" if path.is_dir() else path
    if path.suffix != ".py" or not path.is_file():
        return ""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ").replace("`", "")


def _first_line(experiments, source):
    """What an experiment is about, from its code."""
    modules = experiments.get(posixpath.basename(source)[:-3])
    return modules[0].__doc__.strip().splitlines()[0].replace("`", "") if modules else ""
