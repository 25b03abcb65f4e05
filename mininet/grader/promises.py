"""What the promises are made of: comparing results, watching statistics and inputs, measuring memory.

A promise is a function that tries an implementation on one example after another, from the smallest on, and raises
`Broken` at the first failure.  They stand in `float_promises` and `exact_promises`, in the order in which to fix them.
"""

import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from ..base.types import AnyArray
from .cases import Case, ExactCase, Example, number, shown
from .contract import Broken, Implementation
from .layers import Watch
from .reference import Gradients

Check: TypeAlias = Callable[[Implementation], None]

Results: TypeAlias = list[tuple[str, AnyArray, AnyArray]]
"""(name, what came, what is right) for each result."""

E = TypeVar("E", Case, ExactCase)


class Promise(NamedTuple):
    """A name, what is promised, and a check that raises `Broken` or `NotWritten` if it is not kept."""

    name: str
    sentence: str
    check: Check


def promise(promises: list[Promise], name: str, sentence: str) -> Callable[[Check], Check]:
    """Decorate a check: append its promise to the list `promises`."""

    def add(check: Check) -> Check:
        promises.append(Promise(name, sentence, check))
        return check

    return add


# How results are compared


def require_close(example: object, results: Results, tolerance: float, why: Callable[[], str | None]) -> None:
    """Raise `Broken` unless all results agree; only then ask `why`, for the likely cause or None."""
    for name, came, right in results:
        off = ~(np.abs(came - right) <= tolerance)  # NaN is off
        if off.any():
            raise Broken(example, first_difference(name, came, right, off), why() or _unknown(results))


def first_difference(name: str, came: AnyArray, right: AnyArray, off: AnyArray) -> str:
    """Say what the first element where `off` is true is, and should be."""
    index = tuple(map(int, np.argwhere(off)[0]))
    element = f"{name}[{', '.join(map(str, index))}]" if came.size > 1 else name
    return f"{element} = {number(came[index])}, should be {number(right[index])}"


def _unknown(results: Results) -> str:
    some_roundings = 100 * np.finfo(np.float32).eps
    if all(
        np.abs(came - right).max(initial=0) <= some_roundings * max(1.0, np.abs(right).max(initial=0))
        for _, came, right in results
    ):
        return NEARLY_RIGHT
    return UNKNOWN_IN_SMALL if all(came.size == 1 for _, came, _ in results) else UNKNOWN_IN_LARGE


NEARLY_RIGHT = "nearly right: is something rounded on the way, converted to float32, or a small number added to it?"
UNKNOWN_IN_SMALL = "none of the known mistakes gives this; go through the example by hand, step by step"
UNKNOWN_IN_LARGE = "with one number all is right: look at what is special here, the shape, gamma, or f, now not linear"


def state_results(depth: int, came: Sequence[AnyArray], right: Sequence[AnyArray]) -> Results:
    """Pair up x_N and v_N, or x_0 and v_0 if `depth` is 0."""
    return list(zip((f"x_{depth}", f"v_{depth}"), came, right, strict=True))


def gradient_results(case: Example, came: Gradients, right: Gradients) -> Results:
    """Pair up dL/dx_0 and the parameter gradients, summed over the layers that share a function."""
    results = [("dL/dx_0", came[0], right[0])]
    for layers, k in shared_parameters(case):
        name = " + ".join(f"gradients[{n}][{k}]" for n in layers)
        ours, true = (np.asarray(sum(gradients[2][n][k] for n in layers)) for gradients in (came, right))
        results.append((name, ours, true))
    return results


def shared_parameters(case: Example) -> list[tuple[list[int], int]]:
    """List (layers, k) for each parameter: the layers that use its function, and its number in the function."""
    functions = {f: [n for n, each in enumerate(case.functions) if each is f] for f in case.functions}
    return [(layers, k) for f, layers in functions.items() for k in range(len(f.parameters))]


def with_gradient(case: Example) -> str:
    """Describe the case, including dL/dx_N."""
    return f"{case}, dL/dx_{case.depth} {shown(case.dx)}"


# What happens on the way


def require_untouched(case: Example, name: str, overwritten: Sequence[str]) -> None:
    """Raise `Broken` if the function `name` has overwritten any of its arguments."""
    if overwritten:
        cause = "x += v and x -= v write into the array that you were given; x = x + v makes a new one"
        if "functions" in overwritten:
            cause = "functions.reverse() and functions.pop() change the caller's list: use reversed(functions)"
        raise Broken(case, f"{name} has changed its argument {' and '.join(overwritten)}", cause)


def require_statistics_moved_once(case: E, passes: Mapping[str, Callable[[E], Any]]) -> None:
    """Run the passes in turn; raise `Broken` unless running statistics move in the first, forward, and in no other."""
    moved = 0
    for name, run in passes.items():
        run(case)
        should, cause = "never", "what repeats an evaluation must say so: f(x, replay=True), f.vjp(x, replay=True)"
        if not moved:
            should, cause = "once", "forward must evaluate each function once, without replay=True"
        for n, f in enumerate(case.functions):
            if f.moves != 1:
                times = f.moves - moved
                came = {0: "never", 1: "once", 2: "twice"}.get(times, f"{times} times")
                raise Broken(case, f"in {name}, the running mean of f_{n} moved {came}, should be {should}", cause)
        moved = 1


FEW, MANY = 10, 100  # depths at which memory is compared


def require_constant_memory(
    make_case: Callable[[int], E], passes: Mapping[str, Callable[[E], Callable[[], Any]]], per_layer: float = 0
) -> None:
    """Raise `Broken` if the peak of what a pass prepares grows by more than `per_layer` bytes and 2 KiB for a layer."""
    for name, prepare in passes.items():
        peaks, watches = [], []
        for depth in (2, FEW, MANY):  # the first takes up what is allocated only once
            case = make_case(depth)
            watches.append(Watch())
            case.watched(watches[-1])
            peaks.append(peak_of(prepare(case)))
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


def _kib(count: float) -> str:
    return f"{count / 1024:,.0f} KiB"


def peak_of(run: Callable[[], Any]) -> int:
    """Count the bytes beyond those of before that are allocated at the peak of `run`."""
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
