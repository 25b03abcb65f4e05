"""An executed notebook as HTML: text, code, and what the code printed and drew."""

import base64
import html
import re

from nbconvert.filters import strip_ansi

from .markdown import highlighted, plain

WIDGET = "application/vnd.jupyter.widget-view+json"
WHAT_TO_SEE = re.compile(r"\*\*What to see\.\*\*\s*(.*)", re.DOTALL)


def render(notebook, markdown, draw):
    """The HTML of a notebook.

    Parameters
    ----------
    notebook : NotebookNode
        With outputs.
    markdown : callable
        From Markdown to HTML.
    draw : callable
        From a picture's bytes and its alternative text to its HTML.
    """
    cells = [cell for cell in notebook.cells if cell.source.strip() and not _is_navigation(cell)]
    parts, figures = [], 0
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        if cell.cell_type != "code":
            parts.append(markdown(cell.source))
            continue
        parts.append(highlighted(cell.source, "python"))
        for output in _joined(cell.outputs):
            data = output.get("data", {})
            if "image/png" in data:
                figures += 1
                alternative = f"Figure {figures}. {_in_words(output, after, markdown)}".strip()
                parts.append(draw(base64.b64decode(data["image/png"]), alternative))
            else:
                parts.append(_text(output))
    return "\n".join(part for part in parts if part)


def _is_navigation(cell):
    """The line of links under the title and at the end; the site has navigation of its own."""
    return (
        cell.cell_type == "markdown" and re.search(r"\[The course\]\([^)]*\)", cell.source) and "\n" not in cell.source
    )


def _joined(outputs):
    """Outputs, with what was printed in several pieces put together."""
    joined = []
    for output in outputs:
        if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output.copy())
    return joined


def _in_words(output, after, markdown):
    """For whoever does not see the figure: its own text if it has one, and how what to see begins."""
    words = [output.get("metadata", {}).get("image/png", {}).get("alt", "")]
    match = after is not None and after.cell_type == "markdown" and WHAT_TO_SEE.match(after.source)
    if match:
        words.append(re.split(r"(?<=[.:;]) ", plain(markdown(match[1].split("\n\n")[0])))[0])
    return ". ".join(filter(None, words))


def _text(output):
    data = output.get("data", {})
    if WIDGET in data:
        return f'<p class="widget">{html.escape(data["text/plain"])}</p>'
    if "text/html" in data:
        return f'<div class="scrolls">{data["text/html"]}</div>'
    if output.output_type == "stream":
        text, kind = output.text, "output" if output.name == "stdout" else "output error"
    elif output.output_type == "error":
        text, kind = "\n".join(output.traceback), "output error"
    elif "text/plain" in data:
        text, kind = data["text/plain"], "output"
    else:
        raise ValueError(f"an output of type {', '.join(data)} cannot be shown")
    return f'<pre class="{kind}">{html.escape(strip_ansi(text).rstrip(), quote=False)}</pre>' if text.strip() else ""
