"""Figures that move without a kernel: a script of plain JavaScript each, and a still for pages that run none."""

import base64
import pathlib
from typing import Literal

FOLDER = pathlib.Path(__file__).parent / "canvases"


def html(name: str) -> str:
    """Return the figure as HTML that needs nothing else: a still, and a script that puts a canvas in its place."""
    still = base64.b64encode((FOLDER / f"{name}.png").read_bytes()).decode()
    script = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    picture = f'<img alt="a still of this figure" style="max-width: 100%" src="data:image/png;base64,{still}">'
    return f'<div class="mininet-{name}" style="max-width: 44em">{picture}</div>\n<script>\n{script}</script>'


def show(name: Literal["rule", "digits", "flows"]) -> None:
    """Show a figure that moves: ``make course`` trusts the notebooks, without which JupyterLab runs no scripts."""
    from IPython.display import HTML, display  # notebooks only

    display(HTML(html(name)))
