"""One look for all figures: colours that colour-blind readers can tell apart, and the same one for the same thing."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import matplotlib.pyplot as plt
from matplotlib.animation import Animation
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from .base.checks import instance, integer, number, one_of
from .base.files import written_atomically
from .base.types import PathLike

# Okabe and Ito, *Color Universal Design*, 2008
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip

SEQUENCE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
"""Colours for things that have no look of their own, in the order of use."""

STYLES = {
    "stored": {"color": VERMILION, "marker": "s", "linestyle": "-", "label": "stored activations"},
    "checkpointed": {"color": ORANGE, "marker": "^", "linestyle": "-.", "label": "checkpointed every √N layers"},
    "float": {"color": SKY, "marker": "D", "linestyle": "--", "label": "memory-free, float"},
    "exact": {"color": BLUE, "marker": "o", "linestyle": "-", "label": "memory-free, exact"},
    "limit": {"color": BLACK, "linestyle": ":", "label": "$N$ log$_2(1/γ)$ bits an element"},
}
"""Keywords for `Axes.plot` by method."""

_SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": 110,
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.fontsize": "small",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "savefig.dpi": 150,
}


def style(method: Literal["stored", "checkpointed", "float", "exact", "limit"], **changes: Any) -> dict[str, Any]:
    """Keywords for `Axes.plot`.

    Parameters
    ----------
    method
        Whose look, which is the same in all figures.
    changes
        What differs from it, or is added: anything that `Axes.plot` takes.

    Examples
    --------
    >>> style("exact", label="loss")["label"]
    'loss'
    """
    return STYLES[one_of("method", method, STYLES)] | changes


@contextlib.contextmanager
def figure(
    columns: int = 1, rows: int = 1, width: float = 4.2, height: float = 3.4, **keywords: Any
) -> Iterator[tuple[Figure, Any]]:
    """Make a figure in the house style inside a `with` block: yields (figure, axes), as `plt.subplots` does.

    Parameters
    ----------
    columns, rows : int
        How many panels.
    width, height : float
        Of one panel, in inches.
    keywords
        For `plt.subplots`.

    Examples
    --------
    >>> with figure(columns=2) as (made, (left, right)):
    ...     line = left.plot([1, 2], **style("exact"))
    """
    columns, rows = integer("columns", columns, 1), integer("rows", rows, 1)
    width, height = number("width", width, above=0), number("height", height, above=0)
    plt.draw_if_interactive()  # loads the backend, whose first use changes settings: not inside the block
    with plt.rc_context(_SETTINGS):
        made, axes = plt.subplots(
            rows, columns, figsize=(width * columns, height * rows), layout="constrained", **keywords
        )
        yield made, axes


def save(made: Figure, path: PathLike) -> None:
    """Write a figure to a file as a whole or not at all, and close it.

    Parameters
    ----------
    made
        What `figure` gave.
    path
        The ending decides the format, as in Matplotlib.

    Examples
    --------
    >>> with figure() as (made, axes):
    ...     save(made, "empty.png")
    """
    instance("made", made, Figure)
    with written_atomically(path) as temporary:
        made.savefig(temporary)
    plt.close(made)


def save_animation(animation: Animation, path: PathLike, frames_per_second: float = 12) -> None:
    """Write an animation as a GIF, as a whole or not at all, and close its figure.

    Parameters
    ----------
    animation
        A Matplotlib animation.
    path
        Ends in ``.gif``.
    frames_per_second
        Above 0.

    Examples
    --------
    >>> from matplotlib.animation import FuncAnimation
    >>> with figure() as (made, axes):
    ...     save_animation(FuncAnimation(made, axes.set_title, frames=2), "count.gif")
    """
    instance("animation", animation, Animation)
    number("frames_per_second", frames_per_second, above=0)
    with written_atomically(path) as temporary:
        animation.save(temporary, writer="pillow", fps=frames_per_second)  # type: ignore[arg-type]  # it takes fractions
    plt.close(animation._fig)  # type: ignore[attr-defined]  # there is no public name


def readable_bytes(count: float) -> str:
    """A number of bytes with a unit.

    Parameters
    ----------
    count
        May be negative or a fraction.

    Examples
    --------
    >>> readable_bytes(3 * 2**19)
    '1.5 MiB'
    """
    count = number("count", count)
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"


def bytes_upwards(axes: Axes) -> None:
    """Set a logarithmic vertical scale with numbers of bytes.

    Parameters
    ----------
    axes
        Of a figure whose vertical axis counts bytes.

    Examples
    --------
    >>> with figure() as (made, axes):
    ...     bytes_upwards(axes)
    >>> axes.yaxis.get_major_formatter()(2**20)
    '1 MiB'
    """
    instance("axes", axes, Axes).set_yscale("log", base=2)
    axes.yaxis.set_major_locator(LogLocator(base=2, numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: readable_bytes(value)))
