"""The course's diagrams: boxes and arrows, on white, in the colours of `mininet.plotting`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..plotting import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

X, V, F = BLUE, GREEN, VERMILION
"""The colours of positions, velocities and residual functions."""


@contextmanager
def _canvas(width: float, height: float, right: float, top: float) -> Iterator[Axes]:
    _figure, axes = plt.subplots(figsize=(width, height), dpi=110, layout="constrained", facecolor="white")
    axes.set(xlim=(0, right), ylim=(0, top), aspect="equal")
    axes.axis("off")
    yield axes


def _node(axes: Axes, x: float, y: float, text: str, color: str = BLACK, filled: bool = False) -> None:
    box = {"boxstyle": "round,pad=0.3", "facecolor": color if filled else "white", "edgecolor": color, "linewidth": 1.4}
    axes.text(x, y, text, ha="center", va="center", color="white" if filled else color, fontsize=11, bbox=box, zorder=3)


def _arrow(
    axes: Axes,
    begin: tuple[float, float],
    end: tuple[float, float],
    color: str = BLACK,
    bend: float = 0,
    gaps: tuple[float, float] = (13, 13),
) -> None:
    style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.6, "shrinkA": gaps[0], "shrinkB": gaps[1]}
    axes.annotate("", end, begin, arrowprops={**style, "connectionstyle": f"arc3,rad={bend}"}, zorder=2)


def rails(way: Literal["forward", "back", "adjoint"] = "forward") -> None:
    """Draw a momentum layer as two rails, x above and v below, and what flows along them."""
    names = {"forward": ("x", "v"), "back": ("x", "v"), "adjoint": ("p", "q")}[way]
    signs = {"forward": ("+", "+", "×γ"), "back": ("−", "−", "÷γ"), "adjoint": ("+", "s", "×γ")}[way]
    middle = {"forward": "$(1-γ)\\,f_n$", "back": "$(1-γ)\\,f_n$", "adjoint": "$(1-γ)\\,J_n^⊤$"}[way]
    titles = {
        "forward": "Forward: f pushes v, then v moves x",
        "back": "Back: v moves x back, then f's push leaves v",
        "adjoint": "Gradients: p and q meet in s; s goes back through f and γ",
    }
    with _canvas(7.2, 2.7, 10, 3.7) as axes:
        upper, lower, turns = 2.7, 0.6, way != "forward"
        place = {"x": (0.7, upper), "end_x": (9.3, upper), "v": (0.7, lower), "end_v": (9.3, lower)}
        for key, name in (("x", f"${names[0]}_n$"), ("end_x", f"${names[0]}_{{n+1}}$")):
            _node(axes, *place[key], name, X, filled=(key == "x") != turns)
        for key, name in (("v", f"${names[1]}_n$"), ("end_v", f"${names[1]}_{{n+1}}$")):
            _node(axes, *place[key], name, V, filled=(key == "v") != turns)
        fork, function, sum_v, times, meet, sum_x = (
            (3.1, upper), (3.1, 1.65), (4.9, lower), (2.4, lower), (7.0, lower), (7.0, upper)
        )  # fmt: skip
        if way == "adjoint":
            flows = [
                (place["end_x"], sum_x, X), (sum_x, meet, X), (place["end_v"], meet, V), (meet, times, PURPLE),
                (times, place["v"], V), (meet, (3.6, 1.56), PURPLE), (function, fork, F), (sum_x, fork, X),
                (fork, place["x"], X),
            ]  # fmt: skip
            _node(axes, *meet, "s", PURPLE)
            _node(axes, *fork, "+", X)
            dots = {sum_x: X}
        else:
            flows = [(place["x"], fork, X), (fork, sum_x, X), (sum_x, place["end_x"], X), (place["v"], times, V),
                     (times, sum_v, V), (sum_v, meet, V), (meet, place["end_v"], V)]  # fmt: skip
            flows = [(end, begin, color) if turns else (begin, end, color) for begin, end, color in flows]
            flows += [(fork, function, X), (function, sum_v, F), (meet, sum_x, V)]
            _node(axes, *sum_x, signs[0], X)
            _node(axes, *sum_v, signs[1], V)
            dots = {fork: X, meet: V}
        for point, color in dots.items():
            axes.plot(*point, "o", color=color, markersize=4, zorder=3)
        for begin, end, color in flows:
            if end in dots:
                axes.plot(*zip(begin, end, strict=True), color=color, linewidth=1.6, zorder=1)
            else:
                _arrow(axes, begin, end, color, gaps=(1 if begin in dots else 13, 18 if end[0] > 9 else 13))
        _node(axes, *times, signs[2], V)
        _node(axes, *function, middle, F)
        axes.set_title(titles[way], fontsize=11)


def digits_on_a_stack(v: int = 23, num: int = 2, den: int = 3, layers: int = 4) -> None:
    """Draw products with num/den of a small number, and the digits that its buffer takes and gives."""
    with _canvas(7.6, 0.62 * layers + 1.1, 12.6, layers + 1.8) as axes:
        b, top = 0, layers + 0.7
        for x, head, color in ((0.8, "v", V), (3.6, f"v mod {den}", F), (6.5, f"b·{den} + digit", PURPLE),
                               (9.3, f"mod {num}: joins v", ORANGE), (11.8, f"//{num}: b", BLUE)):  # fmt: skip
            axes.text(x, top + 0.5, head, ha="center", color=color, fontsize=10)
        _node(axes, 0.8, top - 0.3, str(v), V, filled=True)
        _node(axes, 11.8, top - 0.3, "0", BLUE, filled=True)
        for layer in range(layers):
            y = top - 1.3 - layer
            digit, pushed = v % den, b * den + v % den
            back, new = pushed % num, v // den * num + pushed % num
            _node(axes, 3.6, y + 0.5, str(digit), F)
            _node(axes, 6.5, y + 0.5, f"{b}·{den} + {digit} = {pushed}", PURPLE)
            _node(axes, 9.3, y + 0.5, str(back), ORANGE)
            axes.text(2.2, y + 0.02, f"{v // den}·{num} + {back}", ha="center", va="center", fontsize=9, color=V)
            for begin, end, color in (((0.8, y + 1), (3.6, y + 0.5), F), ((3.6, y + 0.5), (6.5, y + 0.5), F)):
                _arrow(axes, begin, (end[0] - (1.1 if end[0] == 6.5 else 0), end[1]), color)
            _arrow(axes, (7.6, y + 0.5), (9.3, y + 0.5), ORANGE)
            v, b = new, pushed // num
            _node(axes, 0.8, y, str(v), V, filled=True)
            _node(axes, 11.8, y, str(b), BLUE, filled=True)
        axes.set_title(
            f"Times {num}/{den}: a digit with {den} values goes onto b, one with {num} comes off", fontsize=11
        )


def graph_and_walk() -> None:
    """Draw the graph of x + tanh(x w), and the gradients that walk back along it."""
    with _canvas(7.2, 2.5, 10, 3.4) as axes:
        at = {"x": (0.8, 2.5), "w": (0.8, 0.8), "x w": (3.4, 1.2), "tanh": (6.0, 1.2), "+": (8.6, 2.5)}
        for name, place in at.items():
            _node(axes, *place, name, X if name in "xw" else BLACK, filled=name in "xw")
        for begin, end in (("x", "x w"), ("w", "x w"), ("x w", "tanh"), ("tanh", "+"), ("x", "+")):
            _arrow(axes, at[begin], at[end])
            _arrow(axes, at[end], at[begin], F, bend=0.25)
        axes.set_title("Values go right, gradients come back; x is used twice, so it collects two shares", fontsize=11)


def alive(plans: dict[str, Sequence[Sequence[int]]], layers: int) -> None:
    """Draw which layers' arrays are alive at each moment: for each plan a list of layers per moment."""
    figure, every = plt.subplots(1, len(plans), figsize=(3.1 * len(plans), 2.6), dpi=110, layout="constrained")
    colors = (VERMILION, ORANGE, SKY)
    for axes, (name, moments), color in zip(every, plans.items(), colors, strict=False):
        for time, held in enumerate(moments):
            for layer in held:
                axes.add_patch(Rectangle((time, layer), 0.9, 0.9, color=color))
        most = max(map(len, moments))
        axes.set(
            xlim=(0, max(map(len, plans.values()))), ylim=(0, layers), xlabel="time", title=f"{name}: {most} at once"
        )
        axes.set_xticks([])
        axes.spines[["top", "right"]].set_visible(False)
    every[0].set_ylabel("layer whose x is held")
    figure.suptitle("Which activations are alive when?", fontsize=11)
