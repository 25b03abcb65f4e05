"""Verdicts in colour, where that can be seen."""

import os
import sys

RED, GREEN, BLUE = 31, 32, 34


def colored(text: str, color: int) -> str:
    """Colour the text for a terminal or a notebook, unless NO_COLOR is set (see no-color.org)."""
    if not text:
        return text
    in_notebook = "ipykernel" in sys.modules and "ipykernel" in type(sys.stdout).__module__
    return f"\033[{color}m{text}\033[0m" if not os.environ.get("NO_COLOR") and (in_notebook or _is_terminal()) else text


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
