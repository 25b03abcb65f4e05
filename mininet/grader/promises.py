"""What promises are made of: how results are compared, statistics and inputs watched, and memory measured.

A promise is a function that tries an implementation, from the smallest example on, and raises `Broken` with the first
that fails, what came there, and the likely cause.  They stand in `float_promises` and `exact_promises`, in the order in
which one should mend: later ones rest on earlier ones.
"""

import dataclasses
import tracemalloc
from collections.abc import Callable

import numpy as np

from .cases import number, shown
from .contract import Broken, Implementation
from .layers import Watch


@dataclasses.dataclass(frozen=True)
class Promise:
    """One promise.

    Attributes
    ----------
    name : str
    sentence : str
        What is promised.
    check : callable(Implementation)
        Raises `Broken` or `NotWritten` unless it is kept.
    """

    name: str
    sentence: str
    check: Callable[[Implementation], None]


def promise(promises, name, sentence):
    """Decorate the function that checks a promise: it is appended to the list `promises`."""

    def add(check):
        promises.append(Promise(name, sentence, check))
        return check

    return add


# How results are compared


def require_close(example, results, tolerance, why):
    """Raise `Broken` unless all results agree.

    results : (name, what came, what is right) for each
    why : callable() -> str or None, the likely cause
    """
    for name, came, right in results:
        off = ~(np.abs(came - right) <= tolerance)  # NaN is off
        if off.any():
            index = tuple(map(int, np.argwhere(off)[0]))
            cause = why() or _unknown(results)
            raise Broken(example, f"{place(name, came, index)} = {against(came, right, index)}", cause)


def _unknown(results):
    """What can be said where no known mistake fits."""
    if all(
        np.abs(came - right).max(initial=0) <= SINGLE * max(1.0, np.abs(right).max(initial=0))
        for _, came, right in results
    ):
        return NEARLY_RIGHT
    return UNKNOWN_IN_SMALL if all(came.size == 1 for _, came, _ in results) else UNKNOWN_IN_LARGE


SINGLE = 100 * np.finfo(np.float32).eps
"""What some roundings to float32 come to."""
NEARLY_RIGHT = "nearly right: is something rounded on the way, converted to float32, or a small number added to it?"
UNKNOWN_IN_SMALL = "none of the known mistakes gives this; go through the example by hand, step by step"
UNKNOWN_IN_LARGE = "with one number all is right: look at what is special here, the shape, gamma, or f, now not linear"


def place(name, array, index):
    """An element's name."""
    return f"{name}[{', '.join(map(str, index))}]" if array.size > 1 else name


def against(came, right, index):
    """What an element is, and should be."""
    came, right = number(came[index]), number(right[index])
    return f"{came}, should be {right}"


def state_results(depth, came, right):
    """x_N and v_N, or x_0 and v_0, for `require_close`."""
    return list(zip((f"x_{depth}", f"v_{depth}"), came, right, strict=True))


def gradient_results(case, came, right):
    """dL/dx_0 and the gradients by parameters, added up over the layers at which a function stands."""
    results = [("dL/dx_0", came[0], right[0])]
    for f in dict.fromkeys(case.functions):
        layers = layers_of(f, case)
        for k in range(len(f.parameters)):
            name = " + ".join(f"gradients[{n}][{k}]" for n in layers)
            results.append((name, *(sum(gradients[2][n][k] for n in layers) for gradients in (came, right))))
    return results


def velocity_results(came, right):
    """dL/dv_0."""
    return [("dL/dv_0", came[1], right[1])]


def layers_of(f, case):
    """The layers at which a function stands."""
    return [n for n, each in enumerate(case.functions) if each is f]


def with_gradient(case):
    """The case in words, dL/dx_N included."""
    return f"{case}, dL/dx_{case.depth} {shown(case.dx)}"


# What happens on the way


def require_untouched(case, name, overwritten):
    """Raise `Broken` if arguments of the function `name` have been overwritten."""
    if overwritten:
        cause = "x -= v writes into x itself, and so for v and dx: begin with a copy, or write x = x - v"
        if "functions" in overwritten:
            cause = "functions.reverse() and functions.pop() change the caller's list: use reversed(functions)"
        raise Broken(case, f"{name} has changed its argument {' and '.join(overwritten)}", cause)


def require_statistics_moved_once(case, passes):
    """Raise `Broken` unless running statistics move in the first pass, forward, and in no other.

    passes : for each name, callable(case), run one after the other
    """
    moved = 0
    for name, run in passes.items():
        run(case)
        is_forward = moved == 0
        expected = 1 if is_forward else moved
        for n, f in enumerate(case.functions):
            if f.moves == expected:
                continue
            if is_forward:
                cause = "forward must evaluate each function once, without replay=True"
            else:
                cause = "what repeats an evaluation must say so: f(x, replay=True), f.vjp(x, replay=True)"
            times = f.moves - (0 if is_forward else moved)
            should = "once" if is_forward else "never"
            raise Broken(case, f"in {name}, the running mean of f_{n} moved {_times(times)}, should be {should}", cause)
        moved = expected


def _times(count):
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


FEW, MANY = 10, 100
"""Depths at which memory is compared."""


def later(value, run):
    """A function without arguments that does `run(value)`: the value is computed before."""
    return lambda: run(value)


def require_constant_memory(make_case, passes, per_layer=0):
    """Raise `Broken` if the peak of a pass grows with depth.

    passes : for each name, callable(case) -> callable() that is measured
    per_layer : bytes by which it may grow for each layer, beside 2 KiB for small objects
    """
    for name, prepare in passes.items():
        peaks, watches = [], []
        for depth in (2, FEW, MANY):  # the first: what is made once, in the first call
            case = make_case(depth)
            watches.append(Watch())
            case.watched(watches[-1])
            peaks.append(_peak(prepare(case)))
        growth, allowed = peaks[2] - peaks[1], 2 * case.x.nbytes + (MANY - FEW) * (2048 + per_layer)
        if growth <= allowed:
            continue
        alive = watches[-1].most_alive
        share = growth / (MANY - FEW) / case.x.nbytes
        cause = f"it grows by {share:.1f} times x a layer: something is kept for every layer, or for some of them"
        if alive > 2:
            cause = (
                f"{alive} pullbacks were there at once, and each holds what its function computed: use a layer's "
                "pullback, and drop it, before the next layer is undone"
            )
        raise Broken(
            f"{FEW} layers and {MANY} layers, x of shape {case.x.shape}, {_kib(case.x.nbytes)}",
            f"the peak of {name} is {_kib(peaks[1])} with {FEW} layers and {_kib(peaks[2])} with {MANY}",
            cause,
        )


def _kib(count):
    return f"{count / 1024:,.0f} KiB"


def _peak(run):
    """Bytes allocated at most while `run` runs, beyond what there was."""
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        run()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not was_tracing:
            tracemalloc.stop()
