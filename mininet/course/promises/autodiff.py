"""Chapter 02: vector-Jacobian products, and the walk back along a tape."""

import re
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...grader.contract import Broken, Implementation
from ...grader.promises import Promise, promise, require_close
from .. import own
from .comparing import explaining, pair

PROMISES: list[Promise] = []
ROUNDING = 100 * float(np.finfo(np.float64).eps)


def _vjp(name: str, forward: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    @promise(PROMISES, name, f"{name} turns the output's gradient into those of the inputs")
    def check(implementation: Implementation) -> None:
        random = np.random.default_rng(0)
        for scale in (0, 1):  # ones, which are easy to follow, then random numbers
            arrays = [np.ones(shape) + scale * random.standard_normal(shape) for shape in shapes]
            output, saved = forward(*arrays)
            gradient = np.ones_like(output) + scale * random.standard_normal(output.shape)
            example = f"inputs of shape {' and '.join(map(str, shapes))}, {'random' if scale else 'all 1'}"
            try:
                came = implementation.run(name, example, saved, gradient.copy())
            except Broken as error:
                raise _in_shapes(error, saved, gradient) from None
            parts = [f"gradient {k}" for k in range(len(shapes))]
            results = pair(example, f"what {name} returns", came, getattr(own, name)(saved, gradient), parts)
            require_close(example, results, ROUNDING, lambda: ONE_ELEMENT)


ONE_ELEMENT = "take one element: which outputs does it touch, and with what factor? saved holds all you need"


def _in_shapes(error: Broken, saved: Sequence[np.ndarray], gradient: np.ndarray) -> Broken:
    """If matrices could not be multiplied, say so in words; NumPy speaks of a gufunc signature."""
    sizes = re.search(r"matmul: .*size (\d+) is different from (\d+)\)", error.came)
    if not sizes:
        return error
    came = error.came.replace(sizes[0], f"{sizes[2]} columns cannot be multiplied by {sizes[1]} rows")
    shapes = f"saved has shapes {' and '.join(str(array.shape) for array in saved)}, gradient {gradient.shape}"
    return Broken(error.example, came, f"{shapes}: which matrix needs a .T, and where?")


def _tanh(x):
    y = np.tanh(x)
    return y, (y,)


_vjp("tanh_vjp", _tanh, (2, 3))
_vjp("matmul_vjp", lambda a, b: (a @ b, (a, b)), (2, 3), (3, 4))


@promise(PROMISES, "walk back", "walk_back delivers all shares, and adds those of a value that is used twice")
def _walks_back(implementation: Implementation) -> None:
    two, three = np.array(2.0), np.array(3.0)
    records = [  # slots 0 and 1 are given; 2 = 0 * 1, 3 = 0 + 2, and 4 is of no use to slot 3
        (lambda saved, g: (g * saved[1], g * saved[0]), (two, three), [0, 1], 2),
        (lambda saved, g: (g,), (), [1], 4),
        (lambda saved, g: (g, g), (), [0, 2], 3),
    ]
    example = "x = 2, w = 3, y = x + x w; records of x w, of a copy of w that nobody uses, and of the sum"
    skipped = "skip a record whose output has no gradient"
    with explaining(lambda error: skipped if "KeyError: 4" in error.came else None):
        came = implementation.run("walk_back", example, records, {3: np.array(1.0)})
    lost = "the second share has overwritten the first: add them"
    _require_slots(example, came, {"dy/dx": 4.0, "dy/dw": 2.0}, lambda dx: lost if dx in (1.0, 3.0) else None)
    if came.keys() > {0, 1}:
        left = ", ".join(map(str, sorted(came.keys() - {0, 1})))
        raise Broken(example, f"gradients of slot {left} are still there", "gradients.pop(output) looks up and removes")
    example = "z = (a + b) + a, where each sum hands the same array to both of its inputs"
    both = (lambda saved, g: (g, g), ())
    came = implementation.run("walk_back", example, [(*both, [0, 1], 2), (*both, [2, 0], 3)], {3: np.ones(1)})
    shared = "+= changes an array that another slot holds, too: gradients[slot] = gradients[slot] + share"
    _require_slots(example, came, {"dz/da": np.array([2.0]), "dz/db": np.array([1.0])}, lambda da: shared)


def _require_slots(example: str, came: Any, rights: dict[str, Any], why: Callable[[float], str | None]) -> None:
    """Require the gradients of slots 0 and 1 to be right; `why` is asked with that of slot 0."""
    if not isinstance(came, dict) or not {0, 1} <= came.keys():
        raise Broken(example, f"walk_back must return {{slot: gradient}} with slots 0 and 1, came {came!r}")
    results = pair(example, "what walk_back returns", [came[0], came[1]], [*rights.values()], [*rights])
    require_close(example, results, 0, lambda: why(results[0][1].item()))


@promise(
    PROMISES, "walk back lets go", "walk_back gives up each record before the next one, so that memory falls on the way"
)
def _lets_go(implementation: Implementation) -> None:
    class Saved:
        """Something of which it can be seen whether it is alive."""

    alive: weakref.WeakSet[Saved] = weakref.WeakSet()
    most = []

    def vjp(saved, gradient):
        most.append(len(alive))
        return (gradient,)

    records = []
    for slot in range(10):
        saved = Saved()
        alive.add(saved)
        records.append((vjp, saved, [slot], slot + 1))
    del saved
    implementation.run("walk_back", "ten records in a chain", records, {10: np.array(1.0)})
    if most[-1:] != [1]:
        came = f"{most[-1] if most else 'none'} of 10 records were still held when the last vjp was called"
        raise Broken("ten records in a chain", came, "records.pop() takes a record off the tape")
