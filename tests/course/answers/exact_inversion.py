"""Exercises of notebook 06: wrong answers with what is said of them, and right ones."""

from mininet.course.exercises.exact_inversion import _push
from mininet.course.own import multiply


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


WRONG = {
    1: [
        (lambda: ((3, 0), (4, 0)), r"\(3, 0\) becomes \(2, 0\), and \(4, 0\) becomes \(3, 0\)"),
        (lambda: ((1, -1), (-2, 0)), "should not be negative"),
        (lambda: ((-1, 1), (-1, 1)), "should be different"),
        (lambda: (1, 2), "two pairs"),
    ],
    2: [
        (lambda n, d, layers: (1 / d) ** layers, "every remainder was 0"),
        (lambda n, d, layers: 1 - (n / d) ** layers, "buffers in use"),
        (lambda n, d, layers: None, "returns nothing"),
    ],
    3: [
        (undo_in_the_wrong_order, "comes off first"),
        (undo_with_the_shrunken_position, "saw the x before"),
        (lambda x, v, b, f, n, d: (x, v, b), "one layer: x does not come back"),
    ],
}


def undo(x, v, b, f, n, d):
    x = x - v
    x, b = multiply(x, b, d, n)
    v = v - _push(f, x, n, d)
    v, b = multiply(v, b, d, n)
    return x, v, b


RIGHT = [(3, undo)]
