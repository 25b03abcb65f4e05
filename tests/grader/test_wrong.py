"""Wrong implementations: each breaks the promises that it says, with the causes that it says; right ones break none."""

import pathlib

import pytest

from mininet.grader import PROMISES, exact_promises, float_promises, load, try_promise
from mininet.grader.report import BROKEN, KEPT

HERE = pathlib.Path(__file__).parent
WRONG = sorted((HERE / "wrong").glob("*.py"))


def run(path, namespace):
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    return namespace


def the_right_one_but_for(path):
    """The names of the right implementation, those that the file defines replaced, also where others use them."""
    return run(path, run(HERE / "right.py", {}))


@pytest.mark.parametrize("path", WRONG, ids=[path.stem for path in WRONG])
def test_a_wrong_implementation_breaks_the_promises_that_it_says_for_its_own_reasons(path):
    names = the_right_one_but_for(path)
    implementation = load(names)
    is_exact = any(promise.name in names["BREAKS"] for promise in exact_promises.PROMISES)
    promises = exact_promises.PROMISES if is_exact else float_promises.PROMISES
    outcomes = {promise.name: try_promise(promise, implementation) for promise in promises}
    broken = {name: outcome for name, outcome in outcomes.items() if outcome.status != KEPT}
    assert broken.keys() == names["BREAKS"].keys()
    for name, outcome in broken.items():
        assert outcome.status == BROKEN
        cause = names["BREAKS"][name]
        assert (cause in outcome.cause) if cause else outcome.cause is None, outcome


@pytest.mark.parametrize("name", ["right", "right_with_long_integers"])
def test_a_right_implementation_keeps_all_promises(name):
    implementation = load(the_right_one_but_for(HERE / f"{name}.py"))
    for promise in PROMISES:
        outcome = try_promise(promise, implementation)
        assert outcome.status == KEPT, str(outcome)


FACTOR = 1 + 1e-7
SLIGHTLY_WRONG = {
    "forward": ("forward", lambda forward: lambda functions, gamma, x, v: forward(functions, gamma * FACTOR, x, v)),
    "inversion": ("invert", lambda invert: lambda functions, gamma, x, v: invert(functions, gamma * FACTOR, x, v)),
    "gradients": ("backward", lambda backward: lambda functions, gamma, x, v, dx: (
        with_factors(FACTOR, 1, 1, *backward(functions, gamma, x, v, dx))
    )),
    "gradients, of parameters": ("backward", lambda backward: lambda functions, gamma, x, v, dx: (
        with_factors(1, 1, FACTOR, *backward(functions, gamma, x, v, dx))
    )),
    "gradient of v_0": ("backward", lambda backward: lambda functions, gamma, x, v, dx: (
        with_factors(1, FACTOR, 1, *backward(functions, gamma, x, v, dx))
    )),
}  # fmt: skip


def with_factors(a, b, c, dx, dv, gradients):
    return a * dx, b * dv, [[c * by for by in entry] for entry in gradients]


@pytest.mark.parametrize("promise", SLIGHTLY_WRONG)
def test_an_implementation_that_is_slightly_wrong_is_caught(promise):
    function, made_wrong = SLIGHTLY_WRONG[promise]
    names = run(HERE / "right.py", {})
    names[function] = made_wrong(names[function])
    (promise,) = (each for each in PROMISES if each.name == promise.split(",")[0])
    assert try_promise(promise, load(names)).status == BROKEN
