"""gamma and 1 - gamma exchanged."""

BREAKS = {"forward": "gamma and 1 - gamma have changed places"}


def forward(functions, gamma, x, v):
    for f in functions:
        v = (1 - gamma) * v + gamma * f(x)
        x = x + v
    return x, v
