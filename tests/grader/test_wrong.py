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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["right_from_the_template", "right_with_long_integers"])
def test_a_right_implementation_keeps_all_promises(name):
    """`right` is graded in test_report; of long integers, floats are those of `right`, and memory takes seconds."""
    is_long = name == "right_with_long_integers"
    promises = [each for each in exact_promises.PROMISES if each.name != "exact memory"] if is_long else PROMISES
    implementation = load(the_right_one_but_for(HERE / f"{name}.py"))
    for promise in promises:
        outcome = try_promise(promise, implementation)
        assert outcome.status == KEPT, str(outcome)


ONE_LINE_WRONG = [
    ("/ gamma\n    return x, v", "/ gamma\n    x, v", "inversion", "is a return missing?"),
    ("(1 - gamma) * f(x)\n", "(1 - gamma) * f(x).astype(np.float32)\n", "forward", "nearly right"),
    ("insert(0, by_parameters)", "extend(by_parameters)", "gradients", "a layer's list of arrays must be one entry"),
    ("gamma = n / d", "gamma = n // d", "exact gradients", "n // d is an integer division"),
    ("kick(f(x * 2.0**-40)", "kick(f(x * 1.0)", "exact forward", "must see x * 2.0**-40, here 1"),
    ("buffer.max(initial=0)", "buffer.max()", "exact forward", None),  # raises for an empty batch
    ("- kick(value, n, d)", "- np.rint((d - n) / d * value * 2.0**40).astype(int)", "exact inversion", "small numbers"),
    ("buffer * d + remainder", "buffer * 10 + remainder", "exact inversion", "with gamma = 9/10"),
    ("append((layer, buffer))", "append((layer + 1, buffer))", "exact inversion", "bring them back at the same layer"),
    ("buffer.max(initial=0)", "buffer.mean()", "exact inversion", "the fullest decides"),
]


@pytest.mark.parametrize(("line", "wrong", "name", "cause"), ONE_LINE_WRONG, ids=[each[1] for each in ONE_LINE_WRONG])
def test_one_line_that_is_wrong(line, wrong, name, cause, tmp_path):
    text = (HERE / "right_from_the_template.py").read_text(encoding="utf-8")
    assert line in text
    (tmp_path / "mine.py").write_text(text.replace(line, wrong))
    (promise,) = (each for each in PROMISES if each.name == name)
    outcome = try_promise(promise, load(tmp_path / "mine.py"))
    assert outcome.status == BROKEN
    assert (cause in outcome.cause) if cause else outcome.cause is None, str(outcome)


def test_a_state_that_is_not_all_there():
    """What forward_exact has put away is in a global: right, until there are two states."""
    names = run(HERE / "right_from_the_template.py", {})
    forward_exact, invert_exact = names["forward_exact"], names["invert_exact"]
    latest = []

    def forgetful(functions, n, d, x, v):
        *state, latest[:] = forward_exact(functions, n, d, x, v)
        return state

    names["forward_exact"] = forgetful
    names["invert_exact"] = lambda functions, n, d, state: invert_exact(functions, n, d, (*state, latest))
    (promise,) = (each for each in PROMISES if each.name == "exact inversion")
    assert "there may be two states at once" in try_promise(promise, load(names)).cause


FACTOR = 1 + 1e-7
SLIGHTLY_WRONG = {
    "forward": ("forward", lambda forward: lambda functions, gamma, x, v: forward(functions, gamma * FACTOR, x, v)),
    "inversion": ("invert", lambda invert: lambda functions, gamma, x, v: invert(functions, gamma * FACTOR, x, v)),
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
