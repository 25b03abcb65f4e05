"""x is moved by the velocity before that is updated."""

BREAKS = {"forward": "the update order is swapped: x was moved by the old velocity"}


def forward(functions, gamma, x, v):
    for f in functions:
        x, v = x + v, gamma * v + (1 - gamma) * f(x)
    return x, v
