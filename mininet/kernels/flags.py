"""Waiting awake: a flag that one thread raises and another one watches.

To fall asleep and be woken up takes a thread up to 100 microseconds, as long as many a kernel runs.  So who waits
watches a flag for about that long first, in compiled code that does not hold Python's lock, and sleeps only then.

The lock itself must not send a thread to sleep either.  So a flag is raised from within the compiled code, where its
raiser has already let go of the lock; or else the watcher waits a little longer, until the raiser will have done so.
"""

import numpy as np
from numba import config
from numba.core import types
from numba.extending import intrinsic

from .jit import kernel

PATIENCE = 2**19
"""How often a watcher looks at the flag before it gives up: some 130 microseconds."""

GRACE = 2**15
"""How often it looks once more after it has seen the flag, if the raiser held the lock: some 10 microseconds."""


class Flag:
    """Lowered at first."""

    def __init__(self):
        self.state = np.zeros(1, np.int64)

    def raise_(self):
        """Raise it, from Python."""
        self.state[0] = 1

    def lower(self):
        """Lower it."""
        self.state[0] = 0

    def watch(self, raised_from_python, raising=None):
        """Wait until it is raised, but not long; `raising` is another flag, to be raised before."""
        if config.DISABLE_JIT:
            if raising is not None:
                raising.raise_()
            return
        first = _nobody if raising is None else raising.state
        _watch(first, self.state, PATIENCE, GRACE if raised_from_python else 0)


_nobody = np.zeros(1, np.int64)


@intrinsic
def _look(typing, state):
    """state[0], read from memory every time."""

    def generate(context, builder, signature, arguments):
        address = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(address, ordering="acquire", align=8)

    return types.int64(state), generate


@intrinsic
def _raise(typing, state):
    """state[0] = 1, written to memory now."""

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
