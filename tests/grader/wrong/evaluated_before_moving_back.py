"""Going back, f is evaluated at x_{n+1}."""

BREAKS = {"inversion": "f was evaluated at x_{n+1}"}


def invert(functions, gamma, x, v):
    for f in reversed(functions):
        x, v = x - v, (v - (1 - gamma) * f(x, replay=True)) / gamma
    return x, v
