"""What reaches the loss through the velocity is forgotten."""

CAUSE = "s is p alone"
BREAKS = {"gradients": CAUSE, "gradient of v_0": CAUSE, "finite differences": CAUSE, "tied functions": CAUSE}


def backward(functions, gamma, x, v, dx):
    dv, gradients = 0 * dx, []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = (v - (1 - gamma) * value) / gamma
        by_x, by_parameters = pullback((1 - gamma) * dx)
        dx, dv = dx + by_x, gamma * dx
        gradients.insert(0, by_parameters)
    return dx, dv, gradients
