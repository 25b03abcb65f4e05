"""Three ways to get at every layer's pull-back, the last layer first.

Stored keeps all tapes from the forward pass: memory grows with the depth N.
Checkpointed keeps the state every sqrt(N) layers and runs forward again from there: memory grows with sqrt(N).
Reversible keeps the final state and runs it back: memory is constant, apart from side information in exact arithmetic.

In exact arithmetic x_n comes back as the same integer, so f_n is evaluated at the same bits, and an operation computes
the same whether or not it is recorded.  After that the three ways share all code and its order.  So the gradients are
the same bits.
"""

import math
from collections.abc import Iterator
from functools import partial

from ..base.types import FloatArray
from .replay import PullBack
from .run import Run, not_repeated


class Stored:
    """Keep the tape of every layer."""

    def __init__(self, run: Run, x: FloatArray) -> None:
        self._pull_backs: list[PullBack] = []
        state = run.start(x, invertible=False, pull_backs=self._pull_backs)
        for _ in range(run.depth):
            run.advance(state, self._pull_backs)
        self.output = state.output()

    def pull_backs(self, keep_tape: bool) -> Iterator[PullBack]:
        """Yield the pull-backs of the last layer to the first, and of the initial velocity if it is a function."""
        left = list(self._pull_backs) if keep_tape else self._pull_backs
        while left:
            yield partial(left.pop(), keep_tape=keep_tape)


class Checkpointed:
    """Keep the state every ceil(sqrt(N)) layers."""

    def __init__(self, run: Run, x: FloatArray) -> None:
        self._run, self._interval = run, math.isqrt(max(0, run.depth - 1)) + 1
        state = run.start(x, invertible=False)
        self._start = state.input(keep=True) if run.initial_velocity is not None else None
        self._checkpoints = []
        for layer in range(run.depth):
            if layer % self._interval == 0:
                self._checkpoints.append(run.copy(state, "checkpoints"))
            run.advance(state)
        self._end = state.arrays()
        self.output = state.output()

    def pull_backs(self, keep_tape: bool) -> Iterator[PullBack]:
        """Yield the pull-backs of the last layer to the first, and of the initial velocity if it is a function.

        Raises
        ------
        RuntimeError
            If running again from a checkpoint does not lead to the next one.
        """
        run, end = self._run, self._end
        checkpoints = list(self._checkpoints) if keep_tape else self._checkpoints
        while checkpoints:
            checkpoint = checkpoints.pop()
            state = run.copy(checkpoint)
            found: list[PullBack] = []
            for _ in range(min(self._interval, run.depth - state.layer)):
                run.advance(state, found)
            if not state.equals(end):
                variables = " and ".join(dict.fromkeys(state.variables.values()))
                raise not_repeated(f"running forward again did not lead to the same {variables}")
            end = checkpoint.arrays()
            del state
            while found:
                yield found.pop()
        if run.initial_velocity is not None and self._start is not None:
            yield run.initial_velocity.value_and_pull_back(0, self._start)[1]


class Reversible:
    """Keep the final state, in exact arithmetic with its remainders, and run it back."""

    def __init__(self, run: Run, x: FloatArray) -> None:
        self._run, self._state = run, run.through(x)
        self.output = self._state.output()

    def pull_backs(self, keep_tape: bool) -> Iterator[PullBack]:
        """Yield the pull-backs of the last layer to the first, and of the initial velocity if it is a function.

        Raises
        ------
        RuntimeError
            In exact arithmetic, if the way back does not end where the run can have begun.
        """
        run = self._run
        velocity = None
        found: list[PullBack] = []
        state = run.copy(self._state) if keep_tape else self._state
        for layer in reversed(range(run.depth)):
            run.undo(state, found, more=layer > 0)
            yield found.pop()
        if run.initial_velocity is not None:
            velocity, pull_back = run.initial_velocity.value_and_pull_back(0, state.input())
            found.append(pull_back)
        if not state.can_be_start(velocity):
            raise not_repeated("running back did not end where the run began")
        yield from found


WAYS: dict[str, type[Stored | Checkpointed | Reversible]] = {
    "reversible": Reversible,
    "stored": Stored,
    "checkpointed": Checkpointed,
}
"""By the values of a network's `backprop`."""
