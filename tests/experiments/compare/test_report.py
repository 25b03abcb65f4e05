"""Table, numbers and figure of a comparison."""

import json

import matplotlib.pyplot as plt
import pytest

from mininet.experiments.compare.report import draw, summary, table

pytestmark = pytest.mark.slow  # it trains two networks


def test_table_and_summary(exact):
    text = table(exact)
    assert "0 bits" in text
    assert f"{exact.runs['stored'].accuracy:.4f}" in text
    numbers = json.loads(json.dumps(summary(exact)))
    assert numbers["settings"]["depth"] == 3
    assert numbers["gradient_difference_bits"] == 0


def test_figure_has_named_axes_and_legends(exact):
    figure = draw(exact)
    assert len(figure.axes) == 3
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert axes.get_title()
        assert axes.get_legend() is not None
    plt.close(figure)
