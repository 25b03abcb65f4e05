"""forward leaves every x_n for backward."""

BREAKS = {
    "memory": "times x a layer",
    "twice": "backward must depend on its arguments alone",
}
positions = []


def forward(functions, gamma, x, v):
    positions.clear()
    for f in functions:
        positions.append(x)
        v = gamma * v + (1 - gamma) * f(x)
        x = x + v
    return x, v


def backward(functions, gamma, x, v, dx):
    dv, gradients = 0 * dx, []
    for f in reversed(functions):
        _, pullback = f.vjp(positions.pop(), replay=True)
        s = dx + dv
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
        gradients.insert(0, by_parameters)
    return dx, dv, gradients
