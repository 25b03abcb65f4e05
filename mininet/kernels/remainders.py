"""The remainders that exact arithmetic keeps: packed into one 32-bit word per element, and a stack of what overflows.

How large a word can have become depends on gamma = n/d and the number of steps only.  So a schedule that knows nothing
of the data says before which steps the low 8 bits of every word must be spilled to a stack to make room.
"""

import copy
import fractions
import functools
import threading

import numpy as np

from ..base.types import IntegerArray
from . import buffers
from .jit import kernel
from .threads import share_elements

WORD_BITS = 32
SPILL_BITS = 8

_LOW_BITS = 2**SPILL_BITS - 1


class Remainders:
    """The side information of one state: packed words, and the stack of bits that were spilled from them.

    invertible : whether spilled bits are kept, so that the steps can be undone; words always are, as they decide how
        products are rounded

    Attributes
    ----------
    packed : ndarray of uint32, b of `mininet.kernels.exact`
    spilled : list of ndarray of uint8, or None
        The stack.
    """

    def __init__(self, gamma: fractions.Fraction, shape: tuple[int, ...], invertible: bool = True) -> None:
        self._schedule = spill_schedule(gamma) if gamma else None
        self.packed = buffers.zeros(shape, np.uint32, "side information")
        self.spilled: list[IntegerArray] | None = [] if invertible else None

    def make_room(self, step: int) -> None:
        """Spill what the words have no room for in step number `step`."""
        for _ in range(self._spills_before(step)):
            if self.spilled is None:
                self.packed >>= SPILL_BITS
            else:
                self.spilled.append(spill(self.packed))

    def take_back(self, step: int) -> None:
        """Undo `make_room`, after the step has been undone."""
        assert self.spilled is not None
        for _ in range(self._spills_before(step)):
            unspill(self.packed, self.spilled.pop())

    def _spills_before(self, step: int) -> int:
        return self._schedule.spills_before(step) if self._schedule else 0

    def copy(self) -> "Remainders":
        """Independent words; what is on the stack never changes, and is shared."""
        other = copy.copy(self)
        other.packed, other.spilled = self.packed.copy(), None if self.spilled is None else list(self.spilled)
        return other


class SpillSchedule:
    """How often the low bits of all words are spilled before each step; a function of n/d alone.

    `_bounds[t]` is a strict upper bound of every word before step t, after its spills.  A step takes b < B to
    b' <= floor((B d - 1) / n) < ceil(B d / n), which must fit into the word: at most 2^32.  Then B d <= 2^32 n < 2^53,
    so that float64 can divide.
    """

    def __init__(self, gamma: fractions.Fraction) -> None:
        self._numerator, self._denominator = gamma.numerator, gamma.denominator
        self._bounds = [1]
        self._spills = [0]
        self._lock = threading.Lock()

    def _after_step(self, bound: int) -> int:
        return -(-bound * self._denominator // self._numerator)

    def spills_before(self, step: int) -> int:
        """Number of spills before step number `step`, counted from 0."""
        with self._lock:  # several threads may share a schedule
            while len(self._bounds) <= step:
                bound = self._after_step(self._bounds[-1])
                spills = 0
                while self._after_step(bound) > 2**WORD_BITS:
                    bound = -(-bound >> SPILL_BITS)
                    spills += 1
                self._spills.append(spills)
                self._bounds.append(bound)
            return self._spills[step]


@functools.lru_cache(maxsize=64)
def spill_schedule(gamma: object) -> SpillSchedule:
    """The `SpillSchedule` of a fraction 0 < gamma < 1, one for all."""
    if not isinstance(gamma, fractions.Fraction) or not 0 < gamma < 1:
        raise ValueError(f"gamma must be a fraction above 0 and below 1, as as_fraction gives it, got {gamma!r}")
    return SpillSchedule(gamma)


def spill(b: IntegerArray) -> IntegerArray:
    """Take the low 8 bits off every word; returns them as uint8."""
    low = buffers.empty(b.shape, np.uint8, "side information")
    share_elements(_spill, b, low)
    return low


def unspill(b: IntegerArray, low: IntegerArray) -> None:
    """Put spilled bits back below every word."""
    share_elements(_unspill, b, low)


@kernel
def _spill(b, low, first, last):
    b, low = b[first:last], low[first:last]
    for i in range(len(b)):
        low[i] = b[i] & _LOW_BITS
        b[i] >>= SPILL_BITS


@kernel
def _unspill(b, low, first, last):
    b, low = b[first:last], low[first:last]
    for i in range(len(b)):
        b[i] = (b[i] << SPILL_BITS) | low[i]
