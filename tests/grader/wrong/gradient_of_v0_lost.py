"""dL/dv_0 is taken for 0, because v_0 was."""

CAUSE = "the gradient of v_0 is lost"
BREAKS = {"gradient of v_0": CAUSE, "finite differences": CAUSE}


def backward(functions, gamma, x, v, dx):
    q, gradients = 0 * dx, []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = (v - (1 - gamma) * value) / gamma
        s = dx + q
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, q = dx + by_x, gamma * s
        gradients.insert(0, by_parameters)
    return dx, 0 * dx, gradients
