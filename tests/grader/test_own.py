"""mininet's network as an implementation: where the network is broken, so are its promises."""

import own_block
import pytest

from mininet.grader import PROMISES, load, try_promise
from mininet.grader.report import BROKEN
from mininet.kernels import momentum, remainders
from mininet.reversible.replay import Replay


def adjoint_without_factor(p, q, keep, take):
    q += p
    s = q.copy()
    q *= keep
    return s


def no_replay(replay, layer):
    return []


BREAKAGES = [
    (momentum, "adjoint_step", adjoint_without_factor, "gradients", "the factor 1 - gamma is missing: f is pulled"),
    (momentum, "undo_position", lambda x, v: None, "inversion", "x is not moved back"),
    (Replay, "_as_the_first_time", no_replay, "exact statistics", "what repeats an evaluation must say so"),
    (remainders, "unspill", lambda b, low: None, "exact inversion", "move its low bits to a stack in time"),
]


@pytest.mark.parametrize(
    ("owner", "name", "broken", "promise", "cause"), BREAKAGES, ids=[each[3] for each in BREAKAGES]
)
def test_a_broken_network_breaks_promises(owner, name, broken, promise, cause, monkeypatch):
    monkeypatch.setattr(owner, name, broken)
    (promise,) = (each for each in PROMISES if each.name == promise)
    outcome = try_promise(promise, load(own_block))
    assert outcome.status == BROKEN
    assert cause in outcome.cause, str(outcome)
