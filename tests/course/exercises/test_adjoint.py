"""Checks of notebook 07's exercises refuse what learners are likely to get wrong, and say why."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import adjoint

RIGHT_BITS = dict(zip(adjoint.CHANGES, (True, False, False, True, True, False), strict=True))


def adjoint_of_variant(pullback, gamma, p, q):
    by_x, by_parameters = pullback((1 - gamma) * q)
    return p + by_x, gamma * q + p + by_x, by_parameters


def by_gamma(functions, gamma, x, v, dx, term=lambda v, value: v - value, each=None):
    p, q, total = dx, np.zeros_like(dx), 0.0
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        new, v = v, (v - (1 - gamma) * value) / gamma
        total = each(total) if each else total
        total += np.sum((p + q) * (term(new, value) if term is of_new else term(v, value)))
        by_x, _ = pullback((1 - gamma) * (p + q))
        p, q = p + by_x, gamma * (p + q)
    return total


def of_new(new, value):
    return new - value


def forward(functions, gamma, x, v):
    for f in functions:
        v = gamma * v + (1 - gamma) * f(x)
        x = x + v
    return x, v


def invert(functions, gamma, x, v):
    for f in reversed(functions):
        x = x - v
        v = (v - (1 - gamma) * f(x, replay=True)) / gamma
    return x, v


def backward(functions, gamma, x, v, dx, is_replay=True):
    dv, gradients = np.zeros_like(dx), []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=is_replay)
        v = (v - (1 - gamma) * value) / gamma
        by_x, by_parameters = pullback((1 - gamma) * (dx + dv))
        dx, dv = dx + by_x, gamma * (dx + dv)
        gradients.insert(0, by_parameters)
    return dx, dv, gradients


def test_right_answers_pass():
    adjoint.exercise_1(adjoint_of_variant)
    adjoint.exercise_2(RIGHT_BITS)
    adjoint.exercise_3(lambda m: 2 * m - m**2)
    adjoint.exercise_4(by_gamma)
    adjoint.exercise_5(forward, invert, backward)


def test_1_the_velocity_acts_through_f():
    def forgets(pullback, gamma, p, q):
        by_x, by_parameters = pullback((1 - gamma) * q)
        return p + by_x, gamma * q + p, by_parameters

    with pytest.raises(NotYet, match="q_n misses something"):
        adjoint.exercise_1(forgets)


def test_1_the_old_velocity_moves_the_position():
    def forgets(pullback, gamma, p, q):
        by_x, by_parameters = pullback((1 - gamma) * q)
        return p + by_x, gamma * q, by_parameters

    with pytest.raises(NotYet, match="v_n also moves x_"):
        adjoint.exercise_1(forgets)


def test_1_the_adjoint_of_the_rule_itself():
    def of_the_rule(pullback, gamma, p, q):
        by_x, by_parameters = pullback((1 - gamma) * (p + q))
        return p + by_x, gamma * (p + q), by_parameters

    with pytest.raises(NotYet, match="only q_"):
        adjoint.exercise_1(of_the_rule)


def test_1_the_factor_of_the_parameters():
    def forgets(pullback, gamma, p, q):
        by_x, by_parameters = pullback(q)
        return p + (1 - gamma) * by_x, gamma * q + p + (1 - gamma) * by_x, by_parameters

    with pytest.raises(NotYet, match="dL/dW of layer 1"):
        adjoint.exercise_1(forgets)


def test_1_the_factor_of_f():
    def forgets(pullback, gamma, p, q):
        by_x, by_parameters = pullback(q)
        return p + by_x, gamma * q + p + by_x, by_parameters

    with pytest.raises(NotYet, match="with the factor 1 - gamma"):
        adjoint.exercise_1(forgets)


@pytest.mark.parametrize("change", adjoint.CHANGES)
def test_2_every_change_is_run(change):
    with pytest.raises(NotYet, match=f"you predicted {not RIGHT_BITS[change]}: "):
        adjoint.exercise_2(RIGHT_BITS | {change: not RIGHT_BITS[change]})


def test_2_everything_must_be_predicted():
    with pytest.raises(NotYet, match="predict True or False"):
        adjoint.exercise_2(dict.fromkeys(adjoint.CHANGES, ...))
    with pytest.raises(NotYet, match="a dictionary"):
        adjoint.exercise_2(None)


def test_3_twice_the_share():
    with pytest.raises(NotYet, match="not 2 m"):
        adjoint.exercise_3(lambda m: 2 * m)


def test_3_what_survives_is_not_what_comes():
    with pytest.raises(NotYet, match="share of the old mean"):
        adjoint.exercise_3(lambda m: (1 - m) ** 2)
    with pytest.raises(NotYet, match="running means for m = 0"):
        adjoint.exercise_3(lambda m: m**2)


@pytest.mark.parametrize(
    ("term", "why"),
    [
        (lambda v, value: v, "two places"),
        (of_new, "takes v_"),
        (lambda v, value: value - v, "the sign"),
    ],
)
def test_4_terms(term, why):
    with pytest.raises(NotYet, match=why):
        adjoint.exercise_4(lambda *arguments: by_gamma(*arguments, term=term))


def test_4_the_first_layer_alone():
    with pytest.raises(NotYet, match="tied over the layers"):
        adjoint.exercise_4(lambda *arguments: by_gamma(*arguments, each=lambda total: 0.0))


def test_4_both_ways_to_the_loss():
    def by_position_only(functions, gamma, x, v, dx):
        p, q, total = dx, np.zeros_like(dx), 0.0
        for f in reversed(functions):
            x = x - v
            value, pullback = f.vjp(x, replay=True)
            v = (v - (1 - gamma) * value) / gamma
            total += np.sum(p * (v - value))
            by_x, _ = pullback((1 - gamma) * (p + q))
            p, q = p + by_x, gamma * (p + q)
        return total

    with pytest.raises(NotYet, match="in two ways"):
        adjoint.exercise_4(by_position_only)


def test_4_a_number_for_each_element():
    with pytest.raises(NotYet, match="one number for the whole network"):
        adjoint.exercise_4(lambda functions, gamma, x, v, dx: dx)


def test_5_stubs(capsys):
    with pytest.raises(NotYet, match="the report above"):
        adjoint.exercise_5(*[lambda *arguments: None] * 3)
    assert "backward is not written yet" in capsys.readouterr().out


def test_5_statistics_that_move_twice(capsys):
    def loud(functions, gamma, x, v, dx):
        return backward(functions, gamma, x, v, dx, is_replay=False)

    with pytest.raises(NotYet, match="the report above"):
        adjoint.exercise_5(forward, invert, loud)
    assert "BROKEN  running statistics" in capsys.readouterr().out
