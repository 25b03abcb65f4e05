"""Heavy ball as in optimisers: v <- gamma v + f(x)."""

BREAKS = {"forward": "the factor 1 - gamma of f(x) is missing"}


def forward(functions, gamma, x, v):
    for f in functions:
        v = gamma * v + f(x)
        x = x + v
    return x, v
