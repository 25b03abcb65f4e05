"""x is moved by the velocity before that is updated, in integers."""

BREAKS = {
    "exact forward": "the update order is swapped",
    "exact inversion": "mend that first",
    "exact gradients": "mend that first",
    "same bits": "must be the same float",
}


def forward_exact(functions, n, d, x, v):
    b = 0 * x
    for f in functions:
        value = f(seen(x))  # noqa: F821
        x = x + v
        v, b = multiply(v, b, n, d)  # noqa: F821
        v = v + push(value, n, d)  # noqa: F821
    return [x, v, b, []]
