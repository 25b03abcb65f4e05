"""One call of a network: forward through its layers, and three ways back to their pull-backs.

`stored` keeps all tapes from the forward pass: memory grows with the depth N.
`checkpointed` keeps the state every sqrt(N) layers and runs forward again from there: memory grows with sqrt(N).
`reversible` keeps the final state and runs it back: memory is constant, except side information in exact arithmetic.

In exact arithmetic x_n comes back as the same integer, so f_n is evaluated at the same bits, and an operation computes
the same whether or not it is recorded.  After that the three ways share all code and its order.  So the gradients are
the same bits.
"""

import copy
import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from ..autodiff.tape import Slot
from ..base.instruments import measured, note
from ..base.types import FloatArray
from .replay import PullBack, Replay
from .state import State

BETWEEN = "between forward and backward"


class Call:
    """A network with its settings and extra inputs as they are now: its layers can be run forward and back repeatedly.

    Where a method gets a list `pull_backs`, functions are evaluated on tapes, and their pull-backs are put there.
    After a layer was undone, only its own is there.

    Attributes
    ----------
    origin, net : LayeredNet
        The network, and the network with its settings as they were.
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
        self, net: Any, inputs: tuple[Any, ...], keywords: dict[str, Any], parameters: Iterable[Slot] = ()
    ) -> None:
        self.origin, self.net, self.depth = net, copy.copy(net), len(net.functions)
        slots = frozenset(parameters)
        self.functions = Replay("functions[{}]", net.functions, slots, inputs, keywords, net.is_residual)
        velocity = net.init_velocity
        self.initial_velocity = None if velocity is None else Replay("init_velocity", [velocity], slots)

    def start(self, x: FloatArray, invertible: bool = True, pull_backs: list[PullBack] | None = None) -> State:
        """The state at layer 0, with its initial velocity."""
        state = _counted(self.net.start(x, invertible))
        if self.initial_velocity is not None:
            state.set_velocity(self.initial_velocity.value(0, state.input(lasting=pull_backs is not None), pull_backs))
        return state

    def advance(self, state: State, pull_backs: list[PullBack] | None = None) -> None:
        """Run one layer."""
        residual = self.functions.value(state.layer, state.input(lasting=pull_backs is not None), pull_backs)
        try:
            with measured(state.step_name):
                state.step(residual)
        except (OverflowError, FloatingPointError) as error:
            raise type(error)(f"{error}, in layer {state.layer}") from None

    def through(self, x: FloatArray, invertible: bool = True, pull_backs: list[PullBack] | None = None) -> Any:
        """The state after all layers."""
        state = self.start(x, invertible, pull_backs)
        for _ in range(self.depth):
            self.advance(state, pull_backs)
        return state

    def undo(self, state: State, pull_backs: list[PullBack] | None = None, continues: bool = False) -> None:
        """Undo the last layer; `continues`: the one before is undone next."""
        layer = state.layer - 1

        def function(x: FloatArray) -> FloatArray:
            if pull_backs is not None:
                pull_backs.clear()  # an IResNet evaluates f many times; only the last evaluation, at x_n, counts
            return self.functions.value(layer, x, pull_backs)

        with measured(f"{state.step_name}, undone"):
            state.undo(function, continues)
        _counted(state)  # where undoing makes new arrays

    def check_start(self, state: State, pull_backs: list[PullBack] | None = None, when: str = BETWEEN) -> None:
        """Evaluate the initial velocity again; RuntimeError unless the way forward can have begun at this state."""
        velocity = None
        if self.initial_velocity is not None:
            velocity = self.initial_velocity.value(0, state.input(), pull_backs)
        if not state.can_be_start(velocity):
            raise _not_repeated("running back did not end where the run began", when)


def _counted(state: State, kind: str = "state") -> State:
    """The state, after `track_memory` was told what its arrays are for."""
    for array in state.arrays():
        note(array, kind)
    for array in state.side_information():
        note(array, "side information" if kind == "state" else kind)
    return state


def _not_repeated(what: str, when: str = BETWEEN) -> RuntimeError:
    return RuntimeError(
        f"{what}: parameters, statistics or inputs were changed {when}, or a residual function is not deterministic"
    )


# Three ways to run forward from x.  Each returns x_N, and a function that goes back: it yields the pull-backs of the
# last layer to the first, and that of the initial velocity if there is one.  A kept tape can be walked again.

WayBack: TypeAlias = Callable[[bool], Iterator[PullBack]]


def stored(call: Call, x: FloatArray) -> tuple[FloatArray, WayBack]:
    """Keep the tape of every layer."""
    found: list[PullBack] = []
    output = call.through(x, invertible=False, pull_backs=found).output()

    def back(keep_tape: bool) -> Iterator[PullBack]:
        left = list(found) if keep_tape else found
        while left:
            yield functools.partial(left.pop(), keep_tape=keep_tape)

    return output, back


def checkpointed(call: Call, x: FloatArray) -> tuple[FloatArray, WayBack]:
    """Keep the state every ceil(sqrt(N)) layers; RuntimeError if running on from one does not lead to the next."""
    interval = math.ceil(math.sqrt(call.depth))
    state = call.start(x, invertible=False)
    x_0: Any = None if call.initial_velocity is None else state.input(lasting=True)
    checkpoints: list[State] = []
    for layer in range(call.depth):
        if layer % interval == 0:
            checkpoints.append(_counted(state.copy(), "checkpoints"))
        call.advance(state)
    last = state.arrays()

    def back(keep_tape: bool) -> Iterator[PullBack]:
        found: list[PullBack] = []
        left, end = list(checkpoints) if keep_tape else checkpoints, last
        while left:
            checkpoint = left.pop()
            state = _counted(checkpoint.copy())
            for _ in range(min(interval, call.depth - state.layer)):
                call.advance(state, found)
            if not state.equals(end):
                variables = " and ".join(dict.fromkeys(state.variables.values()))
                raise _not_repeated(f"running forward again did not lead to the same {variables}")
            end = checkpoint.arrays()
            del state
            while found:
                yield found.pop()
        if call.initial_velocity is not None:
            call.initial_velocity.value(0, x_0, found)
            yield from found

    return state.output(), back


def reversible(call: Call, x: FloatArray) -> tuple[FloatArray, WayBack]:
    """Keep the final state, in exact arithmetic with its remainders, and run it back.

    RuntimeError in exact arithmetic, if that does not end where the run can have begun.
    """
    final = call.through(x)

    def back(keep_tape: bool) -> Iterator[PullBack]:
        found: list[PullBack] = []
        state = _counted(final.copy()) if keep_tape else final
        for layer in reversed(range(call.depth)):
            call.undo(state, found, continues=layer > 0)
            yield found.pop()  # another walk makes another tape, so this one is never kept
        call.check_start(state, found)
        yield from found

    return final.output(), back


WAYS = {"reversible": reversible, "stored": stored, "checkpointed": checkpointed}
"""By the values of a network's `backprop`."""
