"""backward keeps the state of every tenth layer: memory grows with depth, if slowly."""

BREAKS = {"memory": "0.2 times x a layer"}


def backward(functions, gamma, x, v, dx):
    checkpoints = {}
    for n in range(len(functions) - 1, -1, -1):
        x = x - v
        v = (v - (1 - gamma) * functions[n](x, replay=True)) / gamma
        if n % 10 == 0:
            checkpoints[n] = x, v
    dv, gradients = 0 * dx, []
    for n in range(len(functions) - 1, -1, -1):
        x, v = checkpoints[n - n % 10]
        for f in functions[n - n % 10 : n]:
            v = gamma * v + (1 - gamma) * f(x, replay=True)
            x = x + v
        _, pullback = functions[n].vjp(x, replay=True)
        s = dx + dv
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
        gradients.insert(0, by_parameters)
    return dx, dv, gradients
