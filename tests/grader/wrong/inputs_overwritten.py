"""x and v are changed in place."""

BREAKS = {"inputs": "x -= v writes into x itself"}


def invert(functions, gamma, x, v):
    for f in reversed(functions):
        x -= v
        v -= (1 - gamma) * f(x, replay=True)
        v /= gamma
    return x, v
