"""Every known mistake is recognised as itself, by what it gives on the small cases."""

import numpy as np
import pytest

from mininet.grader import diagnosis, load, mistakes, reference
from mininet.grader.cases import ExactCase

RIGHT = {"forward": reference.run, "invert": reference.run_back, "backward": reference.backpropagate}
BACKWARD = dict(mistakes.backward_mistakes())
PAIRS = [cause for cause in BACKWARD if "; and " in cause]


def called_as_contracted(function, names):
    """The function with the parameters of the contract, and no others."""
    source = f"lambda {', '.join(names)}: function({', '.join(names)})"
    return eval(source, {"function": function})


def implementation(**functions):
    names = {"forward": "functions gamma x v", "invert": "functions gamma x v", "backward": "functions gamma x v dx",
             "forward_exact": "functions n d x v", "invert_exact": "functions n d state",
             "backward_exact": "functions n d state dx"}  # fmt: skip
    return load({name: called_as_contracted(function, names[name].split()) for name, function in functions.items()})


FLOAT = [
    *(("forward", *each) for each in mistakes.FORWARD.items()),
    *(("invert", *each) for each in mistakes.INVERT.items()),
    *(("backward", cause, BACKWARD[cause]) for cause in BACKWARD if "; and " not in cause),
]


@pytest.mark.parametrize(("name", "cause", "wrong"), FLOAT, ids=lambda each: each if isinstance(each, str) else "")
def test_mistakes_in_floats(name, cause, wrong):
    assert getattr(diagnosis, f"of_{name}")(implementation(**RIGHT | {name: wrong})) == cause


def test_two_mistakes_in_backward():
    """Some pairs cannot be told from others on one number, but what is named always gives just what came."""
    recognised = [
        diagnosis.of_backward(implementation(**RIGHT | {"backward": BACKWARD[cause]})) == cause for cause in PAIRS[::21]
    ]
    assert np.mean(recognised) > 0.8


def test_what_is_right_and_what_nobody_knows_have_no_cause():
    right = implementation(**RIGHT)
    assert diagnosis.of_forward(right) is diagnosis.of_invert(right) is diagnosis.of_backward(right) is None
    unknown = implementation(**RIGHT | {"forward": lambda functions, gamma, x, v: (x + 0.123, v)})
    assert diagnosis.of_forward(unknown) is None


EXACT = dict(mistakes.exact_mistakes())


@pytest.mark.parametrize("cause", EXACT)
def test_exact_inversion(cause):
    """A mistake is known by where x and v end after going there and back: here the state is where it began."""

    def forward_exact(functions, n, d, x, v):
        return x, v

    def invert_exact(functions, n, d, state):
        return EXACT[cause](ExactCase(functions, *state, None, n, d))

    assert diagnosis.of_invert_exact(implementation(forward_exact=forward_exact, invert_exact=invert_exact)) == cause


def test_exact_arithmetic_that_is_right_has_no_cause():
    def backward_exact(functions, n, d, state, dx):
        x, v = (array * reference.UNIT for array in state[:2])
        return reference.backpropagate(functions, n / d, x, v, dx)

    def invert_exact(functions, n, d, state):
        return reference.run_back_exact(functions, n, d, *state)

    right = implementation(forward_exact=reference.run_exact, invert_exact=invert_exact, backward_exact=backward_exact)
    assert diagnosis.of_forward_exact(right) is None
    assert diagnosis.of_invert_exact(right) is None
    assert diagnosis.of_backward_exact(right) is None
