"""Formulas become MathML when the site is built, so that a browser needs no script and no network to show them."""

import re

from docutils import nodes
from latex2mathml.converter import convert


def _mathml(node, display="inline"):
    # latex2mathml loses the size of a bracket with an exponent or index, unless they are apart
    text = re.sub(r"(\\[Bb]ig[lr]\)|(?:\\[Bb]ig[lr])?\\rVert)(?=[\^_])", r"{\1}", node.astext())
    return convert(text, display=display)


def _inline(translator, node):
    translator.body.append(_mathml(node))
    raise nodes.SkipNode


def _display(translator, node):
    translator.body.append(f'<div class="formula pst-scrollable-table-container">{_mathml(node, "block")}</div>')
    raise nodes.SkipNode


def setup(app):
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
