"""Solutions of notebook 10; each block replaces the stub of the exercise with that number."""

# %% 10.1
# The derivative u - w + t vanishes at u = w - t.  If that is negative, the function rises on all of u >= 0, and the
# minimum is at the border, 0.  So the answer is ReLU(w - t), a ReLU with the bias -t.


def nonnegative_step(w, t):
    return np.maximum(w - t, 0)


# %% 10.2
# Where z is not 0, F has one slope, -r + lambda sign(z), which must be 0.  On the kink, 0 lies between -r - lambda and
# -r + lambda exactly if |r| <= lambda; otherwise it is |r| - lambda away from the nearer one.


def violation(z, y, D, penalty):
    r = (y - z @ D.T) @ D
    return np.where(z != 0, np.abs(-r + penalty * np.sign(z)), np.maximum(np.abs(r) - penalty, 0))


# %% 10.3
# Between 0 and the limit of section 4, which is 2 for gamma = 0.  For a < 0 the function pushes away from 0, and p(1)
# is negative.  In a RevNet nothing attracts; with kappa = a^2 > 0 one eigenvalue is beyond 1, whatever the sign of a.


def attracts(kind, a, gamma):
    if kind == "revnet":
        return False
    return 0 < a < 2 * (1 + gamma) / (1 - gamma)


# %% 10.4
# push has the blocks I and gamma I on its diagonal, so its determinant is gamma^d; move has I and I, so 1.  J stands
# below the diagonal and does not matter.


def two_maps(J, gamma):
    one, zero = np.eye(len(J)), np.zeros_like(J)
    push = np.block([[one, zero], [(1 - gamma) * J, gamma * one]])
    move = np.block([[one, one], [zero, one]])
    return push, move


# %% 10.5
# kappa = alpha beta, and the trace 2 + alpha beta = 2 cos(omega) gives alpha beta = -2 (1 - cos(omega)), which is
# negative: the streams push each other in opposite ways, like sine and cosine.  Only the product matters.


def rotating(period):
    size = np.sqrt(2 * (1 - np.cos(2 * np.pi / period)))
    return -size, size


# %% 10.6
# With q = sqrt(gamma), the ends are (1 - q)^2 = (1 - q^2) s slowest and (1 + q)^2 = (1 - q^2) s fastest.  Divided:
# (1 + q) / (1 - q) = sqrt(fastest / slowest).  A smaller gamma leaves an end of the range real, with a larger radius.


def best_momentum(slowest, fastest):
    ratio = np.sqrt(fastest / slowest)
    q = (ratio - 1) / (ratio + 1)
    return q**2, (1 + q) ** 2 / ((1 - q**2) * fastest)
