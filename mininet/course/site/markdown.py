"""Markdown, code and formulas as HTML."""

import html
import re

import mistune
from nbconvert.filters.markdown_mistune import MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from .mathematics import to_mathml

LONG = 24  # characters; on a phone, a formula in the text that has more scrolls inside itself
WORD_JOINER = "\u2060"  # a formula and the comma after it stay on one line


class Renderer(mistune.HTMLRenderer):
    """Makes the HTML of one page; its links and pictures are asked for from whoever knows where they lead.

    Parameters
    ----------
    link : callable
        From a target as written to the one to be used.
    picture : callable
        From the target and the alternative text of a picture to its HTML.

    Attributes
    ----------
    headings : list of tuple
        (level, id, HTML) of each so far.
    """

    def __init__(self, link, picture):
        super().__init__(escape=False)
        self._link, self._picture = link, picture
        self.headings = []

    def link(self, text, url, title=None):
        """Anchors of the page itself included."""
        return super().link(text, self._link(url), title)

    def image(self, text, url, title=None):
        """A picture."""
        return self._picture(url, plain(text))

    def heading(self, text, level, **attrs):
        """With an id, by which it can be linked to."""
        name = slug(plain(text))
        known = {known for _, known, _ in self.headings}
        identifier = next(new for k in range(len(known) + 1) if (new := f"{name}-{k}" if k else name) not in known)
        self.headings.append((level, identifier, text))
        anchor = f'<a class="anchor" href="#{identifier}" aria-label="Link to this section">#</a>' if level > 1 else ""
        return f'<h{level} id="{identifier}">{text}{anchor}</h{level}>\n'

    def table(self, text):
        """In a box that scrolls."""
        return f'<div class="scrolls"><table>\n{text}</table></div>\n'

    def block_code(self, code, info=None):
        """Highlighted if it says in which language."""
        return highlighted(code, info.split()[0] if info else "text")

    def inline_math(self, body):
        """A formula in the text."""
        mathml = to_mathml(body)
        return f'<span class="long">{mathml}</span>' if len(plain(mathml)) > LONG else mathml

    def block_math(self, body):
        """A formula on lines of its own; a span, since it may stand in a paragraph."""
        return f'<span class="formula">{to_mathml(body, "block")}</span>'

    def latex_environment(self, name, body):
        """The same, without dollars."""
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def render(text, renderer):
    """Markdown with formulas as HTML."""
    shown = MarkdownWithMath(renderer=renderer).render(text)
    shown = re.sub(r"(</math>(?:</span>)?)(?=[,.;:?!)\]])", rf"\1{WORD_JOINER}", shown)
    return re.sub(r"\((?=(?:<span class=\"long\">)?<math)", f"({WORD_JOINER}", shown)


def highlighted(code, language, **options):
    """Code as HTML with classes for its parts; in an unknown language, as it is."""
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        lexer = get_lexer_by_name("text", stripnl=False)
    return highlight(code, lexer, HtmlFormatter(cssclass="highlight", wrapcode=True, **options))


def plain(text):
    """HTML as plain text; formulas as the characters they show."""
    text = re.sub(r"<annotation.*?</annotation>", "", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).replace(WORD_JOINER, "").split())


def slug(title):
    """The anchor of a heading, as the code hosts make it: "Read it" has read-it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
