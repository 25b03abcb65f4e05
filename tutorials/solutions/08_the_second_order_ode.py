"""Solutions of notebook 08; each block replaces the stub of the exercise with that number."""

# %% 08.1
# eps = 1 / (N (1 - gamma)) stays if 1 - gamma is halved as N is doubled: 0.9 becomes 0.95.  And 0 becomes 1/2: a
# ResNet is a momentum network with eps = h; with half the step it needs some memory to keep that eps.


def gamma_when_twice_as_deep(gamma):
    return 1 - (1 - gamma) / 2


# %% 08.2
# tan(w t) = -2 eps w < 0.  Of the solutions w t = k pi - arctan(2 eps w), the first positive one has k = 1.  It lies
# between pi / 2, a quarter of a swing, and pi: friction delays the first zero.


def first_zero(a, epsilon):
    if 4 * a * epsilon <= 1:
        return np.inf
    frequency = np.sqrt(4 * a * epsilon - 1) / (2 * epsilon)
    return (np.pi - np.arctan(2 * epsilon * frequency)) / frequency


# %% 08.3
# The trace is 2 - h / eps and the determinant 1 - h / eps + h^2 a / eps, so T^2 - 4 det = (1 - 4 a eps) h^2 / eps^2 <
# 0: complex zeros with |mu|^2 = det.  That is 1 at h = 1 / a, whatever eps is; the twist allows about 2 sqrt(eps /
# a), far more.  And it makes the network invertible: from x_{n+1} = x_n + h u_n and u_{n+1} = u_n + h (f(x_n) - u_n)
# / eps alone one would have to solve for x_n, which stands under f.


def explicit_matrix(a, h, epsilon):
    return np.array([[1, h], [-h * a / epsilon, 1 - h / epsilon]])


def explicit_limit(a, epsilon):
    return 1 / a


# %% 08.4
# The network without force loses most, 1 / eps / ln 10 = 4.3 digits.  The soft spring has a root near -1 / eps, and
# loses 3.1.  The stiff one oscillates: half of 4.3, since both directions grow alike and their product is e^(1 /
# eps).


def digits_lost(a, epsilon):
    return max(-root.real for root in roots(a, epsilon)) / np.log(10)


# %% 08.5
# Of two steps in a row, the last half move of the first and the first half move of the second make one move by h u.
# So this is the momentum rule with gamma = e^(-h / eps) instead of 1 - h / eps, but for half a move of x at the
# beginning and half a move less at the end.  It is as invertible, and its order is 2 because it is the same read
# backwards.


def symmetric_step(x, u, f, h, epsilon):
    x = x + h / 2 * u
    gamma = np.exp(-h / epsilon)
    u = gamma * u + (1 - gamma) * f(x)
    return x + h / 2 * u, u
