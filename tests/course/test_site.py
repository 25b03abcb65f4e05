"""The site of a small repository: its pages, their links, and what is refused."""

import base64
import html.parser
import urllib.parse

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mininet.course import Chapter
from mininet.course.site.build import SiteError, build

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="  # a PNG of 1x1
CHAPTERS = (
    Chapter("01", "01_first", "First steps", 10, "first", "How it begins."),
    Chapter("02", "02_second", "Second steps", 20, "second", "How it goes on."),
)
NAVIGATION = "[The course](../README.md#the-course) · [02 Second steps →](02_second.ipynb)"
RULE = (
    "## 1. The rule\n\n$v < x_n$ is in [exact.py](../mininet/kernels/exact.py), [there](../mininet/).\n\n$$\nx = 1\n$$"
)


class Reader(html.parser.HTMLParser):
    """The addresses and ids of a page."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.ids = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.addresses += [attributes[name] for name in ("href", "src") if name in attributes]
        self.ids += [attributes["id"]] if "id" in attributes else []


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    for folder in ("tutorials/solutions", "docs/results", "mininet/kernels"):
        (root / folder).mkdir(parents=True)
    (root / "README.md").write_text("# mininet\n\nWhat it is.\n\n## The course\n\n![A figure](docs/pixel.png)\n")
    (root / "docs/pixel.png").write_bytes(base64.b64decode(PIXEL))
    (root / "docs/results/crossing.md").write_text("# crossing\n\nFound: $x_1$.\n\n![crossing](../pixel.png)\n")
    (root / "mininet/__init__.py").write_text('"""The library."""\n')
    (root / "mininet/kernels/exact.py").write_text('"""In integers."""\n')
    write_notebook(root, 0, "# First steps\n\nGo on with [two](02_second.ipynb).")
    write_notebook(root, 1, "# Second steps\n\nBack to [the rule](01_first.ipynb#1.-The-rule).")
    return root


def write_notebook(root, number, text):
    outputs = [
        new_output("stream", name="stdout", text="\x1b[31ma < b"),
        new_output("display_data", data={"image/png": PIXEL}, metadata={"image/png": {"alt": "gamma = 0.9"}}),
    ]
    cells = [new_markdown_cell(each) for each in (text, NAVIGATION, RULE, NAVIGATION)]
    cells.insert(3, new_code_cell("draw()", outputs=outputs))
    notebook = new_notebook(cells=cells)
    nbformat.write(notebook, root / "tutorials" / f"{CHAPTERS[number].file}.ipynb")


def test_every_link_of_every_page_leads_somewhere(repository, tmp_path):
    site = tmp_path / "site"
    assert build(repository, site, CHAPTERS) == 9
    pages = {path: Reader(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        for target in page.addresses:
            address, _, fragment = urllib.parse.unquote(target).partition("#")
            if not address.startswith(("http", "data:")):
                found = (path.parent / address).resolve() if address else path
                assert found.is_file(), (path, target)
                assert not fragment or fragment in pages[found].ids, (path, target)
    assert "01_first.html#1-the-rule" in pages[site / "tutorials/02_second.html"].addresses
    first = (site / "tutorials/01_first.html").read_text(encoding="utf-8")
    assert '<pre class="output">a &lt; b</pre>' in first
    assert 'alt="Figure 1. gamma = 0.9' in first
    assert first.count('<math display="block"') == 1


@pytest.mark.parametrize("text", ["# A\n\n[there](nowhere.py)", "# A\n\n$\\foo$ here"])
def test_what_is_wrong_is_named_with_its_page_and_the_old_site_stays(repository, tmp_path, text):
    (tmp_path / "site").mkdir()
    write_notebook(repository, 0, text)
    with pytest.raises(SiteError, match=r"^tutorials/01_first\.ipynb"):
        build(repository, tmp_path / "site", CHAPTERS)
    assert not list((tmp_path / "site").iterdir())


def test_a_folder_with_something_else_is_left_alone(repository, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/index.html").write_text("mine")
    with pytest.raises(SiteError, match="something that is not such a site"):
        build(repository, tmp_path / "mine", CHAPTERS)
    assert (tmp_path / "mine/index.html").read_text() == "mine"
