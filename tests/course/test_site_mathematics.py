"""LaTeX as MathML: the right elements and spaces, and a refusal of all that would not be shown."""

import re
import xml.dom.minidom

import pytest

from mininet.course.site.mathematics import to_mathml
from mininet.course.site.symbols import ACCENTS, BINARY, FUNCTIONS, INTEGRALS, LARGE, LETTERS, RELATIONS, SPACES, UNDER


def shown(latex, **keywords):
    """The MathML without its annotation, and without attributes."""
    content = re.search(r"<semantics>(.*)<annotation", to_mathml(latex, **keywords))[1]
    return re.sub(r"<(\w+)[^>]*>", r"<\1>", content)


def spaces(latex):
    """Of each operator: itself, and the space to its left and right."""
    return re.findall(r'<mo(?: stretchy="\w+")? lspace="([^"]*)" rspace="([^"]*)"[^>]*>([^<]*)', to_mathml(latex))


@pytest.mark.parametrize(
    ("latex", "mathml"),
    [
        ("x_n", "<msub><mi>x</mi><mi>n</mi></msub>"),
        ("x_{n+1}", "<msub><mi>x</mi><mrow><mi>n</mi><mo>+</mo><mn>1</mn></mrow></msub>"),
        ("x_n^2", "<msubsup><mi>x</mi><mi>n</mi><mn>2</mn></msubsup>"),
        ("x^2_n", "<msubsup><mi>x</mi><mi>n</mi><mn>2</mn></msubsup>"),
        ("x^12", "<msup><mi>x</mi><mn>1</mn></msup><mn>2</mn>"),
        ("x''", "<msup><mi>x</mi><mo>″</mo></msup>"),
        ("x'^2", "<msup><mi>x</mi><mrow><mo>′</mo><mn>2</mn></mrow></msup>"),
        ("{}^2", "<msup><mrow></mrow><mn>2</mn></msup>"),
        (r"\frac12", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"),
        (r"\frac{a}\gamma", "<mfrac><mrow><mi>a</mi></mrow><mi>γ</mi></mfrac>"),
        (r"\sqrt[3]{x}", "<mroot><mrow><mi>x</mi></mrow><mrow><mn>3</mn></mrow></mroot>"),
        (r"\hat x", "<mover><mi>x</mi><mo>^</mo></mover>"),
        (r"\mathrm{round}", "<mi>round</mi>"),
        (r"\mathrm{d}", "<mrow><mi>d</mi></mrow>"),
        (r"\mathbb{R}^d", "<msup><mi>ℝ</mi><mi>d</mi></msup>"),
        (r"\text{ if } a < 0", "<mtext>\xa0if\xa0</mtext><mi>a</mi><mo>&lt;</mo><mn>0</mn>"),
        (r"0.9", "<mn>0.9</mn>"),
        (r"\sum_{n}^N", "<munderover><mo>∑</mo><mrow><mi>n</mi></mrow><mi>N</mi></munderover>"),
        (r"\int_0^1", "<msubsup><mo>∫</mo><mn>0</mn><mn>1</mn></msubsup>"),
        (r"\left.a\right|", "<mrow><mrow><mi>a</mi></mrow><mo>|</mo></mrow>"),
        (r"a \not= b", "<mi>a</mi><mo>=\u0338</mo><mi>b</mi>"),
    ],
)
def test_elements(latex, mathml):
    assert shown(latex) == f"<mrow>{mathml}</mrow>"


@pytest.mark.parametrize(
    ("latex", "sign"),
    [
        ("a - b", "0.2222em"), ("(a) - b", "0.2222em"), ("a_n - b", "0.2222em"),
        ("-b", "0"), ("(-b", "0"), ("a = -b", "0"), ("a, -b", "0"), ("2^{-b}", "0"), ("a_{n-1}", "0"),
    ],
)  # fmt: skip
def test_a_minus_is_spaced_as_an_operation_or_stands_close_as_a_sign(latex, sign):
    assert [left for left, right, operator in spaces(latex) if operator == "−" and left == right] == [sign]


def test_an_equation_goes_on_in_the_next_row_with_the_same_space():
    assert spaces(r"\begin{aligned} a &= b \\ &= c + d \\[2pt] &\quad - e \end{aligned}") == [
        ("0.2778em", "0.2778em", "="), ("0.2778em", "0.2778em", "="), ("0.2222em", "0.2222em", "+"),
        ("0.2222em", "0.2222em", "−"),
    ]  # fmt: skip


def test_a_function_stands_apart_from_its_argument_but_not_from_a_bracket():
    assert "<mi>log</mi><mspace><mi>x</mi>" in shown(r"\log x").replace("</mspace>", "")
    assert "<mi>log</mi><mo>(</mo>" in shown(r"\log(x)")
    assert "<mi>N</mi><mspace><msub><mi>log</mi>" in shown(r"N \log_2 x").replace("</mspace>", "")


def test_tables_have_the_rows_and_cells_that_were_written():
    table = shown(r"\begin{pmatrix} 1 & A \\ B & 1 + B A \end{pmatrix}")
    assert table.startswith("<mrow><mrow><mo>(</mo><mtable><mtr><mtd><mrow><mn>1</mn>")
    assert (table.count("<mtr>"), table.count("<mtd>")) == (2, 4)
    cases = shown(r"f = \begin{cases} 0 & x < 0 \\ x & \text{else} \\ \end{cases}")
    assert (cases.count("<mtr>"), cases.count("<mtd>")) == (2, 4)


def test_large_brackets_are_as_large_as_asked_for():
    assert to_mathml(r"\bigl( \Bigr)").count('minsize="1.') == 2
    assert '<mrow><mo stretchy="true"' in to_mathml(r"\Bigr)^2")  # stretched under a script as well


@pytest.mark.parametrize("display", ["inline", "block"])
def test_the_latex_is_kept_for_whoever_copies_it(display):
    mathml = to_mathml(" a < b ", display)
    assert mathml.startswith(f'<math display="{display}"><semantics>')
    assert '<annotation encoding="application/x-tex">a &lt; b</annotation>' in mathml


@pytest.mark.parametrize("command", sorted({*LETTERS, *BINARY, *RELATIONS, *FUNCTIONS, *LARGE, *INTEGRALS, *SPACES}))
def test_every_symbol_stands_alone_and_under_scripts(command):
    for latex in (f"a\\{command} b", f"x_{{\\{command} }}^{{\\{command} }}"):
        xml.dom.minidom.parseString(to_mathml(latex))


@pytest.mark.parametrize("command", sorted({*ACCENTS, *UNDER, "overline", "underline", "boxed"}))
def test_every_accent_has_something_under_it(command):
    xml.dom.minidom.parseString(to_mathml(f"\\{command}{{a + b}}_n"))
    with pytest.raises(ValueError, match="missing"):
        to_mathml(f"\\{command}")


@pytest.mark.parametrize(
    ("latex", "reason"),
    [
        (r"\foo x", r"\\foo is not known"), (r"\frac{a}{b", "} is missing"), (r"\frac{a}", "missing"), ("a}", "}"),
        ("x_a_b", "two scripts"), ("x_", "missing"), (r"\left(x", "right"), (r"\left x \right)", "not a delimiter"),
        (r"\begin{foo}\end{foo}", "foo"), (r"\begin{cases} a", "missing"), (r"\begin{cases} a \end{matrix}", "ends as"),
        (r"a & b", "&"), (r"\mathbb{X}", "mathbb{X}"), (r"\text{$x$}", "more than text"), (r"\right)", "right"),
        (r"\argmin_x", "operatorname"), (r"\sqrt[3{x}", "missing"), ("a $ b", r"\$ is not"),
    ],
)  # fmt: skip
def test_what_would_not_be_shown_is_refused_with_the_formula(latex, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        to_mathml(latex)
    assert latex in str(caught.value)
