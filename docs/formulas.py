"""Formulas become MathML when the site is built, so that a browser needs no network to show them."""

import base64
import io
import pathlib
import re

import matplotlib
from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from latex2mathml.converter import convert

SCRIPTS = {
    "SubscriptShiftDown": 0.2, "SubscriptTopMax": 0.4, "SubscriptBaselineDropMin": 0.14, "SuperscriptShiftUp": 0.38,
    "SuperscriptShiftUpCramped": 0.31, "SuperscriptBottomMin": 0.22, "SuperscriptBaselineDropMax": 0.28,
    "SubSuperscriptGapMin": 0.12, "SuperscriptBottomMaxWithSubscript": 0.34, "SpaceAfterScript": 0.04,
}  # fmt: skip

CHARACTERS = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x300, 0x3FF), (0x2010, 0x2057), (0x2100, 0x22FF), (0x2308, 0x230B), (0x27E6, 0x27FF),
    (0x2A00, 0x2A3F), (0x1D400, 0x1D7FF),
]  # fmt: skip

ADD = 'document.fonts.add(new FontFace("mathematics", Uint8Array.from(atob("%s"), c => c.charCodeAt(0))));'

PRIME = (
    r'<mpadded voffset="-0.4em" height="0.5em"><mstyle scriptlevel="0">'
    r'<mo lspace="0" rspace="0">\1</mo></mstyle></mpadded>'
)  # the font's primes are high and large by themselves


def _make_font(app):
    """Browsers need a font with a table for mathematics.  Matplotlib's has one that leaves out where indices stand.

    A script adds it, as a font from a file comes after the page is shown, and would push what is below formulas.
    """
    font = TTFont(pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSerif.ttf"))
    constants = font["MATH"].table.MathConstants
    for name, share in SCRIPTS.items():
        getattr(constants, name).Value = round(share * font["head"].unitsPerEm)
    constants.ScriptPercentScaleDown = 75
    options = subset.Options(hinting=False, layout_features=["*"], drop_tables=["FFTM", "kern"])
    needed = subset.Subsetter(options)
    needed.populate(unicodes=[code for first, last in CHARACTERS for code in range(first, last + 1)])
    needed.subset(font)
    font.flavor = "woff"
    font.save(file := io.BytesIO())
    static = pathlib.Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    (static / "mathematics.js").write_text(ADD % base64.b64encode(file.getvalue()).decode())
    app.add_js_file("mathematics.js")


def _mathml(node, display="inline"):
    # latex2mathml loses the size of a bracket with an exponent or index, unless they are apart
    text = re.sub(r"(\\[Bb]ig[lr]\)|(?:\\[Bb]ig[lr])?\\rVert)(?=[\^_])", r"{\1}", node.astext())
    return re.sub("<mi>(&#x0203[23];)</mi>", PRIME, convert(text, display=display))


def _inline(translator, node):
    translator.body.append(_mathml(node))
    raise nodes.SkipNode


def _display(translator, node):
    translator.body.append(f'<div class="formula pst-scrollable-table-container">{_mathml(node, "block")}</div>')
    raise nodes.SkipNode


def setup(app):
    """Called by Sphinx."""
    app.connect("builder-inited", _make_font)
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
