"""Random numbers, precision, memory, profiling, figures, threads."""

import fractions

import matplotlib.pyplot as plt
import numpy as np
from misuse.table import INF, NAN, NO_INTEGERS, NO_NUMBERS, case, each, entered, random, works, zeros
from support import strided

import mininet
from mininet import Tensor, files, memory, npz, plotting, precision, profiling, seeding
from mininet.kernels import buffers, convolution, direct, exact, patches, winograd

ONES = np.ones(3)
X, W = random(2, 6, 6, 16), random(3, 3, 16, 16)
OUT = (2, 4, 4, 16)
NO_SEEDS = ("1", 1.0, None, [1], True, NAN, np.ones(1, int))
METHODS = {  # how notebook 03 calls each, with the stride left out where there is only one
    direct.convolve: lambda f, x=X, w=W, stride=(1, 1), padding=(0, 0), out=OUT: f(x, w, stride, padding, out),
    patches.convolve: lambda f, x=X, w=W, stride=(1, 1), padding=(0, 0), out=OUT: f(x, w, stride, padding, out),
    winograd.convolve: lambda f, x=X, w=W, padding=(0, 0), out=OUT: f(x, w, padding, out),
}


CASES = [
    *each(mininet.manual_seed, "seed", NO_SEEDS, lambda f, v: f(v), TypeError, "seed must be an integer, got"),
    *each(mininet.manual_seed, "seed", (-1, 2**64), lambda f, v: f(v), ValueError, "seed must be at least 0 and below 2**64, got"),
    *each(seeding.generator_for, "seed", NO_SEEDS, lambda f, v: f(v, 0), TypeError, "seed must be an integer, got"),
    *each(seeding.generator_for, "number", NO_SEEDS, lambda f, v: f(0, v), TypeError, "number must be an integer, got"),
    *each(seeding.generator_for, "number", (-1, 2**64), lambda f, v: f(0, v), ValueError, "number must be at least 0 and below 2**64, got"),
    *(row for f, call in (
        (seeding.restore, lambda f, v: f(v)),
        (seeding.at_position, lambda f, v: f(v)),
        (seeding.rewound, lambda f, v: entered(f(v))),
    ) for row in (
        *each(f, "to", (None, 3, (1,), (1, 2, 3), "ab", {1, 2}), call, TypeError, "position must be a pair (seed, number), as position() gives it, got"),
        *each(f, "to", ((-1, 0), (2**64, 0)), call, ValueError, "seed must be at least 0 and below 2**64, got"),
        *each(f, "to", ((0, "1"), (0, None), (0, 1.5)), call, TypeError, "number must be an integer, got"),
    )),
    # Precision
    *(row for f in (precision.ulp_distance, precision.bits_of_difference) for row in (
        case(f, "shapes", lambda f: f(ONES, np.ones(2)), ValueError, "a and b must agree in shape and dtype, got (3,) float64 and (2,) float64"),
        case(f, "dtypes", lambda f: f(ONES, ONES.astype(np.float32)), ValueError, "a and b must agree in shape and dtype, got (3,) float64 and (3,) float32"),
        *each(f, "both", (zeros(3, dtype=int), None, "text", ONES + 1j, np.float16([1])), lambda f, v: f(v, v), TypeError, "a and b must be float32 or float64, got"),
        case(f, "lists of different lengths", lambda f: f([[1.0], [1.0, 2.0]], ONES), ValueError, "a must be an array or lists of equal lengths"),
        works(f, "strided arrays", lambda f: f(strided(ONES), ONES), lambda: 0),
        works(f, "no elements", lambda f: f(zeros(0), zeros(0)), lambda: 0),
        works(f, "NaN and NaN, infinity and infinity", lambda f: f(np.array([NAN, INF]), np.array([NAN, INF])), lambda: 0),
    )),
    works(precision.ulp_distance, "NaN and a number", lambda f: f(np.float32([NAN]), np.float32([1])) == 2**32, lambda: True),
    *each(precision.describe_difference, "a", (None, "text", object()), lambda f, v: f(v, 1.0), TypeError, "a must hold numbers, got"),
    *each(precision.describe_difference, "b", (None, "text", object()), lambda f, v: f(1.0, v), TypeError, "b must hold numbers, got"),
    works(precision.describe_difference, "shapes", lambda f: f(ONES, 1.0), lambda: "different: (3,) float64 and () float64"),
    works(precision.describe_difference, "booleans", lambda f: f([True, False], [True, True]), lambda: "approximate: largest difference 1"),
    works(precision.describe_difference, "integers at both ends", lambda f: f(np.array([-(2**63)]), np.array([2**63 - 1])), lambda: "approximate: largest difference 1.84e+19"),
    works(precision.describe_difference, "tensors", lambda f: f(Tensor(ONES), Tensor(ONES)), lambda: "exact"),
    # Threads, memory, time
    *each(mininet.set_num_threads, "count", NO_INTEGERS, lambda f, v: f(v), TypeError, "count must be an integer, got"),
    *each(mininet.set_num_threads, "count", (0, -1), lambda f, v: f(v), ValueError, "count must be at least 1, got"),
    *each(buffers.set_limit, "nbytes", NO_INTEGERS, lambda f, v: f(v), TypeError, "nbytes must be an integer, got"),
    case(buffers.set_limit, "below 0", lambda f: f(-1), ValueError, "nbytes must be at least 0, got -1"),
    works(memory.track_memory, "one tracker entered twice", lambda f: nested(f()), lambda: (12, 0)),
    works(profiling.profile, "one profile entered twice", lambda f: nested_profile(f()), lambda: True),
    case(memory.note, "an unknown kind", lambda f: noted(f, "unknown"), ValueError, "kind must be one of parameters, optimizer, state"),
    # Figures
    *each(plotting.style, "method", ("", "unknown", None, 3, ["exact"]), lambda f, v: f(v), ValueError, "method must be one of stored, checkpointed, float, exact, limit, got"),
    *each(plotting.figure, "columns", NO_INTEGERS, lambda f, v: entered(f(v)), TypeError, "columns must be an integer, got"),
    *each(plotting.figure, "rows", (0, -1), lambda f, v: entered(f(1, v)), ValueError, "rows must be at least 1, got"),
    *each(plotting.figure, "width", (*NO_NUMBERS, 0, -1), lambda f, v: entered(f(width=v)), ValueError, "width must be a finite number above 0, got"),
    *each(plotting.save, "made", (None, "figure", plt, ONES), lambda f, v: f(v, "nowhere/figure.png"), TypeError, "made must be a Figure, got"),
    *each(plotting.save_animation, "animation", (None, "film", [ONES]), lambda f, v: f(v, "nowhere/film.gif"), TypeError, "animation must be an Animation, got"),
    *each(plotting.readable_bytes, "count", NO_NUMBERS, lambda f, v: f(v), ValueError, "count must be a finite number, got"),
    *each(plotting.bytes_upwards, "axes", (None, plt, ONES), lambda f, v: f(v), TypeError, "axes must be an Axes, got"),
    works(plotting.readable_bytes, "below 0", lambda f: f(-1536), lambda: "-1.5 KiB"),
    # Files; damaged ones are in tests/hostile
    *(case(f, "a file that is not there", lambda f: f("nowhere"), FileNotFoundError, "nowhere") for f in (npz.read_npz, files.read_json, files.open_regular)),
    case(files.written_atomically, "a folder that is not there", lambda f: entered(f("nowhere/file")), FileNotFoundError, "nowhere"),
    # Kernels that the course calls
    *each(exact.as_fraction, "gamma", (NAN, INF, -0.1, 1, 1.5, 1e-9), lambda f, v: f(v), ValueError, "gamma must be 0 or at least 2^-20 away from 0 and 1 in exact arithmetic, got"),
    *each(exact.as_fraction, "gamma", ("0.9", None, True, 1j), lambda f, v: f(v), ValueError, "gamma must be a number, got"),
    *each(exact.spill_schedule, "gamma", (0.9, None, 1, fractions.Fraction(0), fractions.Fraction(3, 2)), lambda f, v: f(v), ValueError, "gamma must be a fraction above 0 and below 1, as as_fraction gives it, got"),
    *(row for f, call in METHODS.items() for row in (
        case(f, "x of rank 3", lambda f, c=call: c(f, x=X[0]), ValueError, "x and w must be (n, height, width, c) and (kh, kw, c, k) of one dtype, got shapes (6, 6, 16)"),
        case(f, "channels", lambda f, c=call: c(f, x=X[..., :8].copy()), ValueError, "x and w must be (n, height, width, c) and (kh, kw, c, k) of one dtype"),
        case(f, "mixed dtypes", lambda f, c=call: c(f, w=W.astype(np.float64)), ValueError, "x and w must be (n, height, width, c) and (kh, kw, c, k) of one dtype"),
        case(f, "a strided x", lambda f, c=call: c(f, x=strided(X)), ValueError, "x and w must be C-contiguous, as np.ascontiguousarray makes them"),
        *each(f, "out_shape", ((2, 5, 4, 16), (2, 4, 4, 8), (3, 4, 4, 16), (2, 4, 4), ()), lambda f, v, c=call: c(f, out=v), ValueError, "out_shape must be (2, 4, 4, 16) for stride (1, 1) and padding (0, 0), got"),
        case(f, "a padding that the output does not have", lambda f, c=call: c(f, padding=(1, 1)), ValueError, "out_shape must be (2, 6, 6, 16)"),
        case(f, "a window too large", lambda f, c=call: c(f, x=X[:, :1].copy()), ValueError, "out_shape must be"),
        works(f, "an empty batch", lambda f, c=call: c(f, x=X[:0], out=(0, 4, 4, 16)), lambda: zeros(0, 4, 4, 16)),
    )),
    case(direct.convolve, "output channels that fill no vectors", lambda f: f(X, W[..., :3].copy(), (1, 1), (0, 0), (2, 4, 4, 3)), ValueError, "output channels, got shape (3, 3, 16, 3)"),
    case(winograd.convolve, "another window", lambda f: f(X, random(1, 1, 16, 16), (0, 0), (2, 6, 6, 16)), ValueError, "w must be 3x3 with channels in multiples of"),
    works(convolution.method, "no images", lambda f: f((3, 3, 16, 16), (1, 1), (1, 1), (0, 6, 6, 16), np.dtype(np.float32)), lambda: convolution.method((3, 3, 16, 16), (1, 1), (1, 1), (2, 6, 6, 16), np.dtype(np.float32))),
]  # fmt: skip


def nested(tracker):
    """Bytes that the outer and the inner tracker have seen at most, when an array was made in the outer one."""
    with tracker as outer:
        tensor = Tensor(zeros(3))
        with tracker as inner:
            pass
    return outer.peak_bytes * tensor.size // 3, inner.peak_bytes


def nested_profile(profile):
    with profile as outer, profile as inner:
        Tensor(ONES).sum()
    return outer.calls == inner.calls == {"sum": 1}


def noted(f, kind):
    with memory.track_memory():
        f(ONES, kind)
