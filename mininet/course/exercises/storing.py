"""Exercises of notebook 04, What backprop stores, and checkpointing."""

import math
import weakref

import numpy as np

from ... import functional as F
from ... import nn, track_memory
from .. import own
from ..checking import NotYet, expect, require

BATCH, WIDTH = 64, 32


class _Of(nn.Module):
    """A module of one function."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


HIDDEN = {
    "tanh": lambda: [nn.Tanh()],
    "x * sigmoid(x)": lambda: [_Of(lambda x: x * F.sigmoid(x))],
    "batch norm, then tanh": lambda: [nn.BatchNorm2d(WIDTH), nn.Tanh()],
    "tanh, then dropout": lambda: [nn.Tanh(), nn.Dropout(0.1)],
    "x ** 2": lambda: [_Of(lambda x: x**2)],
}
"""What follows the linear layer in the hidden layers of exercise 1."""


def exercise_1(arrays_per_layer):
    """How many arrays of batch x width the tape holds for each hidden layer: two and three of them are compared."""
    for name in HIDDEN:
        predicted = arrays_per_layer.get(name)
        require(isinstance(predicted, int), f"{name!r}: predict a whole number")
    for name, activation in HIDDEN.items():
        held = (_held(activation, depth=3) - _held(activation, depth=2)) // (BATCH * WIDTH * 4)
        print(f"{name}: {held} held, {arrays_per_layer[name]} predicted")
        if held != arrays_per_layer[name]:
            why = "each array between two linear layers counts once, if what made it, or what takes it in, needs it"
            raise NotYet(f"{name!r} adds {held}: {why}")


def _held(activation, depth):
    """Bytes on the tape of so many hidden layers and a linear one."""
    layers = [layer for _ in range(depth) for layer in (nn.Linear(WIDTH, WIDTH), *activation())]
    net = nn.Sequential(*layers, nn.Linear(WIDTH, WIDTH))
    with track_memory() as memory:
        loss = net(np.ones((BATCH, WIDTH), np.float32)).sum()
        held = memory.current_by_kind["activations"]
    del loss  # until here it held the tape
    return held


def exercise_2(deepest):
    """The depth that fits into a budget, with checkpoints before segments of equal length."""
    for budget, a in ((3, 2), (8, 1), (9, 2), (100, 2), (1000, 7)):
        depth = deepest(budget, a)
        require(isinstance(depth, (int, np.integer)), f"budget {budget}, a = {a}: not an integer, but {depth!r}")
        fits = [k for k in range(1, budget // a + 1) if math.ceil(depth / k) + a * k <= budget]
        require(fits, f"budget {budget}, a = {a}: {depth} layers do not fit, whatever the segments")
        right = max(k * (budget - a * k) for k in range(1, budget // a + 1))
        case = f"budget {budget}, a = {a}: {depth} layers"
        require(depth == right, f"{case} fit with segments of {fits[0]}, but {right} fit with the best")
        print(f"{case} with segments of {fits[0]}; stored: {budget // a} layers")


def exercise_3(halving_backprop):
    """Halving: the same gradients, few evaluations, one tape at a time, and log2 N states."""
    for depth in (1, 2, 5, 16, 64):
        counted = _Counted()
        random = np.random.default_rng(depth)
        layers = [_Layer(random.standard_normal((3, 3)), counted) for _ in range(depth)]
        x, by_output = random.standard_normal((2, 3)), random.standard_normal((2, 3))
        result = halving_backprop(list(layers), x.copy(), by_output.copy())
        require(isinstance(result, tuple) and len(result) == 2, "it must return the gradient of x and a list")
        evaluations, most_tapes, most_states = counted.evaluations, counted.most_tapes, counted.most_states
        by_x, by_weights = own.stored_backward(layers, x, by_output)
        if not isinstance(result[1], list) or len(result[1]) != depth:
            raise NotYet(f"{depth} layers have {depth} gradients, in a list, that of the first layer first")
        expect(f"{depth} layers: gradient of x", result[0], by_x)
        expect(f"{depth} layers: gradients of the weights", np.array(result[1]), np.array(by_weights))
        allowed = _halving_evaluations(depth)
        print(f"{depth} layers: {evaluations} evaluations, at most {most_tapes} layers' saved arrays at a time")
        why = "until the middle use layer(x), which saves nothing (also what _ names is kept); take each vjp at once"
        require(most_tapes <= 1, f"{most_tapes} layers' saved arrays were there at a time: {why}")
        require(evaluations == allowed, f"{depth} layers should take {allowed} evaluations, not {evaluations}")
        levels = math.ceil(math.log2(depth))
        require(most_states <= levels + 2, f"{most_states} states were there at a time; {levels} levels need one each")


def _halving_evaluations(layers):
    if layers == 1:
        return 1
    left = layers // 2
    return left + _halving_evaluations(left) + _halving_evaluations(layers - left)


class _Counted:
    """Evaluations so far; saved arrays and states that are alive, and the most there have been."""

    def __init__(self):
        self.evaluations = self.most_tapes = self.most_states = 0
        self._tapes, self._states = weakref.WeakSet(), {}

    def note(self, state, saved=None):
        self.evaluations += 1
        if saved is not None:
            self._tapes.add(saved)
        self._states[self.evaluations] = weakref.ref(state)
        self._states = {number: state for number, state in self._states.items() if state() is not None}
        self.most_tapes = max(self.most_tapes, len(self._tapes))
        self.most_states = max(self.most_states, len(self._states))


class _Layer:
    """tanh(x @ weight), which counts."""

    def __init__(self, weight, counted):
        self.weight, self._counted = weight, counted

    def __call__(self, x, replay=False):
        y = np.tanh(x @ self.weight)
        self._counted.note(y)
        return y

    def vjp(self, x, replay=False):
        y = np.tanh(x @ self.weight)

        def pullback(gradient):
            by_product = (1 - y**2) * gradient
            return by_product @ self.weight.T, [x.T @ by_product]

        self._counted.note(y, pullback)
        return y, pullback
