"""One call for each layer."""

BREAKS = {
    "inversion": "recursion over the layers ends at about a thousand",
    "memory": "times x a layer",
}


def invert(functions, gamma, x, v):
    if not functions:
        return x, v
    x = x - v
    v = (v - (1 - gamma) * functions[-1](x, replay=True)) / gamma
    return invert(functions[:-1], gamma, x, v)
