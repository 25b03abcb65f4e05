"""Exercises of notebook 04, What backprop stores, and checkpointing."""

import math
import weakref

import numpy as np

from ... import functional as F
from ... import nn, track_memory
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


def exercise_2(relu_forward, relu_vjp):
    """ReLU that keeps one bit for each element."""
    random = np.random.default_rng(0)
    for shape, dtype in (((8,), np.float64), ((3, 5), np.float32), ((2, 3, 7), np.float64)):
        x = random.standard_normal(shape).astype(dtype)
        x.flat[0] = 0
        gradient = random.standard_normal(shape).astype(dtype)
        result = relu_forward(x.copy())
        require(isinstance(result, tuple) and len(result) == 2, "relu_forward must return y and saved")
        y, saved = result
        expect(f"y of shape {shape}", y, np.maximum(x, 0))
        require(isinstance(saved, tuple), f"saved must be a tuple, an array and the shape, got {type(saved).__name__}")
        nbytes = sum(array.nbytes for array in saved if isinstance(array, np.ndarray))
        enough = -(-x.size // 8)
        why = "a boolean array takes a byte each, np.packbits puts eight into one, and along an axis fills up each row"
        if not 0 < nbytes <= enough:
            raise NotYet(f"{x.size} elements should take {enough} bytes, a bit each, and saved has {nbytes}: {why}")
        by_x = relu_vjp(saved, gradient.copy())
        expect("its gradient", by_x, np.where(x > 0, gradient, 0))
        require(by_x.dtype == dtype, f"the gradient of {np.dtype(dtype)} has become {by_x.dtype}")


def exercise_3(deepest):
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


def exercise_4(halving_backprop):
    """Halving: the same gradients, few evaluations, one tape at a time, and log2 N states."""
    for depth in (1, 2, 5, 16, 64):
        counted = _Counted()
        random = np.random.default_rng(depth)
        layers = [_Layer(random.standard_normal((3, 3)), counted) for _ in range(depth)]
        x, by_output = random.standard_normal((2, 3)), random.standard_normal((2, 3))
        result = halving_backprop(list(layers), x.copy(), by_output.copy())
        require(isinstance(result, tuple) and len(result) == 2, "it must return the gradient of x and a list")
        evaluations, most_tapes, most_states = counted.evaluations, counted.most_tapes, counted.most_states
        by_x, by_weights = _stored_backprop(layers, x, by_output)
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


class _Saved:
    def __init__(self, x, y):
        self.x, self.y = x, y


class _Layer:
    """tanh(x @ weight), as in the notebook, which counts."""

    def __init__(self, weight, counted):
        self.weight, self._counted = weight, counted

    def __call__(self, x):
        y = np.tanh(x @ self.weight)
        self._counted.note(y)
        return y

    def forward(self, x):
        y = np.tanh(x @ self.weight)
        saved = _Saved(x, y)
        self._counted.note(y, saved)
        return y, saved

    def vjp(self, saved, gradient):
        gradient = (1 - saved.y**2) * gradient
        return gradient @ self.weight.T, saved.x.T @ gradient


def _stored_backprop(layers, x, gradient):
    tape = []
    for layer in layers:
        x, saved = layer.forward(x)
        tape.append(saved)
    by_weights = []
    for layer in reversed(layers):
        gradient, by_weight = layer.vjp(tape.pop(), gradient)
        by_weights.insert(0, by_weight)
    return gradient, by_weights


def exercise_5(longest):
    """The longest chain with some slots, each layer evaluated so many times at most: a binomial coefficient."""
    for times in (1, 2, 5):
        expect(f"no slots, at most {times} evaluations of a layer", longest(0, times), times)
    for slots in (1, 4):
        expect(f"{slots} slots, 1 evaluation of a layer", longest(slots, 1), 1)
    for slots in range(1, 6):
        row = [longest(slots, times) for times in range(2, 6)]
        expect(f"{slots} slots, 2 to 5 evaluations", row, [math.comb(slots + r, slots + 1) for r in range(2, 6)])
    for times in range(2, 6):
        reached = longest(9, times)
        expect(f"9 slots, {times} evaluations", reached, math.comb(9 + times, 10))
        print(f"    {reached} layers")
