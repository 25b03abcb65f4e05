"""backward goes all the way back first, and stores what it will need."""

BREAKS = {"memory": "100 pullbacks were there at once"}


def backward(functions, gamma, x, v, dx):
    pullbacks = []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = (v - (1 - gamma) * value) / gamma
        pullbacks.append(pullback)
    dv, gradients = 0 * dx, []
    for pullback in pullbacks:
        s = dx + dv
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
        gradients.insert(0, by_parameters)
    return dx, dv, gradients
