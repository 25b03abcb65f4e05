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


def test_right_answers_pass():
    storing.exercise_1(RIGHT)
    storing.exercise_2(relu_forward, relu_vjp)
    storing.exercise_3(deepest)
    storing.exercise_4(halving)
    storing.exercise_5(longest)


@pytest.mark.parametrize(
    ("name", "wrong"), [("x * sigmoid(x)", 2), ("tanh, then dropout", 3), ("batch norm, then tanh", 1), ("x ** 2", 1)]
)
def test_1_a_wrong_count_is_named(name, wrong):
    with pytest.raises(NotYet, match=f"^'{name.replace('*', '[*]').replace('(', '[(]').replace(')', '[)]')}' adds"):
        storing.exercise_1(RIGHT | {name: wrong})


def test_1_everything_must_be_predicted():
    with pytest.raises(NotYet, match="predict a whole number"):
        storing.exercise_1(RIGHT | {"x ** 2": ...})


def test_2_booleans_take_bytes():
    with pytest.raises(NotYet, match="a boolean array takes a byte each"):
        storing.exercise_2(lambda x: (np.maximum(x, 0), (x > 0,)), lambda saved, gradient: gradient * saved[0])


def test_2_rows_are_filled_up():
    with pytest.raises(NotYet, match=r"15 elements should take 2 bytes.* fills up each row"):
        storing.exercise_2(
            lambda x: (np.maximum(x, 0), (np.packbits(x > 0, axis=-1), x.shape)),
            lambda saved, gradient: gradient * np.unpackbits(saved[0], axis=-1, count=gradient.shape[-1]),
        )


def test_2_the_output_is_kept():
    with pytest.raises(NotYet, match="saved must be a tuple"):
        storing.exercise_2(lambda x: (np.maximum(x, 0), np.maximum(x, 0)), lambda saved, gradient: gradient)


def test_2_the_slope_at_zero():
    with pytest.raises(NotYet, match="its gradient at 0"):
        storing.exercise_2(lambda x: (np.maximum(x, 0), (np.packbits(x >= 0), x.shape)), relu_vjp)


def test_2_float32_stays():
    with pytest.raises(NotYet, match="float32 has become float64"):
        storing.exercise_2(relu_forward, lambda saved, gradient: relu_vjp(saved, gradient.astype(np.float64)))


def test_3_the_derivative_knows_no_integers():
    with pytest.raises(NotYet, match="not an integer"):
        storing.exercise_3(lambda budget, a: budget**2 / (4 * a))


def test_3_what_does_not_fit():
    with pytest.raises(NotYet, match="11 layers do not fit"):
        storing.exercise_3(lambda budget, a: -(-(budget**2) // (4 * a)) if budget == 9 else deepest(budget, a))


def test_3_the_best_length_rounded_down():
    with pytest.raises(NotYet, match="0 layers fit with segments of 1, but 1 fit with the best"):
        storing.exercise_3(lambda budget, a: (budget // (2 * a)) * (budget - a * (budget // (2 * a))))


def test_3_one_length_for_all():
    with pytest.raises(NotYet, match="6 layers fit with segments of 1, but 16 fit"):
        storing.exercise_3(lambda budget, a: max(1, budget - 2 * a))


def test_4_storing_everything():
    with pytest.raises(NotYet, match="layers' saved arrays were there at a time"):
        storing.exercise_4(storing._stored_backprop)


def test_4_what_an_underscore_names_is_kept():
    def keeps(layers, x, gradient):
        if len(layers) == 1:
            _, saved = layers[0].forward(x)
            gradient, by_weight = layers[0].vjp(saved, gradient)
            return gradient, [by_weight]
        half, middle = len(layers) // 2, x
        for layer in layers[:half]:
            middle, _ = layer.forward(middle)
        gradient, right = keeps(layers[half:], middle, gradient)
        gradient, left = keeps(layers[:half], x, gradient)
        return gradient, left + right

    with pytest.raises(NotYet, match="also what _ names is kept"):
        storing.exercise_4(keeps)


def test_4_from_the_start_each_time():
    def quadratic(layers, x, gradient):
        by_weights = []
        for n in reversed(range(len(layers))):
            here = x
            for layer in layers[:n]:
                here = layer(here)
            _, saved = layers[n].forward(here)
            gradient, by_weight = layers[n].vjp(saved, gradient)
            del saved
            by_weights.insert(0, by_weight)
        return gradient, by_weights

    with pytest.raises(NotYet, match="should take 10 evaluations, not 15"):
        storing.exercise_4(quadratic)


def test_4_gradients_in_the_wrong_order():
    def reverse(layers, x, gradient):
        by_input, by_weights = halving(layers, x, gradient)
        return by_input, by_weights[::-1]

    with pytest.raises(NotYet, match="gradients of the weights"):
        storing.exercise_4(reverse)


def test_4_all_states_are_kept():
    states = []

    def remember(layer, x):
        states.append(layer(x))
        return states[-1]

    with pytest.raises(NotYet, match="states were there at a time"):
        storing.exercise_4(lambda *arguments: halving(*arguments, run_on=remember))


def test_5_slots_that_are_not_lent_again():
    def powers(slots, times):
        return times if slots == 0 or times == 1 else times * powers(slots - 1, times)

    with pytest.raises(NotYet, match="slots, 2 to 5 evaluations"):
        storing.exercise_5(powers)


def test_5_one_evaluation_is_the_one_that_saves():
    with pytest.raises(NotYet, match="no slots, at most 1"):
        storing.exercise_5(lambda slots, times: math.comb(slots + times + 1, slots + 1))


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
