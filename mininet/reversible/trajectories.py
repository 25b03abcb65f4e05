"""Three ways to have every layer's local tape again when backward needs it, last layer first.

Stored keeps all tapes from the forward pass: memory grows with the depth N.
Checkpointed keeps the state every sqrt(N) layers and runs forward again from there: memory grows with sqrt(N).
Reversible keeps the final state only and runs it back: memory is constant, but for the side information of exact
arithmetic.

A network gives each of them its `Evaluation`, which knows the functions and their inputs.  All three then hand the same
kind of tape to the same backward loop; where they evaluate functions at the same bits, gradients are the same bits.
"""

import math

from .evaluation import START


class Stored:
    """Keep the tape of every layer."""

    def __init__(self, evaluation):
        self._tapes = []
        state = evaluation.at_rest(invertible=False)
        if evaluation.has_start_function:
            tape = evaluation.tape(START, state.kept_value())
            state.set_velocity(tape.take_output())
            self._tapes.append((START, tape))
        for layer in range(evaluation.depth):
            tape = evaluation.tape(layer, state.kept_value())
            state.step(tape.take_output())
            self._tapes.append((layer, tape))
        self.final = state.output()

    def tapes_backwards(self, keep_tape):
        """Yield (layer, its tape) for layers depth - 1, ..., 0, and START if the initial velocity is a function."""
        tapes = list(self._tapes) if keep_tape else self._tapes
        while tapes:
            yield tapes.pop()


class Checkpointed:
    """Keep the state every ceil(sqrt(depth)) layers."""

    def __init__(self, evaluation):
        self._evaluation = evaluation
        self._interval = math.isqrt(max(0, evaluation.depth - 1)) + 1
        self._checkpoints = []
        state = evaluation.start(invertible=False)
        self._start_value = state.kept_value() if evaluation.has_start_function else None
        for layer in range(evaluation.depth):
            if layer % self._interval == 0:
                self._checkpoints.append(state.copy("checkpoints"))
            evaluation.advance(state)
        self._end = state.arrays()
        self.final = state.output()

    def tapes_backwards(self, keep_tape):
        """Yield (layer, its tape) for layers depth - 1, ..., 0, and START if the initial velocity is a function.

        Raises
        ------
        RuntimeError
            If running again from a checkpoint does not lead to the next one.
        """
        evaluation, end = self._evaluation, self._end
        checkpoints = list(self._checkpoints) if keep_tape else self._checkpoints
        while checkpoints:
            start = checkpoints.pop()
            state = start.copy()
            tapes = []
            for layer in range(start.layer, min(start.layer + self._interval, evaluation.depth)):
                tape = evaluation.tape(layer, state.kept_value(), again=True)
                state.step(tape.take_output())
                tapes.append((layer, tape))
            state.verify_same(end)
            end = start.arrays()
            del state, tape  # only the list holds the tapes, and lets go of each as it is used
            while tapes:
                yield tapes.pop()
        if self._start_value is not None:
            yield START, evaluation.tape(START, self._start_value, again=True)


class Reversible:
    """Keep the final state, and run it back."""

    def __init__(self, evaluation):
        self._evaluation = evaluation
        self._state = evaluation.run_through()
        self.final = self._state.output()

    def tapes_backwards(self, keep_tape):
        """Yield (layer, its tape) for layers depth - 1, ..., 0, and START if the initial velocity is a function.

        Raises
        ------
        RuntimeError
            In exact arithmetic, if the state does not end where it can have begun.
        """
        evaluation = self._evaluation
        state = self._state.copy() if keep_tape else self._state
        for layer in reversed(range(evaluation.depth)):
            evaluation.undo_input(state)
            tape = evaluation.tape(layer, state.value(), again=True)
            state.undo_rest(tape.take_output(), go_on=layer > 0)
            yield layer, tape
            del tape  # before the next one is made
        if not evaluation.has_start_function:
            state.verify_start(None)
            return
        tape = evaluation.tape(START, state.value(), again=True)
        state.verify_start(tape.take_output())
        yield START, tape


WAYS = {"reversible": Reversible, "stored": Stored, "checkpointed": Checkpointed}
