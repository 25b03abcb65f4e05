"""What is printed for people: verdicts in colour where that can be seen, and lines that fit the terminal."""

import os
import shutil
import sys
import textwrap

RED, GREEN, BLUE = 31, 32, 34


def colored(text: str, color: int) -> str:
    """Colour the text for a terminal or a notebook, unless NO_COLOR is set (see no-color.org)."""
    if not text:
        return text
    in_notebook = "ipykernel" in sys.modules and "ipykernel" in type(sys.stdout).__module__
    return f"\033[{color}m{text}\033[0m" if not os.environ.get("NO_COLOR") and (in_notebook or _is_terminal()) else text


def wrapped(text: str, most: int | None = None, rest: str = "") -> str:
    """Break a line where the terminal ends, and after `most` characters; `rest` indents all parts but the first."""
    columns = shutil.get_terminal_size().columns if _is_terminal() else most
    if columns is None:
        return text
    width = min(columns, most or columns)
    return textwrap.fill(text, width, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
