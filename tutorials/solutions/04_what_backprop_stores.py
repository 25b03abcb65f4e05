"""Solutions of notebook 04; each block replaces the stub of the exercise with that number."""

# %% 04.1
# Each hidden layer hands on one array that the next linear layer needs: its input.  What comes on top:
# x * sigmoid(x): the product needs both factors, and the sigmoid its output, which is one of them.
# batch norm, then tanh: the input of the batch norm; the tanh's output is the one handed on.
# tanh, then dropout: the tanh's output; the mask is drawn again, and the dropout's output is the one handed on.
# x ** 2: its input.
arrays_per_layer = {
    "tanh": 1,
    "x * sigmoid(x)": 3,
    "batch norm, then tanh": 2,
    "tanh, then dropout": 2,
    "x ** 2": 2,
}


# %% 04.2
# Nothing but the sign matters to the slope.


def relu_forward(x):
    return np.maximum(x, 0), (np.packbits(x > 0), x.shape)


def relu_vjp(saved, gradient):
    bits, shape = saved
    is_positive = np.unpackbits(bits, count=gradient.size).astype(bool).reshape(shape)
    return np.where(is_positive, gradient, 0)


# %% 04.3
# Segments of k layers, B - a k of them: the product k (B - a k) is largest near k = B / (2 a), where it is about
# B^2 / (4 a): depth grows with the square of the budget, where storing everything it grows in proportion.


def deepest(budget, a):
    return max(k * (budget - a * k) for k in range(1, budget // a + 1))


# %% 04.4
# The right part is finished, tapes and all, before the left part begins: so there is one tape at a time.


def halving_backprop(layers, x, by_output):
    if len(layers) == 1:
        _, saved = layers[0].forward(x)
        gradient, by_weight = layers[0].vjp(saved, by_output)
        return gradient, [by_weight]
    half = len(layers) // 2
    middle = x
    for layer in layers[:half]:
        middle = layer(middle)
    gradient, right = halving_backprop(layers[half:], middle, by_output)
    gradient, left = halving_backprop(layers[:half], x, gradient)
    return gradient, left + right


# %% 04.5
# The rule is that of Pascal's triangle, and longest(s, r) is the binomial coefficient of s + r over s + 1.  With 9
# slots, ten states in all, 1001 layers are within reach of 5 evaluations each.


def longest(slots, times):
    if slots == 0 or times == 1:
        return times
    return longest(slots, times - 1) + longest(slots - 1, times)
