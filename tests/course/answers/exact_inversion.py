"""Exercises of notebook 06: wrong answers with what is said of them, and right ones."""

import numpy as np

from mininet.course.exercises.exact_inversion import _push, multiply

ONE = np.uint64(1)


def halve(v, b):
    return v >> 1, (b << ONE) | (v & 1).astype(np.uint64)


def double_back(v, b):
    return (v << 1) | (b & ONE).astype(np.int64), b >> ONE


def halve_towards_zero(v, b):
    return np.trunc(v / 2).astype(np.int64), (b << ONE) | (v & 1).astype(np.uint64)


def by_logarithm(n, d, bits):
    return int(bits / np.log2(d / n))


def without_the_push(n, d, bits):
    bound, count = 1, 0
    while -(-bound * d // n) <= 2**bits:
        bound, count = -(-bound * d // n), count + 1
    return count


def undo_in_the_wrong_order(x, v, b, f, n, d):
    x = x - v
    v = v - _push(f, x, n, d)
    v, b = multiply(v, b, d, n)
    x, b = multiply(x, b, d, n)
    return x, v, b


def undo_with_the_shrunken_position(x, v, b, f, n, d):
    x = x - v
    v = v - _push(f, x, n, d)
    x, b = multiply(x, b, d, n)
    v, b = multiply(v, b, d, n)
    return x, v, b


def run(x, functions, n, d, late=0, low=np.uint8, spills_at_all=True, lost=0):
    """A right answer to exercise 6, but for the faults asked for."""
    v, b, stack, bound = np.zeros_like(x), np.zeros(x.shape, np.uint64), [], 1
    for f in functions:
        while spills_at_all and -(-bound * d // n) > 2 ** (32 + late):
            stack.append((b % 256).astype(low))
            bound, b = -(-bound // 256), b >> np.uint64(8 + lost)
        bound = -(-bound * d // n)
        v, b = multiply(v, b, n, d)
        v = v + _push(f, x, n, d)
        x = x + v
    return x, v, b, stack


def bounds_before(depth, n, d):
    bound, schedule = 1, []
    for _ in range(depth):
        schedule.append(0)
        while -(-bound * d // n) > 2**32:
            bound, schedule[-1] = -(-bound // 256), schedule[-1] + 1
        bound = -(-bound * d // n)
    return schedule


def run_back(x, v, b, stack, functions, n, d, spills_first=False, pop=list.pop):
    for f, spills in zip(reversed(functions), reversed(bounds_before(len(functions), n, d)), strict=True):
        if spills_first:
            for _ in range(spills):
                b = (b << np.uint64(8)) | pop(stack)
        x = x - v
        v = v - _push(f, x, n, d)
        v, b = multiply(v, b, d, n)
        if not spills_first:
            for _ in range(spills):
                b = (b << np.uint64(8)) | pop(stack)
    return x, v, b


WRONG = {
    1: [
        (halve_towards_zero, double_back, "halve: v at 4 is 0, and should be -1"),
        (halve, lambda v, b: (v << 1, b >> ONE), "double_back: v"),
        (halve, lambda v, b: None, "double_back returns nothing"),
    ],
    2: [
        (lambda: ((3, 0), (4, 0)), r"\(3, 0\) becomes \(2, 0\), and \(4, 0\) becomes \(3, 0\)"),
        (lambda: ((1, -1), (-2, 0)), "should not be negative"),
        (lambda: ((-1, 1), (-1, 1)), "should be different"),
        (lambda: (1, 2), "two pairs"),
    ],
    3: [
        (by_logarithm, "average buffer"),
        (without_the_push, "between push and pop"),
    ],
    4: [
        (lambda n, d, layers: (1 / d) ** layers, "every remainder was 0"),
        (lambda n, d, layers: 1 - (n / d) ** layers, "buffers in use"),
        (lambda n, d, layers: None, "returns nothing"),
    ],
    5: [
        (undo_in_the_wrong_order, "comes off first"),
        (undo_with_the_shrunken_position, "saw the x before"),
        (lambda x, v, b, f, n, d: (x, v, b), "one layer: x does not come back"),
    ],
    6: [
        (lambda *args: run(*args, spills_at_all=False), run_back, "more than 32 bits"),
        (lambda *args: run(*args, low=np.int64), run_back, "uint8"),
        (lambda *args: run(*args, lost=1), run_back, "x is wrong, and was right without spills"),
        (run, lambda *args: run_back(*args, spills_first=True), "400 layers, and back: x"),
        (run, lambda *args: run_back(*args, pop=lambda stack: stack.pop(0)), "400 layers, and back: x"),
        (run, lambda *args: run_back(*args, pop=lambda stack: stack[-1]), "and back: x|left on the stack"),
        (lambda *args: None, run_back, "returns nothing"),
    ],
}

RIGHT = [
    (6, run, run_back),
]
