"""Exercises of notebook 01: wrong answers with what is said of them, and right ones."""


def multiply(v, b, n, d, quotient=lambda v, d: int(v / d)):
    b, v = b * d + v % d, quotient(v, d)
    return v * n + b % n, b // n


def remainder_of_the_quotient(v, b, n, d):
    v = int(v / d)
    b = b * d + v % d
    return v * n + b % n, b // n


def positions(gamma, depth, push=None):
    x, v, passed = 1.0, 0.0, [1.0]
    for _ in range(depth):
        v = gamma * v - (1 - gamma if push is None else push) * x
        x = x + v
        passed.append(x)
    return passed


WRONG = {
    1: [
        (lambda *state: multiply(*state, quotient=lambda v, d: v // d), "rounds down, as // does"),
        (remainder_of_the_quotient, "that of the old v"),
        (lambda *state: multiply(*state)[::-1], "some v >= 0 are lost"),
        (lambda *state: None, "returns nothing"),
    ],
    2: [
        (lambda gamma, depth: positions(gamma, depth)[1:], r"N \+ 1 numbers, for N = 3"),
        (lambda gamma, depth: positions(gamma, depth, push=1), "gamma = 0.5 at 1: got 0.0, should be 0.5"),
        (lambda gamma, depth: positions(gamma, depth)[-1], "has shape"),
    ],
}

RIGHT = [(1, multiply), (1, lambda *state: list(multiply(*state))), (2, positions)]
