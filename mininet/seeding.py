"""Random numbers that can be drawn again.

Every draw (an initial weight, a dropout mask) has a number, and its generator is a function of the seed and that
number alone: Philox, a counter-based generator (Salmon, Moraes, Dror, Shaw, *Parallel random numbers: as easy as 1, 2,
3*, SC 2011).  A reversible network that evaluates f a second time goes back to the number of the first draw and gets
the same mask, without having stored it.
"""

import contextlib
import operator
import threading

import numpy as np


class _Stream(threading.local):
    """The seed and the number of the next draw.  Each thread has its own, so threads cannot disturb one another."""

    seed = 0
    draw = 0


_stream = _Stream()


def manual_seed(seed):
    """Start the random numbers of this thread anew from `seed`.

    Parameters
    ----------
    seed : int
        At least 0 and below 2**64.  Until the first call, the seed is 0.
    """
    try:
        seed = operator.index(seed)
    except TypeError:
        raise TypeError(f"seed must be an integer, got {type(seed).__name__}") from None
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be at least 0 and below 2**64, got {seed}")
    _stream.seed, _stream.draw = seed, 0


def next_draw():
    """(seed, number) of the next draw, for `generator_for`."""
    draw = position()
    _stream.draw += 1
    return draw


def generator_for(seed, number):
    """The `numpy.random.Generator` that belongs to a seed and a number, both at least 0 and below 2**64."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], dtype=np.uint64)))


def position():
    """Where the stream of random numbers stands: (seed, number of the next draw)."""
    return _stream.seed, _stream.draw


def restore(to):
    """Let the stream of random numbers go on from `to`, a `position`."""
    manual_seed(to[0])
    _stream.draw = operator.index(to[1])


@contextlib.contextmanager
def rewound(to):
    """Draw again from `to`, a `position`, inside the block; afterwards the stream stands where it stood before."""
    before = position()
    _stream.seed, _stream.draw = to
    try:
        yield
    finally:
        _stream.seed, _stream.draw = before
