"""Random numbers, precision, memory, profiling, figures, threads."""

import fractions

import matplotlib.pyplot as plt
import numpy as np
from misuse.table import INF, NAN, NO_INTEGERS, NO_NUMBERS, case, each, entered, random, zeros

import mininet
from mininet import memory, plotting, precision, seeding
from mininet.base import files, instruments, npz
from mininet.kernels import buffers, direct, exact, patches, remainders, winograd

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
    *each(mininet.manual_seed, "seed", lambda f, v: f(v), types=NO_SEEDS, values=(-1, 2**64)),
    *each(seeding.generator_for, "number", lambda f, v: f(0, v), types=NO_SEEDS, values=(-1, 2**64)),
    *(row for f, call in (
        (seeding.restore, lambda f, v: f(v)),
        (seeding.rewound, lambda f, v: entered(f(v))),
    ) for row in (
        *each(f, "to", call, types=(None, 3, (1,), (1, 2, 3), "ab", {1, 2}), says="position must"),
        *each(f, "to", call, values=((-1, 0), (2**64, 0)), says="seed must"),
        *each(f, "to", call, types=((0, "1"), (0, None), (0, 1.5)), says="number must"),
    )),
    # Precision
    *(row for f in (precision.ulp_distance, precision.bits_of_difference) for row in (
        case(f, "shapes", lambda f: f(ONES, np.ones(2)), ValueError, "a and"),
        *each(f, "both", lambda f, v: f(v, v), types=(zeros(3, dtype=int), None, "text", ONES + 1j, np.float16([1])), says="a"),
    )),
    *each(precision.describe_difference, "a", lambda f, v: f(v, 1.0), types=(None, "text", object()), says="a must"),
    # Threads, memory, time
    *each(mininet.set_num_threads, "count", lambda f, v: f(v), types=NO_INTEGERS, values=(0, -1)),
    *each(buffers.set_limit, "nbytes", lambda f, v: f(v), types=NO_INTEGERS, values=(-1,)),
    case(instruments.note, "an unknown kind", lambda f: noted(f, "unknown"), ValueError, "kind"),
    # Figures
    *each(plotting.style, "method", lambda f, v: f(v), values=("", "unknown", None, 3, ["exact"])),
    *each(plotting.figure, "columns", lambda f, v: entered(f(v)), types=NO_INTEGERS),
    *each(plotting.figure, "rows", lambda f, v: entered(f(1, v)), values=(0, -1)),
    *each(plotting.figure, "width", lambda f, v: entered(f(width=v)), values=(*NO_NUMBERS, 0, -1)),
    *each(plotting.save, "made", lambda f, v: f(v, "nowhere/figure.png"), types=(None, "figure", plt, ONES)),
    *each(plotting.save_animation, "animation", lambda f, v: f(v, "nowhere/film.gif"), types=(None, "film", [ONES])),
    *each(plotting.readable_bytes, "count", lambda f, v: f(v), values=NO_NUMBERS),
    *each(plotting.bytes_upwards, "axes", lambda f, v: f(v), types=(None, plt, ONES)),
    # Files; damaged ones are in tests/hostile
    *(case(f, "a file that is not there", lambda f: f("nowhere"), FileNotFoundError, "nowhere") for f in (npz.read_npz, files.read_json, files.open_regular)),
    case(files.written_atomically, "a folder that is not there", lambda f: entered(f("nowhere/file")), FileNotFoundError, "nowhere"),
    # Kernels that the course calls
    *each(exact.as_fraction, "gamma", lambda f, v: f(v), values=(NAN, INF, -0.1, 1, 1.5, 1e-9, "0.9", None, True, 1j)),
    case(exact.coefficients, "a large denominator", lambda f: f(fractions.Fraction(1, 2**20 + 1)), ValueError, "gamma must have"),
    *each(remainders.spill_schedule, "gamma", lambda f, v: f(v), values=(0.9, None, 1, fractions.Fraction(0), fractions.Fraction(-1, 2), fractions.Fraction(3, 2))),
    *(row for f, call in METHODS.items() for row in (
        case(f, "x of rank 3", lambda f, c=call: c(f, x=X[0]), ValueError, "x and"),
        case(f, "mixed dtypes", lambda f, c=call: c(f, w=W.astype(np.float64)), ValueError, "x and"),
        *each(f, "out_shape", lambda f, v, c=call: c(f, out=v), values=((2, 5, 4, 16), (2, 4, 4, 8), (3, 4, 4, 16), (2, 4, 4), ())),
    )),
    case(winograd.convolve, "another window", lambda f: f(X, random(1, 1, 16, 16), (0, 0), (2, 6, 6, 16)), ValueError, "w must"),
]  # fmt: skip


def noted(f, kind):
    with memory.track_memory():
        f(ONES, kind)
