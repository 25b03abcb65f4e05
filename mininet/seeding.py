"""Random numbers that can be drawn again.

Every draw (an initial weight, a dropout mask) has a number, and its generator is a function of the seed and that
number alone: Philox, a counter-based generator (Salmon, Moraes, Dror, Shaw, *Parallel random numbers: as easy as 1, 2,
3*, SC 2011).  A reversible network that evaluates f a second time goes back to the number of the first draw and gets
the same mask, without having stored it.
"""

import threading

import numpy as np

from .changes import changed
from .checks import integer, shown

NUMBERS = 2**64
"""Seeds, and numbers of draws, are below this."""


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
    _stream.seed, _stream.draw = integer("seed", seed, 0, NUMBERS), 0


def next_draw():
    """(seed, number) of the next draw, for `generator_for`."""
    draw = position()
    _stream.draw += 1
    return draw


def generator_for(seed, number):
    """The `numpy.random.Generator` that belongs to a seed and a number, both at least 0 and below 2**64."""
    key = integer("seed", seed, 0, NUMBERS), integer("number", number, 0, NUMBERS)
    return np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64)))


def position():
    """Where the stream of random numbers stands: (seed, number of the next draw)."""
    return _stream.seed, _stream.draw


def restore(to):
    """Let the stream of random numbers go on from `to`, a `position`."""
    _stream.seed, _stream.draw = _checked_position(to)


def rewound(to):
    """Draw again from `to`, a `position`, inside the block; afterwards the stream stands where it stood before."""
    return changed(at_position(to))


def at_position(to):
    """The attributes, for `changed`, of a stream that stands at `to`."""
    seed, draw = _checked_position(to)
    return [(_stream, "seed", seed), (_stream, "draw", draw)]


def _checked_position(to):
    if not isinstance(to, (tuple, list)) or len(to) != 2:
        raise TypeError(f"position must be a pair (seed, number), as position() gives it, got {shown(to)}")
    return integer("seed", to[0], 0, NUMBERS), integer("number", to[1], 0, NUMBERS)
