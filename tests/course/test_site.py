"""The site: whole or not there, every link leads somewhere, nothing comes from elsewhere, all formulas are shown."""

import base64
import html.parser
import pathlib
import re
import subprocess
import sys
import urllib.parse

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mininet.course import CHAPTERS, Chapter
from mininet.course.site import notebook
from mininet.course.site.build import SiteError, build

REPOSITORY = pathlib.Path(__file__).parents[2]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="  # a PNG of 1x1
VOID = {"meta", "link", "img", "source", "br", "hr", "col", "input", "wbr"}
CHAPTER = Chapter("01", "01_first", "First steps", 10, "first", "How it begins.")
SECOND = Chapter("02", "02_second", "Second steps", 20, "second", "How it goes on.")
NAVIGATION = "[The course](../README.md#the-course) · [02 Second steps →](02_second.ipynb)"


class Reader(html.parser.HTMLParser):
    """Reads a page: its elements, ids and the texts of some of them; complains of tags that do not match."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.elements, self.ids, self.open, self.text, self.complaints = [], [], [], {}, []
        self.feed(path.read_text(encoding="utf-8"))
        self.complaints += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.complaints.append(f"</{tag}> closes {self.open[-3:]}, line {self.getpos()[0]}")
        else:
            self.open.pop()

    def handle_data(self, data):
        for tag in {"math", "main", "annotation", "title", "h1"} & set(self.open):
            self.text[tag] = self.text.get(tag, "") + data

    def all(self, tag, **attributes):
        return [has for name, has in self.elements if name == tag and attributes.items() <= has.items()]


# -- a small repository


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    for folder in ("tutorials/solutions", "docs/results", "mininet/kernels"):
        (root / folder).mkdir(parents=True)
    (root / "README.md").write_text(
        "# mininet\n\nWhat it is.\n\n## The course\n\n![A figure](docs/pixel.png)\n\nSeen.\n\n"
    )
    (root / "docs/pixel.png").write_bytes(base64.b64decode(PIXEL))
    (root / "docs/results/crossing.md").write_text("# crossing\n\nFound: $x_1$.\n\n![crossing](../pixel.png)\n")
    (root / "mininet/__init__.py").write_text('"""The library."""\n')
    (root / "mininet/kernels/exact.py").write_text('"""In integers."""\n\nx = 1 < 2\n')
    (root / "tutorials/solutions/01_first.py").write_text("# %% 01.1\n")
    write_notebook(root)
    write_notebook(root, SECOND, "# Second steps\n\nBack to [the rule](01_first.ipynb#1.-The-rule).")
    return root


def write_notebook(root, chapter=CHAPTER, text="# First steps\n\nGo on with [two](02_second.ipynb).", *cells):
    rule = new_markdown_cell(
        "## 1. The rule\n\nThe rule $v < x_n$ is in [exact.py](../mininet/kernels/exact.py), its "
        "[folder](../mininet/).\n\n$$\nx_{n+1} = x_n\n$$\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n"
        "<details><summary>Hint</summary>\n\nTry $-1$.\n\n</details>"
    )
    cells = [new_markdown_cell(text), new_markdown_cell(NAVIGATION), rule, *cells, new_markdown_cell(NAVIGATION)]
    nbformat.write(new_notebook(cells=cells), root / "tutorials" / f"{chapter.file}.ipynb")


def page_of(*cells):
    """The HTML of a notebook of these cells, formulas and Markdown left as they are."""
    return notebook.render(
        new_notebook(cells=list(cells)), lambda text: f"[{text}]", lambda _, alternative: f"<img {alternative}>"
    )


def written(repository, output):
    return build(repository, output, (CHAPTER, SECOND))


def test_pages_follow_the_repository(repository, tmp_path):
    number = written(repository, tmp_path / "site")
    pages = sorted(path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html"))
    assert pages == [
        "README.html", "docs/results/crossing.html", "index.html", "mininet/__init__.py.html", "mininet/index.html",
        "mininet/kernels/exact.py.html", "mininet/kernels/index.html", "tutorials/01_first.html",
        "tutorials/02_second.html",
    ]  # fmt: skip
    assert number == len(pages)
    check_all(tmp_path / "site")


def test_links_lead_to_the_pages_of_what_they_name(repository, tmp_path):
    written(repository, tmp_path / "site")
    first, second = (Reader(tmp_path / f"site/tutorials/{name}.html") for name in ("01_first", "02_second"))
    targets = [attributes["href"] for attributes in first.all("a")]
    assert {"02_second.html", "../mininet/kernels/exact.py.html", "../mininet/index.html"} <= set(targets)
    assert "1-the-rule" in first.ids
    assert "01_first.html#1-the-rule" in [attributes["href"] for attributes in second.all("a")]


def test_chapters_are_linked_in_their_order(repository, tmp_path):
    written(repository, tmp_path / "site")
    first, second = (Reader(tmp_path / f"site/tutorials/{name}.html") for name in ("01_first", "02_second"))
    assert [a["href"] for a in first.all("a", rel="next")] == ["02_second.html"]
    assert [a["href"] for a in second.all("a", rel="prev")] == ["01_first.html"]
    assert not first.all("a", rel="prev")
    assert not second.all("a", rel="next")
    assert [attributes["href"] for attributes in first.all("a", **{"aria-current": "page"})] == ["01_first.html"]
    assert "Second steps →" not in first.text["main"]  # the line of links that the notebook has itself


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A\n\n[there](nowhere.py)", "nowhere.py, which is not there"),
        ("# A\n\n[there](../../outside.py)", "outside.py, which is not there"),
        ("# A\n\n[there](02_second.ipynb#nothing)", "#nothing of tutorials/02_second.ipynb"),
        ("# A\n\n![picture](https://example.org/a.png)", "not part of the repository"),
        ("# A\n\n$\\foo$ here", r"\\foo is not known"),
        ("# A\n\n$$\n\\frac{1}\n$$", "missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_page_and_the_old_site_stays(repository, tmp_path, text, message):
    written(repository, tmp_path / "site")
    before = {path: path.read_bytes() for path in (tmp_path / "site").rglob("*.*")}
    write_notebook(repository, CHAPTER, text)
    with pytest.raises(SiteError, match=message) as caught:
        written(repository, tmp_path / "site")
    assert str(caught.value).startswith("tutorials/01_first.ipynb")
    assert {path: path.read_bytes() for path in (tmp_path / "site").rglob("*.*")} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repository", "site"]


def test_a_missing_chapter_is_an_error(repository, tmp_path):
    (repository / "tutorials/02_second.ipynb").unlink()
    with pytest.raises(SiteError, match="02_second"):
        written(repository, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_an_old_site_is_replaced_as_a_whole(repository, tmp_path):
    written(repository, tmp_path / "site")
    (tmp_path / "site/old.html").write_text("from before")
    written(repository, tmp_path / "site")
    assert not (tmp_path / "site/old.html").exists()


@pytest.mark.parametrize("name", ["a.txt", "index.html"])
def test_a_folder_with_something_else_is_left_alone(repository, tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    with pytest.raises(SiteError, match="something that is not such a site"):
        written(repository, tmp_path / "mine")
    assert (tmp_path / "mine" / name).read_text() == "mine"


def test_outputs():
    picture = {"image/png": PIXEL, "text/plain": "<Figure>"}
    cell = new_code_cell(
        "draw()",
        outputs=[
            new_output("stream", name="stdout", text="\x1b[31ma < b"),
            new_output("stream", name="stdout", text=" & c\n"),
            new_output("stream", name="stderr", text="careful"),
            new_output("display_data", data=picture),
            new_output("display_data", data=picture, metadata={"image/png": {"alt": "gamma = 0.9"}}),
            new_output("display_data", data={notebook.WIDGET: {"model_id": "1"}, "text/plain": "[controls for gamma]"}),
            new_output("execute_result", data={"text/plain": "<array>"}),
            new_output("display_data", data={"text/html": "<b>bold</b>", "text/plain": "no"}),
            new_output("error", ename="E", evalue="e", traceback=["\x1b[31mE: e"]),
        ],
    )
    shown = page_of(cell, new_markdown_cell("**What to see.** It falls. Then it\nrises."))
    assert '<pre class="output">a &lt; b &amp; c</pre>' in shown
    assert '<pre class="output error">careful</pre>' in shown
    assert "<img Figure 1. [It falls.>" in shown
    assert "<img Figure 2. gamma = 0.9. [It falls.>" in shown
    assert '<p class="widget">[controls for gamma]</p>' in shown
    assert "model_id" not in shown
    assert '<pre class="output">&lt;array&gt;</pre>' in shown
    assert "<b>bold</b>" in shown
    assert '<pre class="output error">E: e</pre>' in shown
    with pytest.raises(ValueError, match="image/webp"):
        page_of(new_code_cell("draw()", outputs=[new_output("display_data", data={"image/webp": ""})]))


def test_as_a_command(tmp_path):
    run = [sys.executable, "-m", "mininet.course.site"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.txt").write_text("mine")
    done = subprocess.run([*run, "--output", tmp_path / "mine"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("mininet: ")
    assert "something that is not such a site" in done.stderr


def test_without_the_development_dependencies_it_says_what_is_missing(tmp_path):
    hide = "import sys; sys.modules['nbconvert'] = None; sys.modules['mistune'] = None; "
    code = f"{hide}from mininet.course.site.__main__ import main; main(['--output', {str(tmp_path / 'site')!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "development dependencies" in done.stderr
    assert not (tmp_path / "site").exists()


# -- the look


def test_text_has_enough_contrast_in_light_and_dark():
    style = (REPOSITORY / "mininet/course/site/style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6});", block)) for block in blocks)
    assert light.keys() == dark.keys()
    for colors in (light, dark):
        papers = {name: colors.pop(name) for name in ("paper", "panel")}
        del colors["line"]  # no text
        for name, color in colors.items():
            for paper in papers.values():
                assert contrast(color, paper) >= 4.5, (name, color, paper)  # WCAG 2.2, level AA


def contrast(one, other):
    """By the definition in WCAG 2.2."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(color):
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_contrast_is_that_of_the_definition():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # a known near miss


# -- the real one


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    build(REPOSITORY, folder)
    return folder


@pytest.mark.slow
def test_the_real_site_is_whole(site):
    check_all(site)


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.file for chapter in CHAPTERS])
def test_every_chapter_has_its_page(site, chapter):
    source = nbformat.read(REPOSITORY / "tutorials" / f"{chapter.file}.ipynb", as_version=4)
    page = Reader(site / "tutorials" / f"{chapter.file}.html")
    assert page.text["h1"] == chapter.title
    assert page.all("a", **{"aria-current": "page", "href": f"{chapter.file}.html"})
    outputs = [output for cell in source.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
    assert len(page.all("p", **{"class": "widget"})) == sum(notebook.WIDGET in o.get("data", {}) for o in outputs)
    text = "\n\n".join(cell.source for cell in source.cells if cell.cell_type == "markdown")
    assert len(page.all("img")) == len(pictures) + text.count("![")
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    text, blocks = re.subn(r"\$\$.*?\$\$", "", text, flags=re.DOTALL)
    assert len(page.all("math", display="block")) == blocks
    inline = len(re.findall(r"(?<!\\)\$[^$]+\$", text))
    in_headings = sum(len(re.findall(r"\$[^$]+\$", line)) for line in re.findall(r"^## .*", text, re.MULTILINE))
    assert len(page.all("math", display="inline")) == inline + in_headings  # also in the list of sections
    for cell in source.cells:
        if cell.cell_type == "code":
            assert cell.source.strip() in page.text["main"]
    assert len(page.all("details")) - 1 == text.count("<details>")  # one is the menu


@pytest.mark.slow
def test_the_first_page_leads_to_all_chapters_and_results(site):
    main = (site / "index.html").read_text(encoding="utf-8").split("<main")[1]
    for chapter in CHAPTERS:
        assert f'<a href="tutorials/{chapter.file}.html">{chapter.title}</a>' in main
        assert f"{chapter.minutes} min" in main
    for path in (REPOSITORY / "docs" / "results").glob("*.md"):
        assert f'<a href="docs/results/{path.stem}.html">' in main


def check_all(site):
    """Every link and picture leads to a file, every anchor to an id; nothing is asked for from elsewhere."""
    pages = {path: Reader(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        assert not page.complaints, path
        assert len(set(page.ids)) == len(page.ids), path
        assert page.all("html") == [{"lang": "en"}]
        assert len(page.all("main")) == len(page.all("h1")) == 1, path
        assert page.text["title"]
        for attributes in page.all("a"):
            target = attributes.get("href", "#")  # without: a line of code
            if target == "#" or re.match("(https?|mailto):", target):
                continue
            address, _, fragment = urllib.parse.unquote(target).partition("#")
            found = (path.parent / address).resolve() if address else path
            assert found.is_file(), (path, target)
            assert site in found.parents, (path, target)
            assert not fragment or fragment in pages[found].ids, (path, target)
        for tag, attributes in page.elements:
            for name in ("src", "srcset", "data", "poster", *(("href",) if tag == "link" else ())):
                address = attributes.get(name)
                if address and not address.startswith("data:"):
                    assert (path.parent / urllib.parse.unquote(address)).is_file(), (path, address)
        for attributes in page.all("img"):
            assert len(attributes["alt"]) > 3, (path, attributes)
            assert {"width", "height"} <= attributes.keys()
        style = path.parent / page.all("link", rel="stylesheet")[0]["href"]
        assert style.resolve() == site / "style.css"
    for address in re.findall(r"url\(\"?([^)\"]*)", (site / "style.css").read_text(encoding="utf-8")):
        assert (site / address).is_file()
