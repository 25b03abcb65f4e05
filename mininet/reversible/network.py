"""What all layered networks share: functions one after the other, and a backward pass that walks the layers back.

For each layer, last one first, the backward pass needs the layer's local tape, and takes one vector-Jacobian product
with it.  Where the tape comes from, kept or made again, is up to `trajectories`; how the product enters the gradient is
up to the network's `Adjoint`.
"""

from collections.abc import Iterable

import numpy as np

from .. import seeding
from ..autodiff import as_tensor, is_recording, replaying
from ..autodiff.tape import GradientSums, Operation
from ..autodiff.tensor import apply
from ..changes import takes_back
from ..checks import flag, one_of
from ..nn import Module
from ..profiling import measured
from .evaluation import START, Evaluation
from .inversion import measure_inversion
from .local_tape import Arguments
from .protocol import State
from .trajectories import WAYS


class LayeredNet(Module):
    """Base class of networks that put residual functions one after the other.

    A subclass defines `rule`, names what it allows, and checks its own settings in `_check_settings`, which its
    constructor calls at last.

    Attributes
    ----------
    functions : list of callables
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    arithmetic, backprop : str
        One of `ARITHMETICS` and one of `WAYS`.
    """

    ARITHMETICS = ("exact", "float")
    WAYS = tuple(WAYS)
    _operation = None
    """The `Operation` that stands for this kind of network on the tape; made by `network_operation`."""

    def __init__(self, functions, is_residual, arithmetic, backprop):
        super().__init__()
        if callable(functions) or not isinstance(functions, Iterable):
            raise ValueError(f"functions must be a sequence of callables, got {type(functions).__name__}")
        self.functions = list(functions)
        self.is_residual = flag("is_residual", is_residual)
        self.arithmetic, self.backprop = arithmetic, backprop

    def rule(self):
        """The `Rule` of this network, with its settings as they are now."""
        raise NotImplementedError

    def _check_settings(self):
        for number, function in enumerate(self.functions):
            if not callable(function) or isinstance(function, type):
                found = f"the class {function.__name__}" if isinstance(function, type) else type(function).__name__
                raise ValueError(f"functions must be callables, got {found} at {number}")
        one_of("arithmetic", self.arithmetic, self.ARITHMETICS)
        one_of("backprop", self.backprop, self.WAYS)

    def _require_invertible(self):
        """Raise ValueError if this network, with its settings, cannot be run back."""

    @takes_back
    def forward(self, x, /, *inputs, **keywords):
        """x_N, from x_0 = x.

        Parameters
        ----------
        x : Tensor
        inputs, keywords
            Passed to every residual function; gradients flow to the tensors among them.
        """
        self._check_settings()
        x = as_tensor(x)
        arguments = Arguments(inputs, keywords)
        others = [*arguments.tensors, *(parameter for parameter in self.parameters() if parameter.requires_grad)]
        needs_tape = is_recording() and (x.requires_grad or len(others) > 0)
        evaluation = Evaluation(self, x.data, arguments)
        return apply(self._operation, x, *others, evaluation=evaluation,
                     way=WAYS[self.backprop] if needs_tape else None,
                     slots=[tensor.slot for tensor in others])  # fmt: skip

    @takes_back
    def run(self, x, /, *inputs, **keywords):
        """Run the layers without a tape, and return the final state.

        Returns
        -------
        State
            Of the kind that belongs to this network; `values()` gives its contents as floats.
        """
        self._check_settings()
        evaluation = Evaluation(self, as_tensor(x).data, Arguments(inputs, keywords))
        state = evaluation.run_through()
        state.replay = evaluation.replay
        return state

    @takes_back
    def invert(self, state, /, *inputs, **keywords):
        """Run a state from `run` back to layer 0, overwriting it.

        Parameters
        ----------
        state : State
            From `run` with the same inputs and keywords.

        Returns
        -------
        ndarray, or tuple of them
            `state.values()`: x_0, with v_0 if there is a velocity, as floats.
        """
        for _ in self._walk_back(state, inputs, keywords):
            pass
        return state.values()

    @takes_back
    def inverse_trajectory(self, state, /, *inputs, **keywords):
        """As `invert`, but tells where x passes through on the way back, x_N, ..., x_0.

        Returns
        -------
        ndarray (depth + 1, *x.shape)
            In the order of `trajectory`: x_0, where the way back ends, comes first.
        """
        return np.stack([state.output() for _ in self._walk_back(state, inputs, keywords)][::-1])

    def _walk_back(self, state, inputs, keywords):
        """Undo layer after layer; yields before the first, and after each."""
        self._check_settings()
        is_state = isinstance(state, State)
        is_ours = is_state and state.replay is not None and state.replay.net is self
        if not is_ours or state.layer != len(self.functions):
            found = f"one at layer {state.layer}" if is_ours else f"{'another ' * is_state}{type(state).__name__}"
            raise ValueError(
                f"state must come from run of this net and stand at layer {len(self.functions)}, got {found}"
            )
        self._require_invertible()
        evaluation = Evaluation(self, None, Arguments(inputs, keywords), state.replay)
        yield
        for _ in range(evaluation.depth):
            evaluation.undo(state)
            yield

    @takes_back
    def trajectory(self, x, /, *inputs, **keywords):
        """Where x passes through: x_0, ..., x_N, without a tape, leaving running statistics and random numbers alone.

        The velocities of a momentum network are their differences, v_{n+1} = x_{n+1} - x_n.

        Returns
        -------
        ndarray (depth + 1, *x.shape)
        """
        self._check_settings()
        evaluation = Evaluation(self, as_tensor(x).data, Arguments(inputs, keywords))
        with replaying(seeding.position()):
            state = evaluation.start(invertible=False)
            positions = [state.output()]
            for _ in range(evaluation.depth):
                evaluation.advance(state)
                positions.append(state.output())
        return np.stack(positions)

    @takes_back
    def check_inversion(self, x, /, *inputs, **keywords):
        """Run forward and back, and report how far every layer's state comes back from where it was.

        Leaves running statistics and random numbers as they are.  Keeps all states: memory grows with depth.

        Returns
        -------
        InversionReport
        """
        self._check_settings()
        self._require_invertible()
        return measure_inversion(Evaluation(self, as_tensor(x).data, Arguments(inputs, keywords)))


def _forward(x, *others, evaluation, way, slots):
    """x_N, and what the vjp needs.

    `others`, extra inputs and parameters, are arguments so that the tape has their `slots`; the functions know them.
    """
    if way is None:
        # On record, yet nothing known needs a gradient: whatever turns up was captured
        return evaluation.run_through(invertible=False, expects_no_gradient=is_recording()).output(), None
    trajectory = way(evaluation)
    final, trajectory.final = trajectory.final, None  # belongs to the caller from here on
    return final, (evaluation, trajectory, slots)


def _vjp(saved, gradient, needs, keep_tape):
    """Walk back layer by layer: the adjoint gives dL/df, the local tape turns it into the gradients of f's inputs."""
    evaluation, trajectory, slots = saved
    sums = GradientSums()
    parameters = set(slots[len(evaluation.arguments.tensors) :])
    adjoint = evaluation.rule.adjoint(gradient)
    for layer, tape in trajectory.tapes_backwards(keep_tape):
        with measured("adjoint step"):
            by_output = adjoint.by_start() if layer == START else adjoint.by_residual()
        by_x = tape.pull_back(by_output, sums, parameters, keep_tape)
        if by_x is not None:
            with measured("adjoint step"):
                adjoint.add(by_x)
        del tape, by_output, by_x  # before the next layer's are made
    return [adjoint.by_x(), *(sums.pop(slot) for slot in slots)]


def network_operation(name):
    """The operation that computes a whole network of layers, under its `name` on the tape and in profiles."""
    return Operation(name, _forward, _vjp, consumes_saved=True)
