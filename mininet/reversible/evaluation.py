"""Evaluating a network's functions on one input: the first time, and again, silently and with the same result."""

import contextlib

from .. import seeding
from ..autodiff import Tensor, no_grad, replaying
from ..nn import Module
from .local_tape import Arguments, LocalTape, captured

START = -1
"""Stands for the function of the initial velocity where layers are numbered."""


class Replay:
    """What it takes to evaluate the functions of `net` again as the first time.

    That is, for each layer, where the random numbers stood, which modules were in training, and which parameters were
    frozen (had no slot).
    """

    def __init__(self, net):
        self.net = net
        self._settings, self._contents = {}, {}

    def evaluating(self, layer, function, again):
        """The block evaluates the `function` of `layer`: the first time, or `again`, silently, with the same result."""
        if not again:
            modules, parameters = self._modules_and_parameters(function)
            training = [(module, "training", module.training) for module in modules]
            slots = [(parameter, "slot", parameter.slot) for parameter in parameters]
            self._settings[layer] = seeding.position(), training + slots
            return contextlib.nullcontext()
        return replaying(*self._settings[layer])

    def _modules_and_parameters(self, function):
        """All of `function`, which is searched once however many layers share it."""
        if not isinstance(function, Module):
            return [], []
        if function not in self._contents:
            self._contents[function] = list(function.modules()), list(function.parameters())
        return self._contents[function]


class Evaluation:
    """One use of a `LayeredNet` on one input; later changes to the net's settings do not touch it.

    Parameters
    ----------
    net : LayeredNet
    x : ndarray or None
        x_0; None for one that only goes back.
    arguments : Arguments
        What the residual functions get beside x.
    replay : Replay, optional
        That of an earlier evaluation, which this one is to repeat.

    Attributes
    ----------
    depth : int
    arguments : Arguments
    rule : Rule
        The net's, as it was when the evaluation began.
    """

    def __init__(self, net, x, arguments, replay=None):
        self._functions = list(net.functions)
        self._is_residual = net.is_residual
        self.rule = net.rule()
        self._x = x
        self._expects_no_gradient = False
        self.arguments = arguments
        self.replay = replay or Replay(net)
        self.depth = len(self._functions)

    @property
    def has_start_function(self):
        """Whether part of the state, v_0, starts as a function of x_0."""
        return self.rule.start_function is not None

    # States

    def at_rest(self, invertible):
        """The state at layer 0, before the start function is evaluated: with v_0 = 0."""
        x, self._x = self._x, None  # held by nobody from here on: only the state is needed
        return self.rule.state(x, invertible)

    def start(self, invertible=True):
        """The state at layer 0."""
        state = self.at_rest(invertible)
        if self.has_start_function:
            state.set_velocity(self.value(START, state.value()))
        return state

    def run_through(self, invertible=True, expects_no_gradient=False):
        """The state after all layers.

        expects_no_gradient : whether to raise RuntimeError if a function's value requires a gradient all the same
        """
        self._expects_no_gradient = expects_no_gradient
        state = self.start(invertible)
        for _ in range(self.depth):
            self.advance(state)
        return state

    def advance(self, state):
        """Run the layer that `state` has come to."""
        state.step(self.value(state.layer, state.value()))

    def undo(self, state):
        """Undo the last layer that `state` has run."""
        self.undo_input(state)
        state.undo_rest(self.value(state.layer, state.value(), again=True))

    def undo_input(self, state):
        """First half of undoing the last layer that `state` has run: `state.value()` is its function's input then."""
        layer = state.layer - 1
        state.undo_input(lambda x: self.value(layer, x, again=True))

    # Functions, for the first time or `again`

    def value(self, layer, x, again=False):
        """f_layer(x), or for START the initial velocity, as an array, without a tape."""
        with (
            self.replay.evaluating(layer, self._function(layer), again),
            contextlib.nullcontext() if self._expects_no_gradient else no_grad(),
        ):
            arguments = self._arguments(layer)
            output = self._checked(layer)(Tensor(x), *arguments.inputs, **arguments.keywords)
        if output.requires_grad:
            raise captured(_name(layer), "somewhere inside")
        return output.data

    def tape(self, layer, x, again=False):
        """The local tape of f_layer(x), or for START of the initial velocity."""
        with self.replay.evaluating(layer, self._function(layer), again):
            return LocalTape(self._checked(layer), x, self._arguments(layer), _name(layer))

    def _function(self, layer):
        return self.rule.start_function if layer == START else self._functions[layer]

    def _arguments(self, layer):
        return Arguments((), {}) if layer == START else self.arguments

    def _checked(self, layer):
        """The function of a layer that checks what it returns; of a whole block, the residual function."""

        def checked(x, /, *inputs, **keywords):
            output = self._function(layer)(x, *inputs, **keywords)
            _require_like(x, output, _name(layer))
            return output if layer == START or self._is_residual else output - x

        return checked


def _name(layer):
    return "init_velocity" if layer == START else f"functions[{layer}]"


def _require_like(x, output, name):
    if not isinstance(output, Tensor):
        raise TypeError(f"{name} must return a Tensor, got {type(output).__name__}")
    if output.shape != x.shape or output.dtype != x.dtype:
        raise ValueError(
            f"{name} must return what it got, shape {x.shape} and dtype {x.dtype}, "
            f"got {output.shape} and {output.dtype}"
        )
