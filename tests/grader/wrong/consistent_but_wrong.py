"""The inverse of another rule than equation 2."""

BREAKS = {"forward": "neither v nor f(x) has its factor", "inversion": "it undoes your own forward"}


def forward(functions, gamma, x, v):
    for f in functions:
        v = v + f(x)
        x = x + v
    return x, v


def invert(functions, gamma, x, v):
    for f in reversed(functions):
        x = x - v
        v = v - f(x, replay=True)
    return x, v
