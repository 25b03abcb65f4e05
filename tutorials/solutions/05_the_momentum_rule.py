"""Solutions of notebook 05; each block replaces the stub of the exercise with that number."""

# %% 05.1
# x_1 = x - x^3 is 0 for x = 0, 1 and -1.  The velocities, 0, -1 and 1, differ, and so the layer can be undone:
# x_0 = x_1 - v_1.  Positions may meet; pairs of position and velocity cannot.


def merged():
    return 0.0, 1.0


# %% 05.2
# What enters at layer k is multiplied by all later momenta.  The sum is 1: each layer takes an average of two, and an
# average of averages is one again.


def velocity_weights(gammas):
    weights = np.append(1.0, 1 - gammas)
    for layer, gamma in enumerate(gammas):
        weights[: layer + 1] *= gamma  # all that is in v_layer: v_0 and the residuals before this one
    return weights


# %% 05.3
# v_n - c = gamma^n (v_0 - c).  Summing v_1, ..., v_n: n c + (v_0 - c) (gamma + ... + gamma^n), a geometric series.


def after_constant_push(x0, v0, c, gamma, n):
    v = c + gamma**n * (v0 - c)
    x = x0 + n * c + (v0 - c) * gamma * (1 - gamma**n) / (1 - gamma)
    return x, v


# %% 05.4
# The velocity changed last, so it is undone first, with f at the x that is at hand; then the position, with the
# velocity that came back.


def run_back(x, v, functions, gammas):
    for f, gamma in zip(reversed(functions), reversed(gammas), strict=True):
        v = (v - (1 - gamma) * f(x)) / gamma
        x = x - v
    return x, v


# %% 05.5
# N log2(1/gamma) <= bits.  The measured depths are a little smaller or larger: rounding errors are not exactly half a
# unit, each layer adds new ones, and the largest of many elements is compared.  For three digits after 100 layers
# 14 bits may go: log2(1/gamma) = 0.14, gamma = 2^-0.14 = 0.91.


def layers_until_lost(gamma, bits):
    return int(bits / np.log2(1 / gamma))


# %% 05.6
# The trace of M is (1 + gamma - (1 - gamma) a) / gamma, its determinant 1 / gamma, so the eigenvalues meet when
# 1 + gamma - (1 - gamma) a = 2 sqrt(gamma).  With 1 + gamma - 2 sqrt(gamma) = (1 - sqrt(gamma))^2 and
# 1 - gamma = (1 - sqrt(gamma)) (1 + sqrt(gamma)) that is the fraction below: 0.026 for gamma = 0.9.


def weakest_spring(gamma):
    root = np.sqrt(gamma)
    return (1 - root) / (1 + root)
