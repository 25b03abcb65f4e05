"""What learners get wrong about exact inversion, and what they are told."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import exact_inversion
from mininet.course.exercises.exact_inversion import _push, _stairs, multiply

ONE = np.uint64(1)


def halve(v, b):
    return v >> 1, (b << ONE) | (v & 1).astype(np.uint64)


def double_back(v, b):
    return (v << 1) | (b & ONE).astype(np.int64), b >> ONE


def halve_towards_zero(v, b):
    return np.trunc(v / 2).astype(np.int64), (b << ONE) | (v & 1).astype(np.uint64)


def halve_dropping_bits(v, b):
    return v >> 1, (v & 1).astype(np.uint64)


def halve_to_floats(v, b):
    return v // 2, b * 2 + v % 2


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((halve_towards_zero, double_back), "halve: v at 4 is 0, and should be -1"),
        ((halve_dropping_bits, double_back), "halve: b"),
        ((halve_to_floats, double_back), "b should be uint64, not float64"),
        ((halve, lambda v, b: (v << 1, b >> ONE)), "double_back: v"),
        ((halve, lambda v, b: None), "double_back returns nothing"),
        ((halve, lambda v, b: v << 1), "two arrays"),
    ],
)
def test_halving(answers, message):
    with pytest.raises(NotYet, match=message):
        exact_inversion.exercise_1(*answers)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (((3, 0), (4, 0)), r"\(3, 0\) becomes \(2, 0\), and \(4, 0\) becomes \(3, 0\)"),
        (((1, -1), (-2, 0)), "should not be negative"),
        (((-1, 1), (-1, 1)), "should be different"),
        (((0.5, 0), (1, 0)), "integers"),
        ((1, 2), "two pairs"),
    ],
)
def test_truncation(pairs, message):
    with pytest.raises(NotYet, match=message):
        exact_inversion.exercise_2(lambda: pairs)


def by_logarithm(n, d, bits):
    return int(bits / np.log2(d / n))


def without_the_push(n, d, bits):
    bound, count = 1, 0
    while -(-bound * d // n) <= 2**bits:
        bound, count = -(-bound * d // n), count + 1
    return count


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (by_logarithm, "average buffer"),
        (without_the_push, "between push and pop"),
        (lambda n, d, bits: 64, "2/3, 8 bits"),
    ],
)
def test_safe_products(answer, message):
    with pytest.raises(NotYet, match=message):
        exact_inversion.exercise_3(answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n, d, layers: (1 / d) ** layers, "every remainder was 0"),
        (lambda n, d, layers: 1 - (n / d) ** layers, "buffers in use"),
        (lambda n, d, layers: None, "returns nothing"),
        (lambda n, d, layers: 1 - n / d, "1/2, 3 layers"),
    ],
)
def test_share_of_zeros(answer, message):
    with pytest.raises(NotYet, match=message):
        exact_inversion.exercise_4(answer)


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


def undo_with_a_product_before_the_move(x, v, b, f, n, d):
    x, b = multiply(x, b, d, n)
    x = x - v
    v = v - _push(f, x, n, d)
    v, b = multiply(v, b, d, n)
    return x, v, b


def undo_without_exchanging(x, v, b, f, n, d):
    x = x - v
    x, b = multiply(x, b, n, d)
    v = v - _push(f, x, n, d)
    v, b = multiply(v, b, n, d)
    return x, v, b


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (undo_in_the_wrong_order, "comes off first"),
        (undo_with_the_shrunken_position, "saw the x before"),
        (undo_without_exchanging, "exchange them"),
        (undo_with_a_product_before_the_move, "undo the move first"),
        (lambda x, v, b, f, n, d: (x, v, b), "one layer: x does not come back"),
        (lambda x, v, b, f, n, d: None, "returns nothing"),
        (lambda x, v, b, f, n, d: (x, v), "three arrays"),
    ],
)
def test_undo_shrinking_layer(answer, message):
    with pytest.raises(NotYet, match=message):
        exact_inversion.exercise_5(answer)


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


def test_the_right_answer_is_right():
    exact_inversion.exercise_6(run, run_back)


@pytest.mark.parametrize(
    ("forward", "back", "message"),
    [
        (lambda *args: run(*args, spills_at_all=False), run_back, "more than 32 bits"),
        (lambda *args: run(*args, late=8), run_back, "more than 32 bits"),
        (lambda *args: run(*args, low=np.int64), run_back, "uint8"),
        (lambda *args: run(*args, lost=1), run_back, "x is wrong, and was right without spills"),
        (run, lambda *args: run_back(*args, spills_first=True), "400 layers, and back: x"),
        (run, lambda *args: run_back(*args, pop=lambda stack: stack.pop(0)), "400 layers, and back: x"),
        (run, lambda *args: run_back(*args, pop=lambda stack: stack[-1]), "and back: x|left on the stack"),
        (lambda *args: run(*args)[:3], run_back, "and the stack"),
        (lambda *args: None, run_back, "returns nothing"),
    ],
)
def test_spilling(forward, back, message):
    with pytest.raises(NotYet, match=message):
        exact_inversion.exercise_6(forward, back)


def test_the_functions_of_the_checks_keep_positions_in_range():
    """Exercise 6 runs 400 layers: what _stairs gives is bounded, as sin, cos and tanh are."""
    assert np.abs(_stairs(np.linspace(-100, 100, 1000))).max() <= 3
