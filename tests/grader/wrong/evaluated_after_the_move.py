"""Going forward, f is evaluated at the x that has been moved already."""

BREAKS = {"forward": "f was evaluated after x had been moved"}


def forward(functions, gamma, x, v):
    for f in functions:
        x = x + v
        v = gamma * v + (1 - gamma) * f(x)
    return x, v
