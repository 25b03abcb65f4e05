"""Three ways to have every layer's local tape again when backward needs it, last layer first.

Stored keeps all tapes from the forward pass: memory grows with the depth N.
Checkpointed keeps the state every sqrt(N) layers and runs forward again from there: memory grows with sqrt(N).
Reversible keeps the final state only and runs it back: memory is constant, but for the side information of exact
arithmetic.

A network gives each of them its `Evaluation`, which knows the functions and their inputs.  All three then hand the same
kind of tape to the same backward loop; where they evaluate functions at the same bits, gradients are the same bits.
"""

import math


class Stored:
    """Keep the tape of every layer."""

    def __init__(self, evaluation):
        self._tapes = []
        state, self._start = evaluation.start_with_tape(invertible=False)
        for layer in range(evaluation.depth):
            tape = evaluation.tape(layer, state.kept_value())
            state.step(tape.output)
            self._tapes.append(tape)
        self.final = state.kept_value()

    def tapes_backwards(self, keep_tape):
        """Yield the tapes of layers depth - 1, ..., 0."""
        tapes = list(self._tapes) if keep_tape else self._tapes
        while tapes:
            yield tapes.pop()

    def start_tape(self):
        """The tape of the initial velocity's function, or None."""
        return self._start


class Checkpointed:
    """Keep the state every ceil(sqrt(depth)) layers."""

    def __init__(self, evaluation):
        self._evaluation = evaluation
        self._interval = max(1, math.isqrt(max(0, evaluation.depth - 1)) + 1)
        self._checkpoints = []
        state = evaluation.start(invertible=False)
        self._start_value = state.kept_value() if evaluation.has_start_function else None
        for layer in range(evaluation.depth):
            if layer % self._interval == 0:
                self._checkpoints.append(state.copy("checkpoints"))
            state.step(evaluation.value(layer, state.value()))
        self.final = state.kept_value()

    def tapes_backwards(self, keep_tape):
        """Yield the tapes of layers depth - 1, ..., 0."""
        checkpoints = list(self._checkpoints) if keep_tape else self._checkpoints
        while checkpoints:
            state = checkpoints.pop()
            if keep_tape:
                state = state.copy()
            tapes = []
            for layer in range(state.layer, min(state.layer + self._interval, self._evaluation.depth)):
                tapes.append(self._evaluation.tape_again(layer, state.kept_value()))
                state.step(tapes[-1].output)
            del state
            while tapes:
                yield tapes.pop()

    def start_tape(self):
        """The tape of the initial velocity's function, or None."""
        if self._start_value is None:
            return None
        return self._evaluation.start_tape_again(self._start_value)


class Reversible:
    """Keep the final state, and run it back."""

    def __init__(self, evaluation):
        self._evaluation = evaluation
        self._state = evaluation.start()
        self._returned = None
        for layer in range(evaluation.depth):
            self._state.step(evaluation.value(layer, self._state.value()))
        self.final = self._state.kept_value()

    def tapes_backwards(self, keep_tape):
        """Yield the tapes of layers depth - 1, ..., 0."""
        state = self._state.copy() if keep_tape else self._state
        for layer in reversed(range(self._evaluation.depth)):
            state.undo_position()
            tape = self._evaluation.tape_again(layer, state.value())
            state.undo_velocity(tape.output)
            yield tape
            del tape
        self._returned = state

    def start_tape(self):
        """The tape of the initial velocity's function, or None; call it when all layers are undone."""
        state, self._returned = self._returned, None
        tape = self._evaluation.start_tape_again(state.value()) if self._evaluation.has_start_function else None
        state.verify_start(None if tape is None else tape.output)
        return tape


WAYS = {"reversible": Reversible, "stored": Stored, "checkpointed": Checkpointed}
