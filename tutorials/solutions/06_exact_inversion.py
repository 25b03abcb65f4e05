"""Solutions of notebook 06; each block replaces the stub of the exercise with that number."""

# %% 06.1
# With n = 1 the product has no room, so all bits that are shifted out of v go into b: one per layer, the limit.


def halve(v, b):
    one = np.uint64(1)
    return v >> 1, (b << one) | (v & 1).astype(np.uint64)


def double_back(v, b):
    one = np.uint64(1)
    return (v << 1) | (b & one).astype(np.int64), b >> one


# %% 06.2
# (2, 0): quotient 0, remainder 2, so 0 * 3 + 2 = 2 is in the buffer.  (-1, 1): quotient 0, remainder -1, and
# 1 * 3 - 1 = 2 again.  Digits from -2 to 2 are too many for base 3.


def two_with_the_same_result():
    return (2, 0), (-1, 1)


# %% 06.3
# The bound B_t counts; product number t is safe if B_t d <= 2^bits.  For the authors' fractions: 293 and 48 products.
# From v_0 = 0 the first product keeps nothing, so one layer more is safe: 49 layers with gamma = 0.5, which is what
# was observed.  With 0.9 the bound would be met if all remainders were as large as can be: it lasts a little longer.


def safe_products(n, d, bits):
    bound, count = 1, 0
    while bound * d <= 2**bits:
        bound = -(-bound * d // n)
        count += 1
    return count


# %% 06.4
# b d + r < n < d needs b = 0 and r < n: n of d remainders.  So the share of zeros is multiplied by n / d in every
# layer: it is 2^-limit, as if all pairs (v, b) were equally likely.  For the paper's gamma it is (1 - 1/(50 N))^N,
# about exp(-1/50) = 0.98: two words in a hundred are in use.


def share_of_zeros(n, d, layers):
    return (n / d) ** layers


# %% 06.5
# The forward lines from last to first.  x is multiplied back before `push`, which must see what it saw, and before v,
# because the digit of x was pushed onto the buffer last.  From a queue the digit of v would come off first.


def undo_shrinking_layer(x, v, b, f, n, d):
    x = x - v
    x, b = multiply_arrays(x, b, d, n)
    v = v - push(f, x, n, d)
    v, b = multiply_arrays(v, b, d, n)
    return x, v, b


# %% 06.6
# The schedule is computed again for the way back: nothing about it is stored.


def run_exact(x, functions, n, d):
    v, b, stack = np.zeros_like(x), np.zeros(x.shape, np.uint64), []
    for f, spills in zip(functions, spill_schedule(n, d, len(functions)), strict=True):
        for _ in range(spills):
            stack.append((b % 2**SPILL).astype(np.uint8))
            b = b >> np.uint64(SPILL)
        x, v, b = layer(x, v, b, f, n, d)
    return x, v, b, stack


def run_back(x, v, b, stack, functions, n, d):
    schedule = spill_schedule(n, d, len(functions))
    for f, spills in zip(reversed(functions), reversed(schedule), strict=True):
        x, v, b = undo_layer(x, v, b, f, n, d)
        for _ in range(spills):
            b = (b << np.uint64(SPILL)) | stack.pop()
    return x, v, b
