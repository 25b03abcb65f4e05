"""The commands of LaTeX that stand for a character, by what kind of thing it is: that decides the space around it."""

LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ", "hbar": "ℏ", "partial": "∂", "nabla": "∇",
    "infty": "∞", "emptyset": "∅", "varnothing": "∅", "forall": "∀", "exists": "∃", "neg": "¬", "top": "⊤", "bot": "⊥",
    "Re": "ℜ", "Im": "ℑ", "ldots": "…", "dots": "…", "cdots": "⋯", "vdots": "⋮", "ddots": "⋱", "prime": "′",
    "square": "□", "Box": "□", "degree": "°", "%": "%", "#": "#", "$": "$", "&": "&", "_": "_",
}  # fmt: skip

BINARY = {
    "cdot": "⋅", "times": "×", "div": "÷", "pm": "±", "mp": "∓", "ast": "∗", "star": "⋆", "circ": "∘", "bullet": "∙",
    "odot": "⊙", "oplus": "⊕", "ominus": "⊖", "otimes": "⊗", "cup": "∪", "cap": "∩", "setminus": "∖", "wedge": "∧",
    "land": "∧", "vee": "∨", "lor": "∨",
}  # fmt: skip

RELATIONS = {
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "ll": "≪", "gg": "≫", "lt": "<", "gt": ">",
    "equiv": "≡", "approx": "≈", "sim": "∼", "simeq": "≃", "cong": "≅", "propto": "∝", "in": "∈", "notin": "∉",
    "ni": "∋", "subset": "⊂", "subseteq": "⊆", "supset": "⊃", "supseteq": "⊇", "perp": "⊥", "parallel": "∥", "mid": "|",
    "prec": "≺", "succ": "≻", "preceq": "⪯", "succeq": "⪰", "lesssim": "≲", "gtrsim": "≳", "coloneqq": "≔",
    "to": "→", "rightarrow": "→", "leftarrow": "←", "gets": "←", "leftrightarrow": "↔", "mapsto": "↦",
    "longrightarrow": "⟶", "longleftarrow": "⟵", "longmapsto": "⟼", "Rightarrow": "⇒", "Leftarrow": "⇐",
    "Leftrightarrow": "⇔", "Longrightarrow": "⟹",
    "Longleftarrow": "⟸", "Longleftrightarrow": "⟺", "implies": "⟹", "impliedby": "⟸", "iff": "⟺",
    "uparrow": "↑", "downarrow": "↓",
}  # fmt: skip

OPENING = {
    "lfloor": "⌊",
    "lceil": "⌈",
    "langle": "⟨",
    "lvert": "|",
    "lVert": "‖",
    "{": "{",
    "lbrace": "{",
    "lbrack": "[",
}

CLOSING = {
    "rfloor": "⌋",
    "rceil": "⌉",
    "rangle": "⟩",
    "rvert": "|",
    "rVert": "‖",
    "}": "}",
    "rbrace": "}",
    "rbrack": "]",
}

BARS = {"|": "‖", "Vert": "‖", "vert": "|"}

FUNCTIONS = {
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "deg", "dim", "exp", "hom", "ker", "lg", "ln",
    "log", "sec", "sin", "sinh", "tan", "tanh",
}  # fmt: skip

LARGE = {
    "sum": "∑", "prod": "∏", "bigcup": "⋃", "bigcap": "⋂", "bigoplus": "⨁", "bigotimes": "⨂", "det": "det",
    "gcd": "gcd", "inf": "inf", "lim": "lim", "max": "max", "min": "min", "sup": "sup", "Pr": "Pr",
}  # fmt: skip
"""What is said of them stands above and below in a formula of its own."""

INTEGRALS = {"int": "∫", "iint": "∬", "oint": "∮"}

ACCENTS = {
    "hat": "^", "widehat": "^", "tilde": "~", "widetilde": "~", "bar": "¯", "vec": "→", "dot": "˙",
    "ddot": "¨", "check": "ˇ", "breve": "˘", "overbrace": "⏞", "overrightarrow": "→",
}  # fmt: skip

WIDE = {"widehat", "widetilde", "overbrace", "overrightarrow", "underbrace"}

UNDER = {"underbrace": "⏟"}

SPACES = {
    "!": -3, ",": 3, ":": 4, ">": 4, ";": 5, " ": 4.5, "quad": 18, "qquad": 36, "enspace": 9, "thinspace": 3,
}  # fmt: skip
"""In eighteenths of an em."""
