"""Solutions of notebook 07; each block replaces the stub of the exercise with that number."""

# %% 07.1
# x_{n+1} reaches the loss through the later layers, p_{n+1}, and through f_n in v_{n+1}: r is the sum.  x_n occurs in
# x_{n+1} only; v_n occurs there, too, and in v_{n+1} with the factor gamma.


def adjoint_of_variant(pullback, gamma, p, q):
    by_x, by_parameters = pullback((1 - gamma) * q)
    r = p + by_x
    return r, gamma * q + r, by_parameters


# %% 07.2
# Only what computes the same numbers with the same operations, up to exchanging two summands, and with factors that are
# powers of two, keeps the bits.
keeps_the_bits = {
    "by_x + p instead of p + by_x": True,
    "gamma * p + gamma * q instead of gamma * (p + q)": False,
    "(1 - gamma) multiplied after the pullback, gamma = 9/10": False,
    "(1 - gamma) multiplied after the pullback, gamma = 1/2": True,
    "f evaluated a second time, for the push, instead of using the pullback's value": True,
    "x and v run back in floats from the exact x_N and v_N": False,
}


# %% 07.3
# After two moves (1 - m)^2 of the old mean is left, so the batch has got the rest: 2 m - m^2, for m = 0.1 that is 0.19.


def momentum_of_two_moves(m):
    return 1 - (1 - m) ** 2


# %% 07.4
# In layer n, dv_{n+1} / dgamma = v_n - f_n(x_n), and v_{n+1} reaches the loss with s.


def gradient_by_gamma(functions, gamma, x, v, dx):
    p, q, total = dx, np.zeros_like(dx), 0.0
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = (v - (1 - gamma) * value) / gamma
        total += np.sum((p + q) * (v - value))
        p, q, _ = adjoint_step(pullback, gamma, p, q)
    return total


# %% 07.5
# The pullback of a layer is dropped when the next one takes its name, so one is alive at a time, and for a moment two.


def forward(functions, gamma, x, v):
    for f in functions:
        v = gamma * v + (1 - gamma) * f(x)
        x = x + v
    return x, v


def invert(functions, gamma, x, v):
    for f in reversed(functions):
        x = x - v
        v = (v - (1 - gamma) * f(x, replay=True)) / gamma
    return x, v


def backward(functions, gamma, x, v, dx):
    dv, gradients = np.zeros_like(dx), []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = (v - (1 - gamma) * value) / gamma
        s = dx + dv
        by_x, by_parameters = pullback((1 - gamma) * s)
        dx, dv = dx + by_x, gamma * s
        gradients.insert(0, by_parameters)
    return dx, dv, gradients
