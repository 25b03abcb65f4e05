"""Wrong implementations: each breaks the promises that it says, with the causes that it says; right ones break none."""

import pathlib

import numpy as np
import pytest

from mininet.grader import PROMISES, exact_promises, float_promises, load, try_promise
from mininet.grader.report import BROKEN, KEPT

RIGHT = pathlib.Path(__file__).with_name("right.py")
BY_NAME = {promise.name: promise for promise in PROMISES}

STEP = "        v = gamma * v + (1 - gamma) * f(x)\n"
UNDO = "        x = x - v\n        v = (v - (1 - gamma) * f(x, replay=True)) / gamma\n"
PULL = "        value, pullback = f.vjp(x, replay=True)\n        v = (v - (1 - gamma) * value) / gamma\n"
DIVIDE = (
    "        v, remainder = np.divmod(v, d)\n        buffer, remainder = np.divmod(buffer * d + remainder, n)\n"
    "        v = v * n + remainder"
)
MULTIPLY = (
    "    v, remainder = np.divmod(v - kick(value, n, d), n)\n"
    "    buffer, remainder = np.divmod(buffer * n + remainder, d)\n"
    "    if full and full[-1][0] == layer:\n        buffer = full.pop()[1]\n    return v * d + remainder, buffer\n"
)
NEVER_THE_SAME = {"same bits": "must be the same float"}
GRADIENTS = ("gradients", "gradient of v_0", "finite differences", "tied functions")
NOT_CARRIED = "the velocity is not carried back: v_n must be computed from v_{n+1}"
TRUNCATES = "the division truncates, towards zero, and must round down (floor)"

WRONG = {  # what is changed in `right`, and the promises that are broken, with their causes
    "one minus gamma forgotten": (
        {STEP: STEP.replace("(1 - gamma) * ", "")}, {"forward": "the factor 1 - gamma of f(x) is missing"},
    ),
    "consistent but wrong": (
        {STEP: "        v = v + f(x)\n", UNDO: "        x = x - v\n        v = v - f(x, replay=True)\n"},
        {"forward": "neither v nor f(x) has its factor", "inversion": "it undoes your own forward"},
    ),
    "raises for an empty batch": (
        {STEP: "        if not x.size:\n            raise ValueError\n" + STEP}, {"forward": None},
    ),
    "recursion": (
        {
            f"    for f in functions[::-1]:\n{UNDO}    return x, v\n":
            "    if not functions:\n        return x, v\n    x = x - v\n"
            "    v = (v - (1 - gamma) * functions[-1](x, replay=True)) / gamma\n"
            "    return invert(functions[:-1], gamma, x, v)\n",
        },
        {"inversion": "recursion over the layers ends at about a thousand", "memory": "times x a layer"},
    ),
    "float64 in between": (
        {f"    for f in functions[::-1]:\n{UNDO}    return x, v\n":
         "    x, v, dtype = x.astype(float), v.astype(float), x.dtype\n"
         f"    for f in functions[::-1]:\n{UNDO}    return x.astype(dtype), v.astype(dtype)\n"},
        {"float32": "float64 takes part"},
    ),
    "inputs overwritten": (
        {UNDO: "        x -= v\n        v -= (1 - gamma) * f(x, replay=True)\n        v /= gamma\n"},
        {"inputs": "x += v and x -= v write into the array that you were given"},
    ),
    "list reversed in place": (
        {"    for f in functions[::-1]:\n" + UNDO: "    functions.reverse()\n    for f in functions:\n" + UNDO},
        {"inputs": "change the caller's list"},
    ),
    "velocity not carried back": (
        {UNDO: "        x = x - v\n", PULL: PULL.splitlines()[0] + "\n"},
        dict.fromkeys(("inversion", *GRADIENTS), NOT_CARRIED),
    ),
    "two mistakes": (
        {PULL: PULL.replace(" / gamma", ""), "gradients.insert(0, by_parameters)": "gradients.append(by_parameters)"},
        dict.fromkeys(GRADIENTS, "going back, v was not divided by gamma; and gradients are in the order in which "
                                 "backward meets them"),
    ),
    "gradient of v_0 lost": (
        {"return dx, dv, gradients\n": "return dx, 0 * dx, gradients\n"},
        dict.fromkeys(("gradient of v_0", "finite differences"), "the gradient of v_0 is lost"),
    ),
    "tied gradients overwritten": (
        {
            "dv, gradients = 0 * dx, []": "dv, gradients = 0 * dx, {}",
            "gradients.insert(0, by_parameters)": "gradients[f] = by_parameters",
            "return dx, dv, gradients\n": "return dx, dv, [gradients[f] for f in functions]\n",
        },
        {"tied functions": "was it overwritten in a dict of functions?"},
    ),
    "statistics updated twice": (
        {PULL: PULL.replace(", replay=True", "")}, {"running statistics": "what repeats an evaluation must say so"},
    ),
    "activations kept by forward": (
        {
            "def forward(functions, gamma, x, v):\n":
            "positions = []\n\n\ndef forward(functions, gamma, x, v):\n    positions.clear()\n",
            STEP: "        positions.append(x)\n" + STEP,
            "        x = x - v\n" + PULL: "        _, pullback = f.vjp(positions.pop(), replay=True)\n",
        },
        {"memory": "times x a layer", "twice": "backward must depend on its arguments alone"},
    ),
    "activations stored": (
        {
            "def backward(functions, gamma, x, v, dx):\n":
            "def backward(functions, gamma, x, v, dx):\n    pullbacks = []\n",
            PULL: PULL + "        pullbacks.append(pullback)\n    for pullback in pullbacks:\n",
        },
        {"memory": "100 pullbacks were there at once"},
    ),
    "every tenth state kept": (
        {"gradients = 0 * dx, []": "gradients, kept = 0 * dx, [], []",
         PULL: PULL + "        kept += [x, v] * (len(gradients) % 10 == 0)\n"},
        {"memory": "0.2 times x a layer"},
    ),
    "buffer dropped": (
        {"return x, v, buffer, full": "return x, v, 0 * buffer, full"},
        {"exact inversion": "the buffer does not reach invert_exact"} | NEVER_THE_SAME,
    ),
    "buffer outgrown": (
        {"if buffer.max(initial=0) >= 2**62 // d:": "if False:"},
        {"exact inversion": "it has outgrown its integer"} | NEVER_THE_SAME,
    ),
    "remainder dropped": (
        {DIVIDE: "        v = v * n // d", MULTIPLY: "    return (v - kick(value, n, d)) * d // n, buffer\n"},
        {"exact inversion": "the remainder of the division by den is dropped"} | NEVER_THE_SAME,
    ),
    "remainder of C": (
        {"np.divmod(v, d)": "v // d, np.fmod(v, d)"}, {"exact inversion": TRUNCATES} | NEVER_THE_SAME,
    ),
    "remainders kept": (
        {DIVIDE: "        full.append(v % d)\n        v = v // d * n",
         MULTIPLY: "    return (v - kick(value, n, d)) // n * d + full.pop(), buffer\n"},
        {"side information": "something is kept for every layer", "exact memory": "times x a layer"},
    ),
    "rounded differently": (
        {"v - kick(value, n, d)": "v - ((1 - n / d) * value * 2.0**40).astype(np.int64)"},
        {"exact inversion": "must be the one that was added"} | NEVER_THE_SAME,
    ),
    "seen in float32": (
        {"vjp(x * 2.0**-40, replay=True)": "vjp(np.float64(np.float32(x * 2.0**-40)), replay=True)"},
        {"exact gradients": "must be the same float"} | NEVER_THE_SAME,
    ),
}  # fmt: skip


def names_of(changes=()):
    """What `right` defines, with the changes, each in one place."""
    text = RIGHT.read_text(encoding="utf-8")
    for old, new in dict(changes).items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    names = {}
    exec(text, names)
    return names


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_implementation_breaks_the_promises_that_it_says_for_its_own_reasons(name):
    changes, breaks = WRONG[name]
    implementation = load(names_of(changes))
    is_exact = any(promise.name in breaks for promise in exact_promises.PROMISES)
    promises = exact_promises.PROMISES if is_exact else float_promises.PROMISES
    outcomes = {promise.name: try_promise(promise, implementation) for promise in promises}
    broken = {name: outcome for name, outcome in outcomes.items() if outcome.status != KEPT}
    assert broken.keys() == breaks.keys()
    for name, outcome in broken.items():
        assert outcome.status == BROKEN
        assert (breaks[name] in outcome.cause) if breaks[name] else outcome.cause is None, outcome


def test_bytes_of_a_state_of_any_kind():
    """A long integer, as a buffer may be, counts as its binary digits."""
    words, long = np.zeros(3, np.int64), np.array([2**80 - 1, 1], object)
    assert exact_promises.held_bytes((words, [np.float32(1)], {"buffers": long}, b"ab")) == 24 + 4 + 81 / 8 + 2


ONE_LINE_WRONG = [
    ("/ gamma\n    return x, v", "/ gamma\n    x, v", "inversion", "is a return missing?"),
    ("(1 - gamma) * f(x)\n", "(1 - gamma) * f(x).astype(np.float32)\n", "forward", "nearly right"),
    ("insert(0, by_parameters)", "extend(by_parameters)", "gradients", "a layer's list of arrays must be one entry"),
    ("gradients = n / d", "gradients = n // d", "exact gradients", "num // den is an integer division"),
    ("kick(f(x * 2.0**-40)", "kick(f(x * 1.0)", "exact forward", "must see x * 2.0**-40, here 1"),
    ("buffer.max(initial=0)", "buffer.max()", "exact forward", None),  # raises for an empty batch
    ("- kick(value, n, d)", "- np.rint((d - n) / d * value * 2.0**40).astype(int)", "exact inversion", "small numbers"),
    (
        "v, buffer, full)\n        dv",
        "v + kick(value, n, d) - np.rint((d - n) / d * value * 2.0**40).astype(int), buffer, full)\n        dv",
        "same bits", "two different floats",
    ),
    ("buffer * d + remainder", "buffer * 10 + remainder", "exact inversion", "with gamma = 9/10"),
    ("append((layer, buffer))", "append((layer + 1, buffer))", "exact inversion", "bring them back at the same layer"),
    ("buffer.max(initial=0)", "buffer.mean()", "exact inversion", "the fullest decides"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "wrong", "name", "cause"), ONE_LINE_WRONG, ids=[each[1] for each in ONE_LINE_WRONG])
def test_one_line_that_is_wrong(line, wrong, name, cause):
    outcome = try_promise(BY_NAME[name], load(names_of({line: wrong})))
    assert outcome.status == BROKEN
    assert (cause in outcome.cause) if cause else outcome.cause is None, str(outcome)


def test_a_state_that_is_not_all_there():
    """What forward_exact has put away is in a global: right, until there are two states."""
    names = names_of()
    forward_exact, invert_exact = names["forward_exact"], names["invert_exact"]
    latest = []

    def forgetful(functions, n, d, x, v):
        *state, latest[:] = forward_exact(functions, n, d, x, v)
        return state

    names["forward_exact"] = forgetful
    names["invert_exact"] = lambda functions, n, d, state: invert_exact(functions, n, d, (*state, latest))
    assert "there may be two states at once" in try_promise(BY_NAME["exact inversion"], load(names)).cause


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
    names = names_of()
    names[function] = made_wrong(names[function])
    assert try_promise(BY_NAME[promise.split(",")[0]], load(names)).status == BROKEN
