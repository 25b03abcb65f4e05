"""Exercises of notebook 02: wrong answers with what is said of them, and right ones."""

import numpy as np

from mininet.course.exercises import autodiff as exercises


def softmax_that_overflows(saved, gradient):
    x, _ = saved
    return (gradient[:, None] * np.exp(x) / np.exp(x).sum(axis=1, keepdims=True),)


def without_the_gradient(saved, gradient):
    x, y = saved
    return (np.exp(x - y[:, None]),)


class Variable:
    """An array on a tape that knows additions and multiplications only."""

    def __init__(self, array, tape):
        self.array, self.tape, self.slot = array, tape, tape.count
        tape.count += 1

    def __add__(self, other):
        return self.tape.record(self.array + other.array, (self, other), lambda g: (g, g))

    def __mul__(self, other):
        return self.tape.record(
            self.array * other.array, (self, other), lambda g: (g * other.array, g * self.array)
        )  # fmt: skip


class RightTape:
    def __init__(self):
        self.count, self.records = 0, []

    def variable(self, array):
        return Variable(array, self)

    def record(self, array, inputs, vjp):
        output = self.variable(array)
        self.records.append((vjp, [each.slot for each in inputs], output.slot))
        return output

    def backward(self, output, gradient):
        gradients = {output.slot: gradient}
        for vjp, inputs, slot in reversed(self.records):
            if slot in gradients:
                for source, share in zip(inputs, vjp(gradients.pop(slot)), strict=True):
                    self.deliver(gradients, source, share)
        return gradients

    def deliver(self, gradients, slot, share):
        gradients[slot] = gradients[slot] + share if slot in gradients else share


class WrongTape(RightTape):
    def deliver(self, gradients, slot, share):
        if slot in gradients:
            gradients[slot] += share
        else:
            gradients[slot] = share


def difference(forward, vjp, array):
    """By how much a vjp and a central difference are apart, and the size of both."""
    random = np.random.default_rng(0)
    output, saved = forward(array)
    c, d, h = random.standard_normal(np.shape(output)), random.standard_normal(array.shape), 6e-6
    by_vjp = np.sum(vjp(saved, c)[0] * d)
    by_difference = np.sum(c * (forward(array + h * d)[0] - forward(array - h * d)[0])) / (2 * h)
    return abs(by_vjp - by_difference), max(abs(by_vjp), np.sum(np.abs(c * output)))


INPUTS = [size * np.random.default_rng(1).standard_normal(8) for size in (0.3, 1, 3)]


def wrong_ones(inputs, tolerance=1e-6, is_relative=True):
    def find_wrong(suspects):
        return [
            name
            for name, pair in suspects.items()
            if any(
                off > tolerance * (size if is_relative else 1) for off, size in (difference(*pair, x) for x in inputs)
            )
        ]

    return find_wrong


WRONG = {
    1: [
        (softmax_that_overflows, "overflows; exp of a difference does not"),
        (without_the_gradient, "two rows at"),
        (lambda saved, gradient: (gradient[:, None] * np.exp(saved[0] - saved[1]),), "two rows at"),
    ],
    3: [(lambda a, b: a + b, RightTape, WrongTape, "both tapes give the same")],
    2: [
        (wrong_ones(INPUTS, is_relative=False), "large square is right: is the difference relative"),
        (wrong_ones(INPUTS, tolerance=1e-3), "wrong by 0.05 %"),
        (wrong_ones([np.abs(x) for x in INPUTS]), "wrong for negative inputs"),
        (wrong_ones([np.linspace(-0.9, 0.8, 8)]), "try large inputs"),
        (lambda suspects: [], "wrong sign"),
        (wrong_ones([x.reshape(2, 4) for x in INPUTS]), r"'cosine' takes arrays of shape \(n,\), got \(2, 4\)"),
        (lambda suspects: suspects["sine"][1]((), 1.0), "the vjp of 'sine' raised TypeError"),
        (lambda suspects: sorted(exercises.WRONG.keys() - {"mean"}), "so small"),
    ],
}

RIGHT = [(2, wrong_ones(INPUTS)), (3, lambda a, b: (a + b) + a, RightTape, WrongTape)]
