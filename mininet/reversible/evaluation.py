"""Evaluating a network's functions on one input: the first time, and again, silently and with the same result."""

import contextlib
import functools

from .. import seeding
from ..autodiff import Tensor, no_grad, replaying
from ..kernels.exact import as_fraction
from ..nn import training_modes
from .local_tape import Arguments, LocalTape, captured
from .states import ExactState, FloatState


class Replay:
    """What it takes to evaluate the functions of `net` again as the first time: training flags and random numbers."""

    def __init__(self, net):
        self.net = net
        self._modes = [(module, module.training) for module in net.modules()]
        self._draws = {}

    def will_evaluate(self, name):
        """Remember where the random numbers stand before the first evaluation of `name`."""
        self._draws[name] = seeding.position()

    @contextlib.contextmanager
    def again(self, name):
        """Inside the block, an evaluation of `name` is silent and gives the same result as the first time."""
        with training_modes(self._modes), replaying(self._draws[name]):
            yield


class Evaluation:
    """One use of a `MomentumNet` on one input; later changes to the net's settings do not touch it.

    Parameters
    ----------
    net : MomentumNet
    x : ndarray or None
        x_0; None for one that only goes back.
    arguments : Arguments
        What the residual functions get beside x.
    replay : Replay, optional
        That of an earlier evaluation, which this one is to repeat.

    Attributes
    ----------
    depth : int
    gamma : float
        As the arithmetic has it: the float nearest to its fraction, if exact.
    parameters : set of Slot
        Of the parameters that gradients are wanted for.
    """

    def __init__(self, net, x, arguments, replay=None):
        self._functions, self._init_velocity = list(net.functions), net.init_velocity
        self._is_residual = net.is_residual
        self._is_exact = net.arithmetic == "exact"
        self._fraction = as_fraction(net.gamma) if self._is_exact else None
        self.gamma = float(self._fraction) if self._is_exact else float(net.gamma)
        self._x = x
        self._expects_no_gradient = False
        self.arguments = arguments
        self.replay = replay or Replay(net)
        self.depth = len(self._functions)
        self.parameters = {parameter.slot for parameter in net.parameters() if parameter.requires_grad}

    @property
    def has_start_function(self):
        """Whether v_0 is a function of x_0."""
        return self._init_velocity is not None

    # The functions, checked

    def _residual(self, layer, x, /, *inputs, **keywords):
        output = self._functions[layer](x, *inputs, **keywords)
        _require_like(x, output, f"functions[{layer}]")
        return output if self._is_residual else output - x

    def _start_velocity(self, x):
        output = self._init_velocity(x)
        _require_like(x, output, "init_velocity")
        return output

    # The first time

    def start(self, invertible=True):
        """The state at layer 0."""
        state = self._state_at_rest(invertible)
        if self.has_start_function:
            self.replay.will_evaluate("start")
            state.set_velocity(self._without_tape("init_velocity", self._start_velocity, Tensor(state.value())))
        return state

    def start_with_tape(self, invertible=True):
        """The state at layer 0, and the local tape of v_0 as a function of x_0, or None."""
        state, tape = self._state_at_rest(invertible), None
        if self.has_start_function:
            self.replay.will_evaluate("start")
            tape = self._start_tape(state.kept_value())
            state.set_velocity(tape.output)
        return state, tape

    def value(self, layer, x):
        """f_layer(x) as an array, without a tape."""
        self.replay.will_evaluate(layer)
        return self._value(layer, x)

    def tape(self, layer, x):
        """The local tape of f_layer(x)."""
        self.replay.will_evaluate(layer)
        return self._tape(layer, x)

    def run_through(self, invertible=True, expects_no_gradient=False):
        """The state after all layers.

        expects_no_gradient : whether to raise RuntimeError if a function's value requires a gradient all the same
        """
        self._expects_no_gradient = expects_no_gradient
        state = self.start(invertible)
        for layer in range(self.depth):
            state.step(self.value(layer, state.value()))
        return state

    # Again

    def value_again(self, layer, x):
        """f_layer(x) as an array, as it was the first time."""
        with self.replay.again(layer):
            return self._value(layer, x)

    def tape_again(self, layer, x):
        """The local tape of f_layer(x), as it was or would have been the first time."""
        with self.replay.again(layer):
            return self._tape(layer, x)

    def start_tape_again(self, x):
        """The local tape of v_0 as a function of x_0."""
        with self.replay.again("start"):
            return self._start_tape(x)

    # Either

    def _state_at_rest(self, invertible):
        x, self._x = self._x, None  # held by nobody from here on: only the state is needed
        if self._is_exact:
            return ExactState(x, self._fraction, invertible)
        return FloatState(x, self.gamma)

    def _value(self, layer, x):
        residual = functools.partial(self._residual, layer)
        inputs, keywords = self.arguments.inputs, self.arguments.keywords
        return self._without_tape(f"functions[{layer}]", residual, Tensor(x), *inputs, **keywords)

    def _without_tape(self, name, function, /, *inputs, **keywords):
        if not self._expects_no_gradient:
            with no_grad():
                return function(*inputs, **keywords).data
        output = function(*inputs, **keywords)
        if output.requires_grad:
            raise captured(name, "somewhere inside")
        return output.data

    def _tape(self, layer, x):
        return LocalTape(functools.partial(self._residual, layer), x, self.arguments, f"functions[{layer}]")

    def _start_tape(self, x):
        return LocalTape(self._start_velocity, x, Arguments((), {}), "init_velocity")


def _require_like(x, output, name):
    if not isinstance(output, Tensor):
        raise TypeError(f"{name} must return a Tensor, got {type(output).__name__}")
    if output.shape != x.shape or output.dtype != x.dtype:
        raise ValueError(
            f"{name} must return what it got, shape {x.shape} and dtype {x.dtype}, "
            f"got {output.shape} and {output.dtype}"
        )
