"""Every remainder is kept, in an array of its own."""

CAUSE = "something is kept for every layer"
BREAKS = {"side information": CAUSE, "exact memory": "times x a layer"}


def forward_exact(functions, n, d, x, v):
    remainders = []
    for f in functions:
        remainders.append(v % d)
        v = v // d * n + push(f(seen(x)), n, d)  # noqa: F821
        x = x + v
    return x, v, None, remainders


def undo(value, n, d, v, b, count, remainders):
    return (v - push(value, n, d)) // n * d + remainders.pop(), b  # noqa: F821
