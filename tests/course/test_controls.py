"""Controls under a figure: the figure is an ordinary picture, moving a control draws it again."""

import sys

import IPython.display
import matplotlib.pyplot as plt
import pytest

from mininet import plotting
from mininet.course import explore


class Shown:
    """Stands for a notebook: keeps what is displayed, and the pictures that replace it."""

    def __init__(self):
        self.displayed, self.updates = [], []

    def display(self, thing, **keywords):
        self.displayed.append((thing, keywords))
        return self

    def update(self, thing):
        self.updates.append(thing)


@pytest.fixture
def shown(monkeypatch):
    made = Shown()
    monkeypatch.setattr(IPython.display, "display", made.display)
    return made


@pytest.fixture
def calls():
    return []


@pytest.fixture
def draw(calls):
    def draw(**values):
        calls.append(values)
        with plotting.figure() as (figure, axes):
            axes.plot([0, values["gamma"]])
        return figure

    return draw


def test_the_figure_at_the_start_is_a_picture(shown, draw, calls):
    before = plt.get_fignums()
    explore(draw, gamma=(0.5, 0.99, 0.01, 0.9), mode=["a", "b"])
    assert plt.get_fignums() == before
    assert calls == [{"gamma": 0.9, "mode": "a"}]
    (picture, keywords), (controls, _) = shown.displayed
    assert picture.data.startswith(b"\x89PNG")
    assert picture.alt == "gamma = 0.9, mode = a"
    assert keywords == {"display_id": True}
    assert controls["text/plain"] == "[in a running notebook, controls for gamma, mode]"
    assert "application/vnd.jupyter.widget-view+json" in controls


def test_moving_a_control_draws_again(shown, draw, calls, monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    made = []
    plain = ipywidgets.VBox
    monkeypatch.setattr(ipywidgets, "VBox", lambda children: made.append(children) or plain(children))
    explore(draw, gamma=(0.5, 0.99, 0.01, 0.9), depth=(1, 10, 1, 5), mode=["a", "b"])
    gamma, depth, mode = made[0]
    gamma.value, depth.value, mode.value = 0.6, 7, "b"
    assert calls[1:] == [
        {"gamma": 0.6, "depth": 5, "mode": "a"},
        {"gamma": 0.6, "depth": 7, "mode": "a"},
        {"gamma": 0.6, "depth": 7, "mode": "b"},
    ]
    assert len(shown.updates) == 3


def test_without_ipywidgets_there_is_the_figure(shown, draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    explore(draw, gamma=(0.5, 0.99, 0.01, 0.9))
    assert len(shown.displayed) == 1
