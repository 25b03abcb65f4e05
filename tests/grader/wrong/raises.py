"""Only for a batch that is empty."""

BREAKS = {"forward": None}


def forward(functions, gamma, x, v):
    if not x.size:
        raise ValueError("what should I do with nothing?")
    for f in functions:
        v = gamma * v + (1 - gamma) * f(x)
        x = x + v
    return x, v
