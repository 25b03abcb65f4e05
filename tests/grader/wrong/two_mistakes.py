"""The velocity is not divided by gamma, and gradients are listed last layer first."""

CAUSE = "going back, v was not divided by gamma; and gradients are in the order in which backward meets them"
BREAKS = {"gradients": CAUSE, "gradient of v_0": CAUSE, "finite differences": CAUSE, "tied functions": CAUSE}


def backward(functions, gamma, x, v, dx):
    dv, gradients = 0 * dx, []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = v - (1 - gamma) * value
        s = dx + dv
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
        gradients.append(by_parameters)
    return dx, dv, gradients
