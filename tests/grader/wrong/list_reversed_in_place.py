"""The caller's list of functions is turned round."""

BREAKS = {"inputs": "change the caller's list"}


def invert(functions, gamma, x, v):
    functions.reverse()
    for f in functions:
        x = x - v
        v = (v - (1 - gamma) * f(x, replay=True)) / gamma
    return x, v
