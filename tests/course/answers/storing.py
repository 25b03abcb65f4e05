"""Exercises of notebook 04: wrong answers with what is said of them, and right ones."""

import math

import numpy as np

from mininet.course.exercises import storing

ARRAYS = {"tanh": 1, "x * sigmoid(x)": 3, "batch norm, then tanh": 2, "tanh, then dropout": 2, "x ** 2": 2}


def relu_forward(x):
    return np.maximum(x, 0), (np.packbits(x > 0), x.shape)


def relu_vjp(saved, gradient):
    bits, shape = saved
    return np.where(np.unpackbits(bits, count=gradient.size).astype(bool).reshape(shape), gradient, 0)


def deepest(budget, a):
    return max(k * (budget - a * k) for k in range(1, budget // a + 1))


def halving(layers, x, gradient, run_on=lambda layer, x: layer(x)):
    if len(layers) == 1:
        _, saved = layers[0].forward(x)
        gradient, by_weight = layers[0].vjp(saved, gradient)
        return gradient, [by_weight]
    half, middle = len(layers) // 2, x
    for layer in layers[:half]:
        middle = run_on(layer, middle)
    gradient, right = halving(layers[half:], middle, gradient, run_on)
    gradient, left = halving(layers[:half], x, gradient, run_on)
    return gradient, left + right


def longest(slots, times):
    return math.comb(slots + times, slots + 1)


def keeping_what_an_underscore_names(layers, x, gradient):
    if len(layers) == 1:
        _, saved = layers[0].forward(x)
        gradient, by_weight = layers[0].vjp(saved, gradient)
        return gradient, [by_weight]
    half, middle = len(layers) // 2, x
    for layer in layers[:half]:
        middle, _ = layer.forward(middle)
    gradient, right = keeping_what_an_underscore_names(layers[half:], middle, gradient)
    gradient, left = keeping_what_an_underscore_names(layers[:half], x, gradient)
    return gradient, left + right


def keeping_all_states(layers, x, gradient, states=[]):  # noqa: B006
    return halving(layers, x, gradient, lambda layer, x: states.append(layer(x)) or states[-1])


WRONG = {
    1: [
        (ARRAYS | {"x * sigmoid(x)": 2}, r"^'x \* sigmoid\(x\)' adds"),
        (ARRAYS | {"tanh, then dropout": 3}, "^'tanh, then dropout' adds"),
    ],
    2: [
        (lambda x: (np.maximum(x, 0), (x > 0,)), lambda saved, g: g * saved[0], "a boolean array takes a byte each"),
        (lambda x: (np.maximum(x, 0), np.maximum(x, 0)), lambda saved, g: g, "saved must be a tuple"),
        (lambda x: (np.maximum(x, 0), (np.packbits(x >= 0), x.shape)), relu_vjp, "its gradient at 0"),
    ],
    3: [
        (lambda budget, a: budget**2 / (4 * a), "not an integer"),
        (
            lambda budget, a: (budget // (2 * a)) * (budget - a * (budget // (2 * a))),
            "0 layers fit with segments of 1, but 1 fit with the best",
        ),
    ],
    4: [
        (storing._stored_backprop, "layers' saved arrays were there at a time"),
        (keeping_what_an_underscore_names, "also what _ names is kept"),
        (keeping_all_states, "states were there at a time"),
    ],
    5: [
        (lambda slots, times: math.comb(slots + times + 1, slots + 1), "no slots, at most 1"),
    ],
}

RIGHT = [
    (1, ARRAYS),
    (2, relu_forward, relu_vjp),
    (3, deepest),
    (4, halving),
    (5, longest),
]
