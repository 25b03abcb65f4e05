r"""LaTeX as MathML, which browsers draw themselves.

It knows the part of LaTeX that the course uses and a good deal more, spaces as TeX does, and refuses the rest: what it
returns shows the whole formula.
"""

import html
import re

from . import symbols

TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|\d+(?:\.\d+)?|.", re.DOTALL)
SIZES = {"big": 1.2, "Big": 1.8, "bigg": 2.4, "Bigg": 3.0}  # em
FENCES = {"matrix": ("", ""), "pmatrix": "()", "bmatrix": "[]", "Bmatrix": "{}", "vmatrix": "||", "Vmatrix": "‖‖"}
ALIGNED = ("aligned", "align", "align*", "split", "gathered", "gather", "gather*", "equation", "equation*")


def to_mathml(latex, display="inline"):
    """A formula as a MathML element, with its LaTeX inside as an annotation.

    Parameters
    ----------
    latex : str
        Without the dollars around it.
    display : {"inline", "block"}

    Raises
    ------
    ValueError
        If it is not LaTeX, or a command in it is not known here.
    """
    latex = latex.strip()
    try:
        content = _Parser(latex).whole()
    except ValueError as error:
        raise ValueError(f"the formula ${latex}$ cannot be shown: {error}") from None
    annotation = f'<annotation encoding="application/x-tex">{html.escape(latex, quote=False)}</annotation>'
    return f'<math display="{display}"><semantics>{content}{annotation}</semantics></math>'


class _Parser:
    """A recursive descent over the tokens.  Parts are pairs: a kind, which decides on spaces, and MathML.

    Kinds are TeX's: ordinary, function (TeX: operator), binary, relation, opening, closing, punctuation; `limits` is a
    function with scripts above and below, and `space` counts for nothing.
    """

    def __init__(self, latex):
        self.tokens = TOKEN.findall(latex)
        self.depth = 0  # of scripts, in which nothing is spaced
        self.font = None

    # -- tokens

    def peek(self):
        while self.tokens and self.tokens[0].isspace():
            del self.tokens[0]
        return self.tokens[0] if self.tokens else None

    def take(self, wanted=None):
        token = self.peek()
        if token is None or wanted not in (None, token):
            raise ValueError(f"{wanted or 'something'} is missing {'at the end' if token is None else 'at ' + token}")
        return self.tokens.pop(0)

    def raw_group(self):
        """The characters of a group in braces, spaces and all."""
        self.take("{")
        taken, open_braces = [], 1
        while open_braces:
            if not self.tokens:
                raise ValueError("} is missing at the end")
            taken.append(self.tokens.pop(0))
            open_braces += {"{": 1, "}": -1}.get(taken[-1], 0)
        return "".join(taken[:-1])

    # -- rows

    def whole(self):
        row = self.row()
        if self.peek() is not None:
            raise ValueError(f"{self.peek()} is not expected there")
        return row

    def row(self, before=None):
        """All parts up to what ends a row, as one element; `before` is the kind of what stands in front."""
        parts = []
        while (token := self.peek()) not in (None, "}", "&", "\\\\", "\\right", "\\middle", "\\end"):
            if token in ("\\displaystyle", "\\textstyle"):
                self.take()
                style = str(token == "\\displaystyle").lower()
                parts.append(("ordinary", f'<mstyle displaystyle="{style}">{self.row()}</mstyle>'))
            else:
                parts.append(self.scripted())
        return f"<mrow>{''.join(self.spaced(parts, before))}</mrow>"

    def spaced(self, parts, before):
        """The parts of a row, with the spaces that TeX puts between them."""
        kinds = [kind for kind, _ in parts]
        for k, (kind, element) in enumerate(parts):
            after = next((each for each in kinds[k + 1 :] if each != "space"), None)
            if kind == "binary" and (before not in ("ordinary", "closing") or after in (None, "relation", "closing")):
                kind = "ordinary"  # a sign
            left, right = {"relation": (5, 5), "binary": (4, 4), "punctuation": (0, 3)}.get(kind, (0, 0))
            if self.depth:
                left = right = 0
            if element.startswith("<mo>"):
                element = f'<mo lspace="{_em(left)}" rspace="{_em(right)}"{element[3:]}'
            elif left or right:  # more than one character, as "mod", or with something on it
                element = f"{_space(left)}{element}{_space(right)}"
            if kind in ("function", "limits"):
                if before in ("ordinary", "closing", "function", "limits"):
                    element = _space(3) + element
                if after == "ordinary":
                    element += _space(3)
            yield element
            before = before if kind == "space" else "function" if kind == "limits" else kind

    def scripted(self):
        """A part with its primes, subscript and superscript."""
        kind, base = ("ordinary", "<mrow></mrow>") if self.peek() in ("^", "_", "'") else self.part()
        lower, upper, primes = None, None, 0
        while (token := self.peek()) in ("^", "_", "'"):
            self.take()
            if token == "'":
                primes += 1
            elif token == "_" and lower is None:
                lower = self.argument(script=True)
            elif token == "^" and upper is None:
                upper = self.argument(script=True)
            else:
                raise ValueError(f"two scripts {token} on one thing")
        if primes:
            signs = f'<mo lspace="0" rspace="0">{["", "′", "″", "‴"][primes] if primes < 4 else "′" * primes}</mo>'
            upper = f"<mrow>{signs}{upper}</mrow>" if upper else signs
        name = {(True, True): "msubsup", (True, False): "msub", (False, True): "msup"}.get(
            (lower is not None, upper is not None)
        )
        if name is None:
            return kind, base
        if kind == "limits":
            name = name.replace("sub", "under").replace("sup", "over")
        return kind, f"<{name}>{_as_base(base)}{lower or ''}{upper or ''}</{name}>"

    def argument(self, script=False):
        """What a command or script applies to: a group, or the next thing."""
        self.depth += script
        token = self.peek()
        if token == "{":
            element = self.group()
        elif token is not None and token[0].isdigit():
            element = f"<mn>{token[0]}</mn>"  # x^12 is x^{1}2
            self.take()
            if token[1:]:
                self.tokens.insert(0, token[1:])
        elif token in ("^", "_", "'", "&", "}", "\\\\", None):
            raise ValueError(f"something is missing before {token or 'the end'}")
        else:
            element = _with_no_space(self.part()[1])
        self.depth -= script
        return element

    def group(self):
        self.take("{")
        row = self.row()
        self.take("}")
        return row

    # -- parts

    def part(self):
        token = self.take()
        if token == "{":
            self.tokens.insert(0, token)
            return "ordinary", self.group()
        if token[0] == "\\":
            return self.command(token[1:])
        if token[0].isdigit():
            return "ordinary", f'<mn class="bold">{token}</mn>' if self.font == "mathbf" else f"<mn>{token}</mn>"
        if token == "~":
            return "space", _space(4.5)
        if token in "+-*":
            return "binary", f"<mo>{ {'-': '−', '*': '∗'}.get(token, token) }</mo>"
        if token in "=<>:":
            return "relation", f"<mo>{html.escape(token)}</mo>"
        if token in ",;":
            return "punctuation", f"<mo>{token}</mo>"
        if token in "([":
            return "opening", _fence(token)
        if token in ")]!?":
            return "closing", _fence(token)
        if token in "|/.":
            return "ordinary", _fence(token)
        if token.isalpha():
            return "ordinary", self.letter(token)
        if token.isascii():
            raise ValueError(f"{token} is not expected there")
        return "ordinary", f"<mo>{token}</mo>"

    def letter(self, letter):
        if self.font == "mathbf":
            return f'<mi mathvariant="normal" class="bold">{letter}</mi>'
        if self.font in ("mathrm", "mathsf", "mathtt"):
            return f'<mi mathvariant="normal">{letter}</mi>'
        if self.font == "mathbb":
            return (
                f"<mi>{ {'C': 'ℂ', 'N': 'ℕ', 'P': 'ℙ', 'Q': 'ℚ', 'R': 'ℝ', 'Z': 'ℤ', 'E': '𝔼', '1': '𝟙'}[letter] }</mi>"
            )
        if self.font == "mathcal":
            special = {"B": "ℬ", "E": "ℰ", "F": "ℱ", "H": "ℋ", "I": "ℐ", "L": "ℒ", "M": "ℳ", "R": "ℛ"}
            return f"<mi>{special.get(letter) or chr(0x1D49C + ord(letter) - ord('A'))}</mi>"
        return f"<mi>{letter}</mi>"

    def command(self, name):
        if name in symbols.LETTERS:
            upright = ' mathvariant="normal"' if name[0].isupper() else ""  # capital Greek
            return "ordinary", f"<mi{upright}>{html.escape(symbols.LETTERS[name])}</mi>"
        for kind, known in {"binary": symbols.BINARY, "relation": symbols.RELATIONS}.items():
            if name in known:
                return kind, f"<mo>{html.escape(known[name])}</mo>"
        for kind, known in {
            "opening": symbols.OPENING, "closing": symbols.CLOSING, "ordinary": symbols.BARS,
        }.items():  # fmt: skip
            if name in known:
                return kind, _fence(known[name])
        if name in symbols.FUNCTIONS:
            return "function", f"<mi>{name}</mi>"
        if name in symbols.LARGE:
            return "limits", f'<mo movablelimits="true" lspace="0" rspace="0">{symbols.LARGE[name]}</mo>'
        if name in symbols.INTEGRALS:
            return "function", f'<mo lspace="0" rspace="0">{symbols.INTEGRALS[name]}</mo>'
        if name in symbols.SPACES:
            return "space", _space(symbols.SPACES[name])
        if name in symbols.ACCENTS:
            return self.marked("mover", symbols.ACCENTS[name], name)
        if name in symbols.UNDER:
            return self.marked("munder", symbols.UNDER[name], name)
        if match := re.fullmatch(r"(big|Big|bigg|Bigg)([lrm]?)", name):
            return self.sized(*match.groups())
        method = getattr(self, f"command_{name.rstrip('*')}", None)
        if method is None:
            raise ValueError(f"\\{name} is not known")
        return method(name)

    def marked(self, element, mark, name):
        """A hat, a bar, a brace on something."""
        stretchy = str(name in symbols.WIDE).lower()
        content = f'{self.argument()}<mo stretchy="{stretchy}" lspace="0" rspace="0">{mark}</mo>'
        kind = "limits" if name in ("underbrace", "overbrace") else "ordinary"
        return kind, f'<{element} accent{"under" if element == "munder" else ""}="true">{content}</{element}>'

    def sized(self, size, side):
        kind = {"l": "opening", "r": "closing", "m": "relation", "": "ordinary"}[side]
        return kind, _fence(self.delimiter(), f"{SIZES[size]}em")

    def delimiter(self):
        """The character after ``\\left`` and the like; a full stop for none."""
        token = self.take()
        known = symbols.OPENING | symbols.CLOSING | symbols.BARS
        character = known.get(token[1:]) if token[0] == "\\" else "" if token == "." else token
        if character is None or (character and character not in "()[]{}|/‖⌊⌋⌈⌉⟨⟩"):
            raise ValueError(f"{token} is not a delimiter")
        return character

    def command_left(self, _):
        content = [_fence(self.delimiter(), stretchy=True), self.row()]
        while self.peek() == "\\middle":
            self.take()
            content += [_fence(self.delimiter(), stretchy=True), self.row()]
        self.take("\\right")
        return "ordinary", f"<mrow>{''.join(content)}{_fence(self.delimiter(), stretchy=True)}</mrow>"

    def command_frac(self, name):
        fraction = f"<mfrac>{self.argument()}{self.argument()}</mfrac>"
        if name == "frac":
            return "ordinary", fraction
        return "ordinary", f'<mstyle displaystyle="{str(name == "dfrac").lower()}" scriptlevel="0">{fraction}</mstyle>'

    command_dfrac = command_tfrac = command_frac

    def command_binom(self, _):
        fraction = f'<mfrac linethickness="0">{self.argument()}{self.argument()}</mfrac>'
        return "ordinary", f"<mrow>{_fence('(', stretchy=True)}{fraction}{_fence(')', stretchy=True)}</mrow>"

    def command_sqrt(self, _):
        if self.peek() != "[":
            return "ordinary", f"<msqrt>{self.argument()}</msqrt>"
        self.take()
        end = self.tokens.index("]") if "]" in self.tokens else len(self.tokens)
        degree, self.tokens = self.tokens[:end], self.tokens[end:]
        self.take("]")
        return "ordinary", f"<mroot>{self.argument()}{_Parser(''.join(degree)).whole()}</mroot>"

    def command_text(self, _):
        text = self.raw_group()
        if re.search(r"[$\\]", text):
            raise ValueError(f"\\text{{{text}}} holds more than text")
        text = html.escape(re.sub(r"^\s|\s$", "\N{NO-BREAK SPACE}", text), quote=False)
        return "ordinary", f"<mtext>{text}</mtext>"

    command_textrm = command_mbox = command_text

    def command_mathrm(self, name):
        if self.peek() == "{" and (match := re.match(r"\{\s*([A-Za-z]{2,})\s*\}", "".join(self.tokens))):
            self.raw_group()
            bold = ' class="bold"' if name in ("mathbf", "boldsymbol") else ""
            return "ordinary", f"<mi{bold}>{match[1]}</mi>"  # a word
        before, self.font = self.font, {"boldsymbol": "mathbf"}.get(name, name)
        element = self.argument()
        self.font = before
        return "ordinary", element

    command_mathsf = command_mathtt = command_mathbf = command_boldsymbol = command_mathrm

    def command_mathbb(self, name):
        letters = self.raw_group().strip() if self.peek() == "{" else self.take()
        before, self.font = self.font, name
        try:
            return "ordinary", "".join(map(self.letter, letters))
        except KeyError as error:
            raise ValueError(f"\\{name}{{{error.args[0]}}} is not known") from None
        finally:
            self.font = before

    command_mathcal = command_mathbb

    def command_operatorname(self, name):
        word = html.escape(self.raw_group().replace("\\,", "\N{THIN SPACE}"), quote=False)
        if "\\" in word:
            raise ValueError(f"\\operatorname{{{word}}} holds more than a name")
        if name.endswith("*"):
            return "limits", f'<mo movablelimits="true" lspace="0" rspace="0">{word}</mo>'
        return "function", f'<mi mathvariant="normal">{word}</mi>'

    def command_argmin(self, name):
        raise ValueError(f"\\{name} is not LaTeX's own: write \\operatorname*{{arg\\,{name[3:]}}}")

    command_argmax = command_argmin

    def command_bmod(self, _):
        return "binary", "<mo>mod</mo>"

    def command_pmod(self, _):
        return "ordinary", f"{_space(8)}{_fence('(')}<mi>mod</mi>{_space(6)}{self.argument()}{_fence(')')}"

    def command_overset(self, name):
        above, base = self.argument(script=True), self.argument()
        element = "munder" if name == "underset" else "mover"
        return "relation" if name == "stackrel" else "ordinary", f"<{element}>{base}{above}</{element}>"

    command_underset = command_stackrel = command_overset

    def command_xrightarrow(self, _):
        label = self.argument(script=True)
        return "relation", f'<mover><mo stretchy="true" lspace="0" rspace="0">→</mo>{label}</mover>'

    def command_not(self, _):
        kind, element = self.part()
        return kind, element.replace("</mo>", "\N{COMBINING LONG SOLIDUS OVERLAY}</mo>")

    def command_tag(self, _):
        return "ordinary", f"{_space(36)}<mtext>({html.escape(self.raw_group())})</mtext>"

    def command_nonumber(self, _):
        return "space", ""

    command_notag = command_limits = command_nonumber

    def command_phantom(self, _):
        return "ordinary", f"<mphantom>{self.argument()}</mphantom>"

    def command_boxed(self, name):
        return "ordinary", f'<mrow class="{name}">{self.argument()}</mrow>'  # lines that the style sheet draws

    command_overline = command_underline = command_boxed

    def command_begin(self, _):
        name = self.raw_group()
        if name not in ("cases", "array", *ALIGNED, *FENCES):
            raise ValueError(f"\\begin{{{name}}} is not known")
        if name == "array":
            self.raw_group()  # columns: they are centred
        depth, self.depth = self.depth, 0
        rows = [[]]
        while True:
            is_right = name in ALIGNED and len(rows[-1]) % 2 == 1
            rows[-1].append(self.row(before="ordinary" if is_right else None))
            token = self.take()
            if token == "\\\\":
                self.skip_length()
                if self.peek() != "\\end":
                    rows.append([])
                    continue
                token = self.take()
            if token == "\\end":
                break
            if token != "&":
                raise ValueError(f"{token} is not expected there")
        self.depth = depth
        if (end := self.raw_group()) != name:
            raise ValueError(f"\\begin{{{name}}} ends as {end}")
        kind = "aligned" if name in ALIGNED else "cases" if name == "cases" else "matrix"
        style = ' displaystyle="true"' if name in ALIGNED else ""
        cells = "".join(f"<mtr>{''.join(f'<mtd>{cell}</mtd>' for cell in row)}</mtr>" for row in rows)
        left, right = ("{", "") if name == "cases" else FENCES.get(name, ("", ""))
        table = f'<mtable class="{kind}"{style}>{cells}</mtable>'
        return "ordinary", f"<mrow>{_fence(left, stretchy=True)}{table}{_fence(right, stretchy=True)}</mrow>"

    def skip_length(self):
        r"""The distance in ``\\[2pt]``."""
        if match := re.match(r"\[\s*[\d.]+\s*[a-z]+\s*\]", "".join(self.tokens)):
            self.tokens = TOKEN.findall("".join(self.tokens)[match.end() :])


def _fence(character, size=None, stretchy=False):
    if not character:
        return ""
    look = 'stretchy="true" symmetric="true"' if stretchy or size else 'stretchy="false"'
    sizes = f' minsize="{size}" maxsize="{size}"' if size else ""
    return f'<mo {look}{sizes} lspace="0" rspace="0">{character}</mo>'


def _as_base(element):
    """What has a script; browsers stretch an operator in a row, but not under a script."""
    return f"<mrow>{element}</mrow>" if element.startswith('<mo stretchy="true"') else _with_no_space(element)


def _with_no_space(element):
    """An operator that has a script, or is one."""
    return element.replace("<mo>", '<mo lspace="0" rspace="0">', 1) if element.startswith("<mo>") else element


def _em(eighteenths):
    return f"{eighteenths / 18:.4g}em" if eighteenths else "0"


def _space(eighteenths):
    if eighteenths < 0:
        return f'<mspace style="margin-left: {_em(eighteenths)}"></mspace>'
    return f'<mspace width="{_em(eighteenths)}"></mspace>' if eighteenths else ""
