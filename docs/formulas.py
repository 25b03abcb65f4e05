"""Formulas become MathML when the site is built, so that a browser needs no network to show them."""

import base64
import io
import pathlib
import re
from xml.etree import ElementTree

import matplotlib
from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from latex2mathml.converter import convert

CONSTANTS = {
    "SubscriptShiftDown": 0.2, "SubscriptTopMax": 0.4, "SubscriptBaselineDropMin": 0.14, "SuperscriptShiftUp": 0.38,
    "SuperscriptShiftUpCramped": 0.31, "SuperscriptBottomMin": 0.22, "SuperscriptBaselineDropMax": 0.28,
    "SubSuperscriptGapMin": 0.12, "SuperscriptBottomMaxWithSubscript": 0.34, "SpaceAfterScript": 0.04,
    "FractionNumeratorShiftUp": 0.45, "FractionNumeratorDisplayStyleShiftUp": 0.72,
    "FractionDenominatorShiftDown": 0.35, "FractionDenominatorDisplayStyleShiftDown": 0.64, "UpperLimitGapMin": 0.11,
    "UpperLimitBaselineRiseMin": 0.2, "LowerLimitGapMin": 0.17, "LowerLimitBaselineDropMin": 0.6,
    "RadicalVerticalGap": 0.12,
}  # fmt: skip

CHARACTERS = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x300, 0x3FF), (0x2010, 0x2057), (0x2100, 0x22FF), (0x2308, 0x230B), (0x27E6, 0x27FF),
    (0x2A00, 0x2A3F), (0x1D400, 0x1D7FF),
]  # fmt: skip

ADD = 'document.fonts.add(new FontFace("mathematics", Uint8Array.from(atob("%s"), c => c.charCodeAt(0))));'

SCRIPTED = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
FUNCTIONS = {"cos", "cosh", "det", "ln", "log", "max", "min", "sin", "sinh", "tanh"}
SIGNS, CLOSING, TIGHT = set("-\u2212+\u00b1"), set(")]}|!\u2016\u2026\u230b\u2309\u27e9"), set("/|")
THIN = "0.17em"

PRIME = (
    r'<mpadded voffset="-0.4em" height="0.5em"><mstyle scriptlevel="-1">'
    r'<mo lspace="0" rspace="0">\1</mo></mstyle></mpadded>'
)  # the font's primes are high and large by themselves


def _make_font(app):
    """Browsers need a font with a table for mathematics.  Matplotlib's leaves out where indices and fractions stand.

    A script adds it, as a font from a file comes after the page is shown, and would push what is below formulas.
    """
    font = TTFont(pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSerif.ttf"))
    constants = font["MATH"].table.MathConstants
    for name, share in CONSTANTS.items():
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
    # latex2mathml loses the size of a bracket with an exponent or index, unless they are apart, and large angles
    text = re.sub(r"(\\[Bb]ig[lr]\)|(?:\\[Bb]ig[lr])?\\rVert)(?=[\^_])", r"{\1}", node.astext())
    text = re.sub(r"(?<=ig[lr])\\([lr])angle", lambda found: {"l": "\u27e8", "r": "\u27e9"}[found[1]], text)
    tree = ElementTree.fromstring(convert(text, "", display))
    for each in tree.iter():
        _set_spaces(each)
    return re.sub("<mi>([\u2032\u2033])</mi>", PRIME, ElementTree.tostring(tree, encoding="unicode"))


def _set_spaces(node):
    """As in TeX: thin ones beside functions, none around a slash, in indices, and between a number and its sign."""
    before = None
    for place, each in enumerate(node):
        after = node[place + 1].text if place + 1 < len(node) else "("
        inner = each[0] if each.tag in SCRIPTED else each
        begins = before is None or (before.tag == "mo" and before.text not in CLOSING)
        if inner.text in FUNCTIONS and node.tag not in SCRIPTED:
            inner.tag = "mo"
            inner.attrib |= {"lspace": "0" if begins else THIN, "rspace": "0" if after == "(" else THIN}
        elif each.text == "\u2026":
            each.attrib |= {"lspace": "0", "rspace": THIN}
        elif each.text in SIGNS:
            each.tag = "mo"  # also of plus and minus in one
            each.attrib |= {"form": "prefix"} if begins else {}
        for tight in [each] if each.text in TIGHT else each.iter("mo") if place and node.tag in SCRIPTED else []:
            tight.attrib |= {"lspace": "0", "rspace": "0"}
        before = each


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
