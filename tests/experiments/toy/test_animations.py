"""Flows there and back: what comes back, what a film shows of it, and that a film is not the way there reversed."""

import numpy as np
import pytest
from matplotlib import pyplot
from reversible_support import batch

from mininet import MomentumNet, nn
from mininet.experiments.toy import animations
from mininet.experiments.toy.animations import Flow, between, film, flow


def momentum_net(features, arithmetic="exact"):
    function = nn.Sequential(nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, features))
    return MomentumNet([function] * 15, 0.5, arithmetic=arithmetic)


def test_a_flow_comes_back_exactly_in_exact_arithmetic_alone():
    x = batch(6, 2)
    exact, rounded = (flow(momentum_net(2, arithmetic), x) for arithmetic in ("exact", "float"))
    assert exact.largest_difference == 0
    assert exact.in_words == "exactly where they were on the way there"
    assert np.abs(np.diff(exact.forward, axis=0)).max() > 0.01, "or nothing has to come back"
    assert 0 < rounded.largest_difference < 0.1  # rounding, up to 2^15 times as large at gamma = 1/2
    assert rounded.in_words == f"within {rounded.largest_difference:.1e} of the way there"
    assert [claim.holds for claim in animations.claims({"a": exact, "b": rounded})] == [True, False]


MOVING = Flow(np.arange(4.0)[:, None, None] * [[1.0], [-2.0]], np.arange(4.0)[:, None, None] * [[1.0], [-2.0]] + 0.25)
"""Two points on a line, three layers; the way back is a quarter further up."""


@pytest.mark.parametrize(("layer", "expected"), [(0, 5.0), (0.25, 5.5), (1, 7.0), (1.5, 9.0), (2, 11.0)])
def test_points_move_straight_between_layers(layer, expected):
    assert between(np.array([[5.0], [7.0], [11.0]]), layer) == expected


def test_a_film_goes_there_pauses_goes_back_and_pauses():
    frames = film(MOVING, per_layer=2, pause=3)
    assert [frame.layer for frame in frames] == [
        *np.arange(7) / 2, *[3] * 3, *np.arange(6, -1, -1) / 2, *[0] * 3,
    ]  # fmt: skip
    assert [frame.goes_back for frame in frames] == [False] * 10 + [True] * 10
    for frame in frames:
        np.testing.assert_allclose(frame.x[:, 0], [frame.layer + 0.25 * frame.goes_back,
                                                   -2 * frame.layer + 0.25 * frame.goes_back])  # fmt: skip
    assert len(film(MOVING, per_layer=1 / 3, pause=1)) == 2 + 1 + 2 + 1


def test_the_crossing_film_draws_both_ways():
    animation, frames = animations.animate_crossing(MOVING, per_layer=1, pause=0), film(MOVING, per_layer=1, pause=0)
    axes = animation._fig.axes[0]
    animation._draw_frame(frames[2])
    there, below, back, back_below = axes.lines
    assert list(there.get_xdata()) == [0, 1, 2, 2]
    assert list(below.get_ydata()) == [0, -2, -4, -4]
    assert axes.collections[0].get_offsets().tolist() == [[2, 2], [2, -4]]
    assert axes.get_title() == "forward: layer 2 of 3\n"
    animation._draw_frame(frames[5])  # at layer 2 again
    assert list(there.get_xdata()) == [0, 1, 2, 3, 3]
    assert list(back.get_xdata()) == [2, 2, 3]
    assert list(back_below.get_ydata()) == [-3.75, -3.75, -5.75]
    assert axes.collections[0].get_offsets().tolist() == [[2, 2.25], [2, -3.75]]
    assert axes.get_title() == "back, undoing layers: layer 2 of 3\nwithin 2.5e-01 of the way there"
    animation._draw_was_started = True  # else it warns that it was never shown
    pyplot.close(animation._fig)
