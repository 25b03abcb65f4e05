"""Chapter 04: backpropagation with everything stored, and with checkpoints."""

from functools import partial

import numpy as np

from ...grader.contract import Broken, Implementation
from ...grader.layers import Dense, Watch
from ...grader.promises import Promise, peak_of, promise, require_close
from .. import own
from .comparing import pair
from .mistakes import cause_of

PROMISES: list[Promise] = []


def _chain(depth: int, rows: int = 3, features: int = 4) -> tuple[list[Dense], np.ndarray, np.ndarray]:
    random = np.random.default_rng(depth)
    functions = [Dense.random(features, random) for _ in range(depth)]
    return functions, random.standard_normal((rows, features)), random.standard_normal((rows, features))


PARTS = ("dL/dx_0", "gradients")


@promise(PROMISES, "stored", "stored_backward returns the gradients of a chain of layers")
def _stores(implementation: Implementation) -> None:
    for depth in (1, 2, 7):
        given = _chain(depth)
        example = f"a chain of {depth} layers tanh(x W + b)"
        came = implementation.run("stored_backward", example, *given)
        results = pair(example, "what stored_backward returns", came, own.stored_backward(*given), PARTS)
        by_hand = "go through it by hand: which x does each layer see, which dx?"
        require_close(example, results, 1e-12, partial(cause_of, "stored_backward", [(given, came)], by_hand))


@promise(
    PROMISES, "checkpointed", "checkpointed_backward gives the bits of stored activations, for any length of segments"
)
def _checkpoints(implementation: Implementation) -> None:
    for depth, every in ((1, 1), (6, 2), (7, 3), (7, 10)):
        given = _chain(depth)
        example = f"a chain of {depth} layers, a checkpoint every {every}"
        came = implementation.run("checkpointed_backward", example, *given, every)
        results = pair(example, "what checkpointed_backward returns", came, own.stored_backward(*given), PARTS)
        if not all(np.array_equal(ours, right) for _, ours, right in results):
            calls = [((*given, every), came)]
            cause = cause_of("checkpointed_backward", calls, "which x does each segment start from?")
            raise Broken(example, "gradients are not those of stored activations", cause)


@promise(
    PROMISES, "checkpoints are few", "checkpointed_backward holds one x a segment, and the pullbacks of one segment"
)
def _holds_little(implementation: Implementation) -> None:
    depth, every = 36, 6
    functions, x, dx = _chain(depth, 64, 64)
    example, watch = f"a chain of {depth} layers, a checkpoint every {every}", Watch()
    for f in functions:
        f.watch = watch
    peak = peak_of(partial(implementation.run, "checkpointed_backward", example, functions, x, dx, every))
    if watch.most_alive > every:
        raise Broken(example, f"{watch.most_alive} pullbacks were held at once, {every} are needed")
    weights = depth * x.nbytes  # the gradients of all weights, as large as x each
    allowed = weights + (depth // every + 3 * every + 10) * x.nbytes
    if peak > allowed:
        came = f"{peak // 1024:,} KiB were held, {allowed // 1024:,} are enough"
        raise Broken(example, came, "keep x at checkpoints only")
