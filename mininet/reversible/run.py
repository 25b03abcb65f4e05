"""One run of a network: a layer forward, a layer back."""

import copy
from collections.abc import Iterable
from typing import Any, Protocol

from ..autodiff.tape import Slot
from ..base.instruments import measured, note
from ..base.types import Backprop, FloatArray
from .replay import PullBack, Replay
from .state import State


class Network(Protocol):
    """What a run knows of its network."""

    functions: list[Any]
    init_velocity: Any
    is_residual: bool
    backprop: Backprop

    def start(self, x: FloatArray, invertible: bool = True) -> State:
        """The state at layer 0."""


class Run:
    """One use of a network; later changes of the network's settings do not touch it.

    Where a method takes `pull_backs`, a list, it evaluates the function on a tape and puts its pull-back there.

    Attributes
    ----------
    origin : Network
        The network.
    net : Network
        The network with its settings as they were.
    depth : int
    functions : Replay
        The residual functions.
    initial_velocity : Replay or None
        The function of the initial velocity, if there is one.

    Parameters
    ----------
    parameters : iterable of Slot
        The parameters that gradients may flow to.
    """

    def __init__(
        self, net: Network, inputs: tuple[Any, ...], keywords: dict[str, Any], parameters: Iterable[Slot] = ()
    ) -> None:
        self.origin, self.net, self.depth = net, copy.copy(net), len(net.functions)
        slots = frozenset(parameters)
        self.functions = Replay("functions[{}]", net.functions, slots, inputs, keywords, net.is_residual)
        start = net.init_velocity
        self.initial_velocity = None if start is None else Replay("init_velocity", [start], slots)

    def with_inputs(self, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> "Run":
        """The run again, with other objects for the same inputs."""
        other = copy.copy(self)
        other.functions = self.functions.with_inputs(inputs, keywords)
        return other

    def start(self, x: FloatArray, invertible: bool = True, pull_backs: list[PullBack] | None = None) -> State:
        """The state at layer 0, with its initial velocity."""
        state = _counted(self.net.start(x, invertible))
        if self.initial_velocity is not None:
            state.set_velocity(_evaluated(self.initial_velocity, 0, state, pull_backs))
        return state

    def advance(self, state: State, pull_backs: list[PullBack] | None = None) -> None:
        """Run one layer."""
        residual = _evaluated(self.functions, state.layer, state, pull_backs)
        try:
            with measured(state.step_name):
                state.step(residual)
        except (OverflowError, FloatingPointError) as error:
            raise type(error)(f"{error}, in layer {state.layer}") from None

    def through(self, x: FloatArray, invertible: bool = True) -> Any:
        """The state after all layers."""
        state = self.start(x, invertible)
        for _ in range(self.depth):
            self.advance(state)
        return state

    def undo(self, state: State, pull_backs: list[PullBack] | None = None, more: bool = False) -> None:
        """Undo the last layer; `more`: the one before is undone next."""
        layer = state.layer - 1

        def function(x: FloatArray) -> FloatArray:
            if pull_backs is None:
                return self.functions.value(layer, x)
            pull_backs.clear()  # an IResNet evaluates f many times; only the last evaluation, at x_n, counts
            residual, pull_back = self.functions.value_and_pull_back(layer, x)
            pull_backs.append(pull_back)
            return residual

        with measured(f"{state.step_name}, undone"):
            state.undo(function, more)
        _counted(state)  # where undoing makes new arrays

    def require_start(self, state: State) -> None:
        """Raise RuntimeError unless a run can have started from the state, which was run back to layer 0."""
        replay = self.initial_velocity
        if not state.can_be_start(None if replay is None else replay.value(0, state.input())):
            raise not_repeated("running back did not end where the run began", "since the run")

    def copy(self, state: State, kind: str = "state") -> State:
        """An independent state, whose memory counts as `kind`."""
        return _counted(state.copy(), kind)


def _counted(state: State, kind: str = "state") -> State:
    """The state, after `track_memory` was told what its arrays are for."""
    for array in state.arrays():
        note(array, kind)
    for array in state.side_information():
        note(array, "side information" if kind == "state" else kind)
    return state


def _evaluated(functions: Replay, layer: int, state: State, pull_backs: list[PullBack] | None) -> FloatArray:
    if pull_backs is None:
        return functions.value(layer, state.input())
    residual, pull_back = functions.value_and_pull_back(layer, state.input(keep=True))
    pull_backs.append(pull_back)
    return residual


def not_repeated(what: str, when: str = "between forward and backward") -> RuntimeError:
    """The error for a second evaluation that differed from the first: `what` shows it."""
    return RuntimeError(
        f"{what}: parameters, statistics or inputs were changed {when}, or a residual function is not deterministic"
    )
