"""Waiting awake: one thread watches a flag until another one raises it.

Falling asleep and waking up takes a thread up to 100 microseconds, as long as many kernels run.  So a thread first
watches a flag for about that long, in compiled code that does not hold Python's lock, and sleeps only after that.

The lock must not put a thread to sleep either.  So either compiled code raises the flag, after its thread has released
the lock, or the watcher waits a little longer, until the other thread will have released it.
"""

import numpy as np
from numba import config
from numba.core import types
from numba.extending import intrinsic

from .jit import kernel

PATIENCE = 2**19
"""How often a watcher looks before it gives up: for about 130 microseconds."""

GRACE = 2**15
"""How often it looks again if the flag was raised by a thread that held the lock: for about 10 microseconds."""


class Flag:
    """A flag that one thread raises and another one watches; it starts lowered."""

    def __init__(self) -> None:
        self.state = np.zeros(1, np.int64)

    def raise_(self) -> None:
        """Raise the flag, from Python."""
        self.state[0] = 1

    def lower(self) -> None:
        """Lower the flag."""
        self.state[0] = 0

    def watch(self, raised_from_python: bool, raising: "Flag | None" = None) -> None:
        """Raise the flag `raising`, then wait a short while until this one is raised."""
        if config.DISABLE_JIT:
            if raising is not None:
                raising.raise_()
            return
        first = _nobody if raising is None else raising.state
        _watch(first, self.state, PATIENCE, GRACE if raised_from_python else 0)


_nobody = np.zeros(1, np.int64)


@intrinsic
def _look(typing, state):
    """Read state[0], from memory each time."""

    def generate(context, builder, signature, arguments):
        address = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(address, ordering="acquire", align=8)

    return types.int64(state), generate


@intrinsic
def _raise(typing, state):
    """Write state[0] = 1 to memory, now."""

    def generate(context, builder, signature, arguments):
        address = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        builder.store_atomic(context.get_constant(types.int64, 1), address, ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(state), generate


@kernel
def _watch(first, state, patience, grace):
    _raise(first)
    for _ in range(patience):
        if _look(state) != 0:
            for _ in range(grace):
                _look(state)
            return
