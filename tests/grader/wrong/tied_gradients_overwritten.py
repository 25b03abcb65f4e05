"""Gradients are kept by function, and a second one replaces the first."""

BREAKS = {"tied functions": "was it overwritten in a dict of functions?"}


def backward(functions, gamma, x, v, dx):
    dv, gradients = 0 * dx, {}
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = (v - (1 - gamma) * value) / gamma
        s = dx + dv
        by_x, gradients[f] = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
    return dx, dv, [gradients[f] for f in functions]
