"""Exercises of notebook 06, Exact inversion: where the bits go."""

import numpy as np

from ...kernels.exact import FRACTION_BITS
from ..checking import NotYet, expect, require, returned
from ..own import multiply


def exercise_1(two_with_the_same_result):
    """Two pairs that the truncating product with 2/3 takes to the same one."""
    answer = returned(two_with_the_same_result(), "two_with_the_same_result")
    require(np.shape(answer) == (2, 2), f"it should return two pairs of integers, ((v, b), (v, b)), not {answer!r}")
    pairs = [tuple(pair) for pair in answer]
    require(all(float(each).is_integer() for pair in pairs for each in pair), "v and b should be integers")
    require(all(b >= 0 for _, b in pairs), "b should not be negative: a buffer starts at 0")
    require(pairs[0] != pairs[1], "the two pairs should be different")
    results = [_multiply_in_c(int(v), int(b), 2, 3) for v, b in pairs]
    require(results[0] == results[1], f"{pairs[0]} becomes {results[0]}, and {pairs[1]} becomes {results[1]}")
    print(f"{pairs[0]} and {pairs[1]} both become {results[0]}: no inverse can tell them apart")


def exercise_2(share_of_zeros):
    """The share of empty buffers: (n/d)^N."""
    for n, d, layers in ((1, 2, 3), (9, 10, 20), (99, 100, 100), (4999, 5000, 100)):
        share = returned(share_of_zeros(n, d, layers), "share_of_zeros")
        if n != 1 and np.isclose(share, d ** -float(layers), rtol=1e-6, atol=0):
            raise NotYet("that is the share for which every remainder was 0: b den + r < num holds for others, too")
        require(not np.isclose(share, 1 - (n / d) ** layers), "that is the share of the buffers in use")
        expect(f"{n}/{d}, {layers} layers", share, (n / d) ** layers, within=1e-9)
        elements = 20_000
        random = np.random.default_rng(1)
        v, b = random.integers(-(2**30), 2**30, elements), np.zeros(elements, np.int64)
        for _ in range(layers):
            v, b = multiply(v, b, n, d)
            v = v + random.integers(-(2**30), 2**30, elements)
        deviation, limit = np.sqrt(share * (1 - share) / elements), layers * np.log2(d / n)
        measured = f"{np.mean(b == 0):.4f} +- {deviation:.4f}"
        print(f"    in a run: {measured}; 2^-limit, with {limit:.3f} bits: {2**-limit:.4f}")


def exercise_3(undo_shrinking_layer):
    """A layer that shrinks velocity and position, with one buffer for both, undone."""
    random = np.random.default_rng(2)
    start = random.integers(-(2**41), 2**41, (2, 8, 4))
    functions = [np.sin, np.tanh, _stairs, np.cos] * 5

    def compare(name, functions, n, d):
        state = start[0].copy(), start[1].copy(), np.zeros_like(start[0])
        passed = [state]
        for f in functions:
            passed.append(_shrinking_layer(*passed[-1], f, n, d))
        state = passed[-1]
        for f, before, after in zip(reversed(functions), passed[-2::-1], passed[:0:-1], strict=True):
            state = undo_shrinking_layer(*(each.copy() for each in state), f, n, d)
            returned(state, "undo_shrinking_layer", 3, "three arrays, (x, v, b)")
            if not all(np.array_equal(came, was) for came, was in zip(state, before, strict=True)):
                _name_the_mistake(state, after, f, n, d)
            for symbol, came, was in zip("xvb", state, before, strict=True):
                found = np.asarray(came).dtype
                require(found == was.dtype, f"{symbol} should be {was.dtype}, not {found}")
                require(np.array_equal(came, was), f"{name}: {symbol} does not come back")
        print(f"{name}: x, v and b come back exactly")

    compare("one layer", functions[:1], 9, 10)
    compare("20 layers", functions, 9, 10)
    compare("20 layers with 2/3", functions, 2, 3)


def _name_the_mistake(state, after, f, n, d):
    """Say what went wrong if `state`, that came back from `after`, is the result of one of the likely mistakes."""
    x, v, b = after
    too_early = multiply(x, b, d, n)[0] - v
    require(not np.array_equal(state[0], too_early), "x was multiplied first and then moved by v: undo the move first")
    # the lines undone: x and v multiplied, f's push subtracted; right is "xfv" with d/n
    for lines, fraction, why in (
        ("xfv", (n, d), "a product with num/den is undone by one with den/num: exchange them"),
        ("fvx", (d, n), "undo the lines in reverse order: x's digit went onto the buffer last, and comes off first"),
        ("fxv", (d, n), "f was evaluated at the shrunken x; going forward it saw the x before its product"),
    ):
        wrong, left = {"x": x - v, "v": v}, b
        for line in lines:
            if line == "f":
                wrong["v"] = wrong["v"] - _push(f, wrong["x"], n, d)
            else:
                wrong[line], left = multiply(wrong[line], left, *fraction)
        require(not all(np.array_equal(state[k], wrong[name]) for k, name in enumerate("xv")), why)


def _multiply_in_c(v, b, n, d):
    def truncating(number, divisor):
        quotient = abs(number) // divisor * (1 if number >= 0 else -1)
        return quotient, number - divisor * quotient

    v, digit = truncating(v, d)
    b, digit = truncating(b * d + digit, n)
    return v * n + digit, b


def _push(f, x, n, d):
    values = f((x * 2.0**-FRACTION_BITS).astype(np.float32))
    return np.rint(np.float64(values) * ((d - n) / d * 2.0**FRACTION_BITS)).astype(np.int64)


def _stairs(x):
    return np.floor(3 * np.sin(x))


def _shrinking_layer(x, v, b, f, n, d):
    v, b = multiply(v, b, n, d)
    v = v + _push(f, x, n, d)
    x, b = multiply(x, b, n, d)
    return x + v, v, b
