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


def without_f_in_q(pullback, gamma, p, q):
    by_x, by_parameters = pullback((1 - gamma) * q)
    return p + by_x, gamma * q + p, by_parameters


def of_the_rule_itself(pullback, gamma, p, q):
    by_x, by_parameters = pullback((1 - gamma) * (p + q))
    return p + by_x, gamma * (p + q), by_parameters


def without_the_factor_of_parameters(pullback, gamma, p, q):
    by_x, by_parameters = pullback(q)
    return p + (1 - gamma) * by_x, gamma * q + p + (1 - gamma) * by_x, by_parameters


WRONG = {
    adjoint.exercise_1: [
        (without_f_in_q, "q_n misses something"),
        (of_the_rule_itself, "only q_"),
        (without_the_factor_of_parameters, "dL/dW of layer 1"),
    ],
    adjoint.exercise_2: [
        *(
            (RIGHT_BITS | {each: not RIGHT_BITS[each]}, f"you predicted {not RIGHT_BITS[each]}: ")
            for each in RIGHT_BITS
        ),
        (dict.fromkeys(adjoint.CHANGES, ...), "predict True or False"),
        (None, "a dictionary"),
    ],
    adjoint.exercise_3: [
        (lambda m: (1 - m) ** 2, "share of the old mean"),
        (lambda m: m**2, "running means for m = 0"),
    ],
    adjoint.exercise_4: [
        (lambda *arguments: by_gamma(*arguments, term=lambda v, value: v), "two places"),
        (lambda *arguments: by_gamma(*arguments, term=of_new), "takes v_"),
        (lambda *arguments: by_gamma(*arguments, term=lambda v, value: value - v), "the sign"),
        (lambda *arguments: by_gamma(*arguments, each=lambda total: 0.0), "tied over the layers"),
    ],
}


@pytest.mark.parametrize(
    ("exercise", "answer", "message"), [(exercise, *row) for exercise, rows in WRONG.items() for row in rows]
)
def test_wrong_answers(exercise, answer, message):
    with pytest.raises(NotYet, match=message):
        exercise(answer)


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


def test_right_answers():
    adjoint.exercise_1(adjoint_of_variant)
    adjoint.exercise_2(RIGHT_BITS)
    adjoint.exercise_3(lambda m: 2 * m - m**2)
    adjoint.exercise_4(by_gamma)
    adjoint.exercise_5(forward, invert, backward)
