"""Solutions of notebook 09; each block replaces the stub of the exercise with that number."""

# %% 09.1
# The best constant is the mean c of h, and the loss is the variance of h.  No increasing g does better: the mean of
# (g - h)^2 is that of (g - c)^2, plus that of (h - c)^2, minus twice that of (g - c)(h - c), which is at most 0,
# since g rises while h falls.  For -x^3 and -x the mean is 0, and the losses are 1/7 and 1/3; for 1 - x^3 it is 1/7
# as well.


def best_increasing_loss(values):
    return np.mean((values - np.mean(values)) ** 2)


# %% 09.2
# The ResNet's 13 points keep their order: 0 pairs.  In the momentum network all 78 pairs cross, once or more often, and
# in the ResNet with large steps too, there in every layer.


def crossings(path):
    difference = path[:, :, None] - path[:, None, :]
    change = (difference > 0).any(axis=0) & (difference < 0).any(axis=0)
    return int(change.sum()) // 2


for name, runs in outcomes.items():
    print(name, crossings(runs[0].net.trajectory(np.linspace(-1, 1, 13)[:, None])[..., 0]))

# %% 09.3
# Momentum: -0.5 is above the bar.  -1 and -2, -3 are below it, and alone; -2 twice is a pair, three times it is not.
# The sixth has the eigenvalues 3i and -3i, none of them real.  0 is above the bar.  ResNet: every negative eigenvalue
# is below the bar; so is 0, as exp is never 0.

momentum = [True, False, True, False, False, True, True]
resnet = [False, False, True, False, False, True, False]

# %% 09.4
# In even dimensions -1 occurs an even number of times: rotations by pi in n / 2 planes, no factor needed.  In odd
# ones it is unpaired, and -1 / c must not be below lambda_eps.


def factor_for_minus_one(n, epsilon):
    return 1.0 if n % 2 == 0 else -1 / lowest_value(epsilon)


# %% 09.5
# p + q J stands for p + i q.  At the angle pi, preimage finds a complex m although e^(i pi) is real: m and its
# conjugate are the pair of eigenvalues of theta.


def theta_for_rotation(angle, epsilon):
    m = complex(preimage(np.exp(1j * angle), epsilon))
    return m.real * np.eye(2) + m.imag * J


# %% 09.6
# x_{n+1} = x_n + gamma v_n + (1 - gamma) f(x_n).  Subtracting the rows of v from those of x leaves [[1, 0], [(1 -
# gamma) slopes, gamma]], with the determinant gamma^d, whatever f is.  It is positive: in (x, v) a layer never folds,
# however large its step.  The ResNet's det(1 + slopes) can have any sign.


def layer_jacobian(slopes, gamma):
    one = np.eye(len(slopes))
    return np.block([[one + (1 - gamma) * slopes, gamma * one], [(1 - gamma) * slopes, gamma * one]])
