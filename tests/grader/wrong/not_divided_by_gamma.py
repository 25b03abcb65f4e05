"""v is not divided by gamma."""

BREAKS = {"inversion": "v was not divided by gamma"}


def invert(functions, gamma, x, v):
    for f in reversed(functions):
        x = x - v
        v = v - (1 - gamma) * f(x, replay=True)
    return x, v
