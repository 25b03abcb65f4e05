"""mininet's network as an implementation: where the network is broken, so are its promises."""

import contextlib

import pytest

from mininet.grader import PROMISES, load, own, try_promise
from mininet.grader.report import BROKEN
from mininet.kernels import exact
from mininet.reversible import evaluation, momentum, states


def adjoint_without_factor(p, q, gamma):
    q += p
    s = q.copy()
    q *= gamma
    return s


@contextlib.contextmanager
def not_silent(replay, layer, function, again):
    yield


def position_kept(state):
    state.layer -= 1


BREAKAGES = [
    (
        momentum,
        "adjoint_step",
        adjoint_without_factor,
        "gradients",
        "the factor 1 - gamma is missing: f is pulled back",
    ),
    (states.FloatState, "undo_position", position_kept, "inversion", "x is not moved back"),
    (evaluation.Replay, "evaluating", not_silent, "running statistics", "what repeats an evaluation must say so"),
    (evaluation.Replay, "evaluating", not_silent, "exact statistics", "what repeats an evaluation must say so"),
    (exact, "unspill", lambda b, low: None, "exact inversion", "move its low bits to a stack in time"),
]


@pytest.mark.parametrize(
    ("owner", "name", "broken", "promise", "cause"), BREAKAGES, ids=[each[3] for each in BREAKAGES]
)
def test_a_broken_network_breaks_promises(owner, name, broken, promise, cause, monkeypatch):
    monkeypatch.setattr(owner, name, broken)
    (promise,) = (each for each in PROMISES if each.name == promise)
    outcome = try_promise(promise, load(own))
    assert outcome.status == BROKEN
    assert cause in outcome.cause, str(outcome)
