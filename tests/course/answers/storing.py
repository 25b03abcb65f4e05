"""Exercises of notebook 04: wrong answers with what is said of them, and right ones."""

from mininet.course import own

ARRAYS = {"tanh": 1, "x * sigmoid(x)": 3, "batch norm, then tanh": 2, "tanh, then dropout": 2, "x ** 2": 2}


def deepest(budget, a):
    return max(k * (budget - a * k) for k in range(1, budget // a + 1))


def halving(functions, x, dx, run_on=lambda f, x: f(x)):
    if len(functions) == 1:
        _, pullback = functions[0].vjp(x)
        dx, by_parameters = pullback(dx)
        return dx, [by_parameters]
    half, middle = len(functions) // 2, x
    for f in functions[:half]:
        middle = run_on(f, middle)
    dx, right = halving(functions[half:], middle, dx, run_on)
    dx, left = halving(functions[:half], x, dx, run_on)
    return dx, left + right


def keeping_what_an_underscore_names(functions, x, dx):
    if len(functions) == 1:
        _, pullback = functions[0].vjp(x)
        dx, by_parameters = pullback(dx)
        return dx, [by_parameters]
    half, middle = len(functions) // 2, x
    for f in functions[:half]:
        middle, _ = f.vjp(middle)
    dx, right = keeping_what_an_underscore_names(functions[half:], middle, dx)
    dx, left = keeping_what_an_underscore_names(functions[:half], x, dx)
    return dx, left + right


def keeping_all_states(functions, x, dx, states=[]):  # noqa: B006
    return halving(functions, x, dx, lambda f, x: states.append(f(x)) or states[-1])


WRONG = {
    1: [
        (ARRAYS | {"x * sigmoid(x)": 2}, r"^'x \* sigmoid\(x\)' adds"),
        (ARRAYS | {"tanh, then dropout": 3}, "^'tanh, then dropout' adds"),
    ],
    2: [
        (lambda budget, a: budget**2 / (4 * a), "not an integer"),
        (
            lambda budget, a: (budget // (2 * a)) * (budget - a * (budget // (2 * a))),
            "0 layers fit with segments of 1, but 1 fit with the best",
        ),
    ],
    3: [
        (own.stored_backward, "layers' saved arrays were there at a time"),
        (keeping_what_an_underscore_names, "also what _ names is kept"),
        (keeping_all_states, "states were there at a time"),
    ],
}

RIGHT = [(1, ARRAYS), (2, deepest), (3, halving)]
