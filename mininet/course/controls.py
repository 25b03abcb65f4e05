"""Sliders under a figure; where nothing can be moved, as on a page of the web, the figure is still there."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def explore(draw: Callable[..., Figure], **choices: list[Any] | tuple[float, ...]) -> None:
    """Show the figure that `draw` makes, and under it controls that make it again.

    The figure is an ordinary picture in the notebook, which the controls replace.  Without a running kernel, or
    without ipywidgets, it stays as it is.  `draw` is called with a value for each of the choices, by name.  A choice is
    (lowest, highest, step, start) for a slider, or a list of options, which starts at the first.
    """
    from IPython.display import display  # notebooks only

    values = {name: choice[0] if isinstance(choice, list) else choice[3] for name, choice in choices.items()}
    picture = display(_picture(draw(**values), values), display_id=True)
    try:
        import ipywidgets
    except ImportError:
        return
    controls = {name: _control(ipywidgets, name, choice) for name, choice in choices.items()}

    def draw_again(_):
        values = {name: control.value for name, control in controls.items()}
        picture.update(_picture(draw(**values), values))

    for control in controls.values():
        control.observe(draw_again, "value")
    box = ipywidgets.VBox(list(controls.values()))
    shown = box._repr_mimebundle_()
    shown["text/plain"] = f"[in a running notebook, controls for {', '.join(choices)}]"
    display(shown, raw=True)


def _control(ipywidgets, name, choice):
    if isinstance(choice, list):
        return ipywidgets.Dropdown(options=choice, value=choice[0], description=name)
    lowest, highest, step, start = choice
    are_integers = all(isinstance(each, int) for each in choice)
    slider = ipywidgets.IntSlider if are_integers else ipywidgets.FloatSlider
    return slider(
        min=lowest, max=highest, step=step, value=start, description=name, continuous_update=False,
        readout_format="d" if are_integers else ".4g",
    )  # fmt: skip


def _picture(figure, values):
    from IPython.display import Image

    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    plt.close(figure)
    return Image(file.getvalue(), format="png", alt=", ".join(f"{name} = {value}" for name, value in values.items()))
