"""Checks of notebook 04's exercises refuse what learners are likely to get wrong, and say why."""

import functools
import math

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import storing

RIGHT = {"tanh": 1, "x * sigmoid(x)": 3, "batch norm, then tanh": 2, "tanh, then dropout": 2, "x ** 2": 2}


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
    storing.exercise_1: [
        ((RIGHT | {"x * sigmoid(x)": 2},), r"^'x \* sigmoid\(x\)' adds"),
        ((RIGHT | {"tanh, then dropout": 3},), "^'tanh, then dropout' adds"),
    ],
    storing.exercise_2: [
        ((lambda x: (np.maximum(x, 0), (x > 0,)), lambda saved, g: g * saved[0]), "a boolean array takes a byte each"),
        ((lambda x: (np.maximum(x, 0), np.maximum(x, 0)), lambda saved, g: g), "saved must be a tuple"),
        ((lambda x: (np.maximum(x, 0), (np.packbits(x >= 0), x.shape)), relu_vjp), "its gradient at 0"),
    ],
    storing.exercise_3: [
        ((lambda budget, a: budget**2 / (4 * a),), "not an integer"),
        ((lambda budget, a: (budget // (2 * a)) * (budget - a * (budget // (2 * a))),),
         "0 layers fit with segments of 1, but 1 fit with the best"),
    ],
    storing.exercise_4: [
        ((storing._stored_backprop,), "layers' saved arrays were there at a time"),
        ((keeping_what_an_underscore_names,), "also what _ names is kept"),
        ((keeping_all_states,), "states were there at a time"),
    ],
    storing.exercise_5: [
        ((lambda slots, times: math.comb(slots + times + 1, slots + 1),), "no slots, at most 1"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answers", "message"), [(exercise, *row) for exercise, rows in WRONG.items() for row in rows]
)
def test_wrong_answers(exercise, answers, message):
    with pytest.raises(NotYet, match=message):
        exercise(*answers)


def test_5_the_binomial_coefficient_is_the_longest():
    @functools.cache
    def most_evaluated(layers, slots):
        """How often some layer is evaluated if checkpoints are placed so that this is least."""
        if layers == 1 or slots == 0:
            return layers
        return min(max(1 + most_evaluated(m, slots), most_evaluated(layers - m, slots - 1)) for m in range(1, layers))

    for slots in range(4):
        for times in range(1, 5):
            length = longest(slots, times)
            assert most_evaluated(length, slots) == times
            assert most_evaluated(length + 1, slots) == times + 1


def test_right_answers():
    storing.exercise_1(RIGHT)
    storing.exercise_2(relu_forward, relu_vjp)
    storing.exercise_3(deepest)
    storing.exercise_4(halving)
    storing.exercise_5(longest)
