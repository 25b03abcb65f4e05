"""backward evaluates functions as if for the first time."""

BREAKS = {"running statistics": "what repeats an evaluation must say so"}


def backward(functions, gamma, x, v, dx):
    dv, gradients = 0 * dx, []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x)
        v = (v - (1 - gamma) * value) / gamma
        s = dx + dv
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
        gradients.insert(0, by_parameters)
    return dx, dv, gradients
