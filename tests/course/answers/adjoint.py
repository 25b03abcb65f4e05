"""Exercises of notebook 07: wrong answers with what is said of them, and right ones."""

import numpy as np

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
    1: [
        (without_f_in_q, "q_n misses something"),
        (of_the_rule_itself, "only q_"),
        (without_the_factor_of_parameters, "dL/dW of layer 1"),
    ],
    2: [
        *(
            (RIGHT_BITS | {each: not RIGHT_BITS[each]}, f"you predicted {not RIGHT_BITS[each]}: ")
            for each in RIGHT_BITS
        ),
        (dict.fromkeys(adjoint.CHANGES, ...), "predict True or False"),
        (None, "a dictionary"),
    ],
    3: [
        (lambda *arguments: by_gamma(*arguments, term=lambda v, value: v), "two places"),
        (lambda *arguments: by_gamma(*arguments, term=of_new), "takes v_"),
        (lambda *arguments: by_gamma(*arguments, term=lambda v, value: value - v), "the sign"),
        (lambda *arguments: by_gamma(*arguments, each=lambda total: 0.0), "tied over the layers"),
    ],
}

RIGHT = [(1, adjoint_of_variant), (2, RIGHT_BITS), (3, by_gamma)]
