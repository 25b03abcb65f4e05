"""x is moved back by the same velocity in every layer."""

CAUSE = "the velocity is not carried back: v_n must be computed from v_{n+1}"
BREAKS = {
    "inversion": CAUSE, "gradients": CAUSE, "finite differences": CAUSE, "tied functions": CAUSE,
    "gradient of v_0": CAUSE,
}  # fmt: skip


def invert(functions, gamma, x, v):
    for _ in functions:
        x = x - v
    return x, v


def backward(functions, gamma, x, v, dx):
    dv, gradients = 0 * dx, []
    for f in reversed(functions):
        x = x - v
        _, pullback = f.vjp(x, replay=True)
        s = dx + dv
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
        gradients.insert(0, by_parameters)
    return dx, dv, gradients
