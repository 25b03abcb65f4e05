"""Random numbers that can be drawn again.

Every draw, such as an initial weight or a dropout mask, has a number.  Its generator is a function of the seed and that
number alone: Philox, a counter-based generator (Salmon, Moraes, Dror, Shaw, *Parallel random numbers: as easy as 1, 2,
3*, SC 2011).  So a reversible network that evaluates f a second time returns to the number of the first draw and gets
the same mask, without having stored it.
"""

import contextlib
import threading
from collections.abc import Iterator

import numpy as np

from .base.changes import Change, changed
from .base.checks import integer, shown

NUMBERS = 2**64
"""Seeds and numbers of draws are below this."""


class _Stream(threading.local):
    seed, draw = 0, 0


_stream = _Stream()
"""The seed and the number of the next draw.  Each thread has its own, so threads do not disturb one another."""


def manual_seed(seed: int) -> None:
    """Restart the random numbers of this thread.

    Parameters
    ----------
    seed
        At least 0 and below 2**64; initially it is 0.

    Examples
    --------
    >>> manual_seed(7)
    >>> weight = nn.Linear(2, 2).weight.data
    >>> manual_seed(7)
    >>> np.array_equal(nn.Linear(2, 2).weight.data, weight)
    True
    """
    _stream.seed, _stream.draw = integer("seed", seed, 0, NUMBERS), 0


def next_draw() -> tuple[int, int]:
    """Take the next draw: its (seed, number), for `generator_for`."""
    draw = position()
    _stream.draw += 1
    return draw


def generator_for(seed: int, number: int) -> np.random.Generator:
    """Make the `numpy.random.Generator` of a seed and a number.

    Parameters
    ----------
    seed, number
        At least 0 and below 2**64.  Each pair gives a stream of its own.

    Examples
    --------
    >>> generator_for(0, 5).random() == generator_for(0, 5).random()
    True
    """
    key = integer("seed", seed, 0, NUMBERS), integer("number", number, 0, NUMBERS)
    return np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64)))


def position() -> tuple[int, int]:
    """Return the position in the stream of random numbers: (seed, number of the next draw).

    Examples
    --------
    >>> manual_seed(7)
    >>> position()
    (7, 0)
    """
    return _stream.seed, _stream.draw


def restore(to: tuple[int, int]) -> None:
    """Continue the stream of random numbers from a position.

    Parameters
    ----------
    to
        What `position` returned: (seed, number of the next draw).

    Examples
    --------
    >>> restore((7, 2))
    >>> position()
    (7, 2)
    """
    _stream.seed, _stream.draw = checked(to)


def rewound(to: tuple[int, int]) -> changed:
    """Draw again from a position inside the block; afterwards the stream continues where it was.

    Parameters
    ----------
    to
        What `position` returned: (seed, number of the next draw).

    Examples
    --------
    >>> before, weight = position(), nn.Linear(2, 2).weight.data
    >>> with rewound(before):
    ...     np.array_equal(nn.Linear(2, 2).weight.data, weight)
    True
    """
    return changed(at_position(checked(to)))


@contextlib.contextmanager
def restored_on_error() -> Iterator[None]:
    """Put the stream back where it was if the block fails.

    Examples
    --------
    >>> manual_seed(7)
    >>> with contextlib.suppress(ValueError), restored_on_error():
    ...     manual_seed(8)
    ...     raise ValueError
    >>> position()
    (7, 0)
    """
    before = position()
    try:
        yield
    except BaseException:
        restore(before)
        raise


def at_position(to: tuple[int, int]) -> list[Change]:
    """List the changes, for `changed`, that put the stream at `to`."""
    return [(_stream, "seed", to[0]), (_stream, "draw", to[1])]


def checked(to: tuple[int, int]) -> tuple[int, int]:
    """`to`, if it is a position."""
    if not isinstance(to, (tuple, list)) or len(to) != 2:
        raise TypeError(f"position must be a pair (seed, number), as position() gives it, got {shown(to)}")
    return integer("seed", to[0], 0, NUMBERS), integer("number", to[1], 0, NUMBERS)
