"""Exercises of notebook 06, Exact inversion: where the bits go."""

import numpy as np

from ...kernels.exact import FRACTION_BITS
from ..checking import NotYet, expect, require, returned


def exercise_1(halve, double_back):
    """The product with 1/2 as a shift and one bit."""
    v, b = np.array([0, 1, 2, 7, -1, -2, -7, 2**60, -(2**60) - 1]), np.arange(9).astype(np.uint64)
    halved = _expect_pair("halve", halve(v.copy(), b.copy()), multiply(v, b, 1, 2))
    _expect_pair("double_back", double_back(*(each.copy() for each in halved)), (v, b))
    random = np.random.default_rng(0)
    v, b = random.integers(-(2**60), 2**60, 1000), np.zeros(1000, np.uint64)
    pair = v.copy(), b.copy()
    for layer in [halve] * 64 + [double_back] * 64:
        pair = layer(*pair)
    expect("64 layers and back: v", pair[0], v)
    expect("64 layers and back: b", pair[1], b)


def exercise_2(two_with_the_same_result):
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


def exercise_3(safe_products):
    """How many products surely fit into a word."""
    expect("1/2, 64 bits", safe_products(1, 2, 64), 64)
    count = safe_products(2, 3, 8)
    if count == _safe_products(2, 3, 8, is_pushed=False):
        raise NotYet("the number between push and pop, b d + r, must fit as well")
    if count == int(8 / np.log2(3 / 2)):
        raise NotYet("so many for the average buffer: all b d + r must fit, with b up to the bound B_t")
    expect("2/3, 8 bits", count, _safe_products(2, 3, 8))
    expect("9/10, 64 bits", safe_products(9, 10, 64), _safe_products(9, 10, 64))
    expect("99/100, 32 bits", safe_products(99, 100, 32), _safe_products(99, 100, 32))
    for numerator, gamma, observed in ((58983, 0.9, 298), (32768, 0.5, 49)):
        count = safe_products(numerator, 2**16, 63)
        expect(f"{numerator}/65536, 63 bits", count, _safe_products(numerator, 2**16, 63))
        print(f"gamma = {gamma}: safe for {count} products; observed: overflows after {observed} layers, from v_0 = 0")
    print("(the first product, of v_0 = 0, keeps nothing; and not every remainder is as large as it may be)")


def exercise_4(share_of_zeros):
    """The share of empty buffers: (n/d)^N."""
    for n, d, layers in ((1, 2, 3), (9, 10, 20), (99, 100, 100), (4999, 5000, 100)):
        share = returned(share_of_zeros(n, d, layers), "share_of_zeros")
        if n != 1 and np.isclose(share, d ** -float(layers), rtol=1e-6, atol=0):
            raise NotYet("that is the share for which every remainder was 0: b d + r < n holds for others, too")
        require(not np.isclose(share, 1 - (n / d) ** layers), "that is the share of the buffers in use")
        expect(f"{n}/{d}, {layers} layers", share, (n / d) ** layers, within=1e-9)
        elements = 20_000
        random = np.random.default_rng(1)
        v, b = random.integers(-(2**30), 2**30, elements), np.zeros(elements, np.uint64)
        for _ in range(layers):
            v, b = multiply(v, b, n, d)
            v = v + random.integers(-(2**30), 2**30, elements)
        deviation, limit = np.sqrt(share * (1 - share) / elements), layers * np.log2(d / n)
        measured = f"{np.mean(b == 0):.4f} +- {deviation:.4f}"
        print(f"    in a run: {measured}; 2^-limit, with {limit:.3f} bits: {2**-limit:.4f}")


def exercise_5(undo_shrinking_layer):
    """A layer that shrinks velocity and position, with one buffer for both, undone."""
    random = np.random.default_rng(2)
    start = random.integers(-(2**41), 2**41, (2, 8, 4))
    functions = [np.sin, np.tanh, _stairs, np.cos] * 5

    def compare(name, functions, n, d):
        state = start[0].copy(), start[1].copy(), np.zeros(start[0].shape, np.uint64)
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
        ("xfv", (n, d), "a product with n/d is undone by one with d/n: exchange them"),
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


def exercise_6(run_exact, run_back):
    """A network with buffers of 32 bits, which are spilled on a schedule."""
    random = np.random.default_rng(3)
    start = random.integers(-(2**41), 2**41, (6, 5))
    functions = [np.sin, np.tanh, np.cos, _stairs] * 100
    for n, d, depth in ((9, 10, 10), (9, 10, 400), (1, 2, 300)):
        name = f"gamma = {n}/{d}, {depth} layers"
        answer = returned(run_exact(start.copy(), functions[:depth], n, d), "run_exact", 4, "x, v, b and the stack")
        x, v, b, stack = answer
        if np.asarray(b).max() >= 2**32:
            raise NotYet(f"{name}: a buffer has more than 32 bits: spill before the layer that may overflow")
        right = _run(start, functions[:depth], n, d)
        was_right = "x is wrong, and was right without spills"
        if right[3] and not np.array_equal(x, right[0]):
            raise NotYet(f"{name}: {was_right}: the low bits go before the layer that needs the room")
        for symbol, ours, theirs in zip("xvb", (x, v, b), right[:3], strict=True):
            expect(f"{name}: {symbol}", ours, theirs)
        if len(stack) != right[3]:
            raise NotYet(f"{name}: the stack has {len(stack)} entries, and should have {right[3]}, one for each spill")
        require(all(np.asarray(low).dtype == np.uint8 for low in stack), "what is spilled are bytes: uint8")
        back = returned(run_back(x, v, b, stack, functions[:depth], n, d), "run_back", 3, "x, v and b")
        if right[3] and not np.array_equal(back[0], start):
            raise NotYet(f"{name}, and back: {was_right}: undo a layer, then fetch its spills, the last one first")
        expect(f"{name}, and back: x", back[0], start)
        expect(f"{name}, and back: v", back[1], np.zeros_like(start))
        expect(f"{name}, and back: b", back[2], np.zeros(start.shape, np.uint64))
        require(not stack, f"{name}: {len(stack)} spilled arrays are left on the stack")


def multiply(v, b, n, d):
    """The product with n / d for arrays, v int64 and b uint64."""
    v, digit = np.divmod(v, d)
    b, digit = np.divmod(b * np.uint64(d) + digit.astype(np.uint64), np.uint64(n))
    return v * n + digit.astype(np.int64), b


def _multiply_in_c(v, b, n, d):
    def truncating(number, divisor):
        quotient = abs(number) // divisor * (1 if number >= 0 else -1)
        return quotient, number - divisor * quotient

    v, digit = truncating(v, d)
    b, digit = truncating(b * d + digit, n)
    return v * n + digit, b


def _safe_products(n, d, bits, is_pushed=True):
    bound, count = 1, 0
    while (bound * d if is_pushed else -(-bound * d // n)) <= 2**bits:
        bound = -(-bound * d // n)
        count += 1
    return count


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


def _run(x, functions, n, d):
    """x, v and b after all layers, and the number of spills."""
    v, b, bound, spills = np.zeros_like(x), np.zeros(x.shape, np.uint64), 1, 0
    for f in functions:
        while -(-bound * d // n) > 2**32:
            bound, b, spills = -(-bound // 2**8), b >> np.uint64(8), spills + 1
        bound = -(-bound * d // n)
        v, b = multiply(v, b, n, d)
        v = v + _push(f, x, n, d)
        x = x + v
    return x, v, b, spills


def _expect_pair(name, answer, rights):
    for symbol, array, right in zip("vb", returned(answer, name, 2, "two arrays, (v, b)"), rights, strict=True):
        found = np.asarray(array).dtype
        require(found == right.dtype, f"{name}: {symbol} should be {right.dtype}, not {found}")
        expect(f"{name}: {symbol}", array, right)
    return answer
