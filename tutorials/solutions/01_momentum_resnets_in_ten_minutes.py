"""Solutions of notebook 01; each block replaces the stub of the exercise with that number."""

# %% 01.1
# v = q d + (v mod d) needs the quotient q rounded down, as // does; rounded towards zero, q is one too large for every
# negative v that d does not divide, while v % d is still the remainder of the division that rounds down.


def multiply_like_c(v, b, n, d):
    b, v = b * d + v % d, int(v / d)
    v, b = v * n + b % n, b // n
    return v, b


# %% 01.2
# -N log2(1 - e) with e = 1 / (50 N) is N e / ln 2, to first order: 1 / (50 ln 2) = 0.0289 bits whatever N is.


def bits_for_paper_gamma(depth):
    return -depth * np.log2(1 - 1 / (50 * depth))


# %% 01.3
# With gamma = 0 every starting point is at 0 after one layer, so nothing tells them apart.  With gamma = 0.5 and 0.9
# the velocity still knows where they came from: both can be run backwards.


def positions(gamma, depth):
    x, v = 1.0, 0.0
    passed = [x]
    for _ in range(depth):
        x, v = step(x, v, lambda x: -x, gamma)
        passed.append(x)
    return passed
