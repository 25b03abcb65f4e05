"""The side information of exact arithmetic, layer by layer, against the information limit.

Multiplying v by gamma destroys log2(1 / gamma) bits for each element; to be undone, they must be kept.  They lie in a
32-bit word each, the buffer integer b, and when its room is spent, in bytes on a stack: what is held is 32 bits at
first, and follows the limit N log2(1 / gamma) from the first spill on, for gamma = 0.9 after 194 layers.  With the
paper's gamma = 1 - 1 / (50 N) the limit is 1.44 / 50 = 0.029 bits for the whole network: the word stays all but empty.
"""

import dataclasses
import math

import numpy as np

from .. import plotting
from ..autodiff import Tensor, no_grad
from ..kernels.exact import as_fraction
from ..kernels.remainders import SPILL_BITS, WORD_BITS
from ..reversible import ExactState
from .claim import Claim

SLOPE_TOLERANCE, STANDARD_ERRORS = 0.02, 4


@dataclasses.dataclass(frozen=True)
class SideInformation:
    """The side information of one run after n = 0, ..., N layers, which does not depend on later layers."""

    gamma: float
    held_bits: np.ndarray  # (N + 1,), bytes counted, as bits per element of x
    largest_bits: np.ndarray  # (N + 1,), log2(1 + b) of the largest b, with what was spilled
    zeros: float  # share of elements whose b is 0 after the last layer
    elements: int

    @property
    def depth(self):
        """N."""
        return len(self.held_bits) - 1

    @property
    def limit_bits(self):
        """n log2(1 / gamma), (N + 1,)."""
        return np.arange(self.depth + 1) * math.log2(1 / self.gamma)

    @property
    def first_spill(self):
        """The smallest n after which more than the words was held; ValueError if there is none."""
        spilled = np.flatnonzero(self.held_bits > WORD_BITS)
        if not len(spilled):
            raise ValueError(f"depth must be so large that buffers spill, got {self.depth} for gamma = {self.gamma}")
        return int(spilled[0])

    @property
    def held_slope(self):
        """Bits held per element and layer, by least squares from the first spill on."""
        return _slope(self.held_bits, self.first_spill)

    @property
    def largest_slope(self):
        """Growth of `largest_bits` per layer, by least squares from the first layer on."""
        return _slope(self.largest_bits, 1)

    @property
    def content_bits(self):
        """-log2 of the share of zeros: the information in the buffers.

        Multiplying by gamma takes R velocities to gamma R and loses nothing.  So each v comes with 1 / gamma values of
        b on average, one of them 0: the share of zeros falls by gamma, if all v are equally likely.
        """
        return -math.log2(self.zeros) if self.zeros else math.inf

    @property
    def content_error(self):
        """The standard error of `content_bits`."""
        return math.sqrt((1 - self.zeros) / (self.zeros * self.elements)) / math.log(2) if self.zeros else 0.0

    @property
    def content_in_theory(self):
        """(N - 1) log2(1 / gamma): the first layer multiplies v_0 = 0, which destroys nothing."""
        return float(self.limit_bits[-2])


def _slope(values, first):
    return float(np.polyfit(np.arange(first, len(values)), values[first:], 1)[0])


def measure(function, x, gamma, depth):
    """The `SideInformation` of running x forward through at least one layer, with one function for all of them."""
    held, largest = [], []
    with no_grad():
        state = ExactState(x, as_fraction(gamma))
        for layer in range(depth + 1):
            if layer > 0:
                state.step(function(Tensor(state.input())).data)
            arrays = [state.remainders.packed, *state.remainders.spilled]
            held.append(8 * sum(array.nbytes for array in arrays) / x.size)
            integers = buffer_integers(state)
            largest.append(math.log2(1 + integers.max()))
    return SideInformation(state.gamma, np.array(held), np.array(largest), float(np.mean(integers == 0)), x.size)


def buffer_integers(state):
    """The buffer integer b of each element of an `ExactState`, with its spilled bits put back below, as float64."""
    integers = state.remainders.packed.astype(np.float64)
    for low in reversed(state.remainders.spilled):
        integers = integers * 2**SPILL_BITS + low
    return integers


def claims(fixed, paper):
    """Compare what is held, for a gamma that spills, and what is in it, for the paper's gamma, with the limit."""
    limit, gamma = math.log2(1 / fixed.gamma), f"γ = {fixed.gamma:g}"
    percent = f"{100 * SLOPE_TOLERANCE:g} %"
    return [
        Claim(
            f"{gamma}: the side information held grows by log2(1/γ) bits an element and layer, within {percent}",
            f"{fixed.held_slope:.4f}, fitted over {fixed.first_spill} to {fixed.depth} layers, limit {limit:.4f}; "
            f"{fixed.held_bits[-1]:.0f} bits at the end, limit {fixed.limit_bits[-1]:.1f}",
            abs(fixed.held_slope / limit - 1) <= SLOPE_TOLERANCE,
        ),
        Claim(
            f"{gamma}: and so does what is in it, log2(1 + b) of the largest b, within {percent}",
            f"{fixed.largest_slope:.4f}, fitted over 1 to {fixed.depth} layers",
            abs(fixed.largest_slope / limit - 1) <= SLOPE_TOLERANCE,
        ),
        Claim(
            "γ = 1 − 1 / (50 N): the words held are all but empty; in them are (N − 1) log2(1/γ) bits an element, "
            f"within {STANDARD_ERRORS} standard errors",
            f"{paper.content_bits:.4f} ± {paper.content_error:.4f} bits, theory {paper.content_in_theory:.4f}, held "
            f"{paper.held_bits[-1]:.0f}; {100 * (1 - paper.zeros):.2f} % of b are not 0, N = {paper.depth}",
            abs(paper.content_bits - paper.content_in_theory) <= STANDARD_ERRORS * paper.content_error,
        ),
    ]


def draw(axes, information):
    """Bits per element by layers, for the `SideInformation` of "exact", a fixed gamma, and "paper"."""
    fixed, paper = information["exact"], information["paper"]
    layers = np.arange(fixed.depth + 1)
    gamma = f"γ = {fixed.gamma:g}"
    axes.plot(layers, fixed.held_bits, color=plotting.BLUE, label=f"held, {gamma}")
    wide = {"color": plotting.SKY, "linewidth": 5, "alpha": 0.6}
    axes.plot(layers, fixed.largest_bits, **wide, label=f"in it (largest $b$), {gamma}")
    axes.plot(layers, fixed.limit_bits, **plotting.style("limit", label=f"limit $N$ log$_2(1/γ)$, {gamma}"))
    axes.plot(paper.held_bits, color=plotting.GREEN, label="held, γ = 1 − 1 / (50 N)")
    label = f"in it, γ = 1 − 1 / (50 N): {paper.content_bits:.3f} bits"
    axes.plot([paper.depth], [paper.content_bits], color=plotting.GREEN, marker="v", linestyle="", label=label)
    axes.set(xlabel="depth $N$ [layers]", ylabel="bits for each element of $x$")
    axes.set(title="Side information, exact arithmetic")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15))
