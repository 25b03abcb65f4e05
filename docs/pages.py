"""What our pages have beyond Sphinx: the code that they link to, figures in words, times of chapters, stills."""

import html
import importlib
import inspect
import pathlib
import posixpath
import re

from docutils import nodes
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.addnodes import download_reference, pending_xref
from sphinx.util.docutils import SphinxDirective

from mininet.course import CHAPTERS

ROOT = pathlib.Path(__file__).parents[1]
TIMES = {
    f"tutorials/{chapter.file}": chapter.time + ", exercises included" * (not chapter.optional) for chapter in CHAPTERS
}
STILL = 'alt="a still of this figure"'  # of the figures with controls, see `course.canvas`
HOME = '<!DOCTYPE html><title>mininet</title><meta http-equiv="refresh" content="0; url=docs/index.html">'


class Documented(SphinxDirective):
    """``.. documented:: module``, with names or for all of its ``__all__``: classes with their methods, functions."""

    required_arguments = 1
    has_content = True

    def run(self):
        """Write the directives of autodoc that do it."""
        module = importlib.import_module(self.arguments[0])
        lines = [f".. currentmodule:: {module.__name__}", ""]
        for name in " ".join(self.content).split() or sorted(module.__all__, key=str.lower):
            found = getattr(module, name)
            if isinstance(found, type):
                lines += [f".. autoclass:: {name}", "   :members:", "   :exclude-members: described", ""]
            elif callable(found):
                lines += [f".. autofunction:: {name}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def _address_of_code(domain, info):
    """Where the code of a documented object stands, seen from the pages of the reference."""
    found = importlib.import_module(info["module"])
    for name in info["fullname"].split("."):
        found = getattr(found, name, None)
    try:
        found = inspect.unwrap(getattr(found, "fget", found))
        path = pathlib.Path(inspect.getsourcefile(found)).relative_to(ROOT)
        return f"../../code/{path.as_posix()}.html#line-{inspect.getsourcelines(found)[1]}"
    except TypeError:
        return None  # an attribute


def _read(app, doctree):
    """Change a page as soon as it is read."""
    _drop_navigation(doctree)
    _say_sizes(app, doctree)
    _lead_to_code(app, doctree)
    _say_what_figures_show(doctree)
    _show_stills(app, doctree)
    time = TIMES.get(app.env.docname)
    if time:
        doctree.next_node(nodes.title).parent.insert(1, nodes.paragraph(text=time))


def _lead_to_code(app, doctree):
    """Links to Python files, which Sphinx would let the reader download, lead to pages with the code."""
    here = posixpath.dirname(app.env.docname)
    for node in list(doctree.findall(download_reference)):
        if node["reftarget"].endswith(".py"):
            path = posixpath.normpath(posixpath.join(here, node["reftarget"]))
            address = posixpath.relpath(f"code/{path}.html", here)
            node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=address))


def _drop_navigation(doctree):
    """A notebook's links to its neighbours and the list of chapters: the pages have their own."""
    for node in list(doctree.findall(nodes.paragraph)):
        if any("00_the_course" in link["reftarget"] for link in node.findall(pending_xref)) and "·" in node.astext():
            node.parent.remove(node)


def _say_sizes(app, doctree):
    """A browser leaves room for figures that have not come yet."""
    for node in doctree.findall(nodes.image):
        path = pathlib.Path(app.srcdir, node["uri"])
        if path.is_file():
            node["width"], node["height"] = map(str, Image.open(path).size)


def _say_what_figures_show(doctree):
    """The paragraph "What to see" below a figure is what someone hears who cannot see it."""
    figures = []
    for node in doctree.findall(lambda node: isinstance(node, nodes.image | nodes.raw | nodes.paragraph)):
        if isinstance(node, nodes.image) or STILL in node.astext():
            figures.append(node)
        elif node.astext().startswith("What to see."):
            text = re.sub(":$", ".", node.astext().removeprefix("What to see. "))
            for figure in figures:
                if isinstance(figure, nodes.image):
                    figure["alt"] = text
                else:
                    figure[:] = [nodes.Text(figure.astext().replace(STILL, f'alt="{html.escape(text)}"'))]
            figures = []


def _show_stills(app, doctree):
    """The style sheet shows a still of each animation to readers who ask for less motion."""
    for node in list(doctree.findall(nodes.image)):
        if node["uri"].endswith(".gif"):
            node["classes"].append("moves")
            source = pathlib.Path(app.srcdir, node["uri"])
            still = pathlib.Path(app.outdir, "_static", "stills", f"{source.stem}.png")
            still.parent.mkdir(parents=True, exist_ok=True)
            Image.open(source).convert("RGB").save(still)
            address = posixpath.relpath(f"_static/stills/{still.name}", posixpath.dirname(app.env.docname))
            tag = f'<img class="still" src="{address}" alt="{html.escape(node.get("alt", ""))}">'
            node.parent.insert(node.parent.index(node) + 1, nodes.raw("", tag, format="html"))


def _code_pages(app):
    """A page for each file of the package."""
    formatter = HtmlFormatter(linenos="inline", lineanchors="line")
    for path in sorted((ROOT / "mininet").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        title = name.replace("/", "/<wbr>")
        body = f"<h1><code>{title}</code></h1>{highlight(path.read_text(encoding='utf-8'), PythonLexer(), formatter)}"
        yield f"code/{name}", {"title": name, "body": body}, "page.html"


def _leave_room(app, pagename, templatename, context, doctree):
    """The list of contents at the right comes last, and must not push aside what is there already."""
    if context.get("toc", "").count("<li>") > 1:
        content = "html .bd-main .bd-content"
        width = f"{content} .bd-article-container {{ max-width: calc(100% - var(--pst-sidebar-secondary)); }}"
        place = f"{content} {{ justify-content: start; }}"
        context["metatags"] += f"<style>@media (min-width: 1200px) {{ {width} {place} }}</style>"


def _finish(app, exception):
    """Lead from the top folder to the first page."""
    if exception is None:
        pathlib.Path(app.outdir, "index.html").write_text(HOME, encoding="utf-8")


def setup(app):
    """Called by Sphinx."""
    app.add_directive("documented", Documented)
    app.connect("config-inited", lambda app, config: setattr(config, "linkcode_resolve", _address_of_code))
    app.connect("doctree-read", _read)
    app.connect("html-collect-pages", _code_pages)
    app.connect("html-page-context", _leave_room)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
