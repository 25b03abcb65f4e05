"""What the pieces of ``mine.py`` promise, chapter by chapter; those of the momentum block are the grader's."""

import dataclasses
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..datasets import digits
from ..grader import PROMISES
from ..grader.contract import Broken, Implementation
from ..grader.layers import Dense, Watch
from ..grader.promises import Promise, promise, require_close
from . import own

EPS = float(np.finfo(np.float64).eps)
OURS: list[Promise] = []
"""The promises that are made in this module."""


# 02


def _vjp(name: str, forward: Callable[..., Any], vjp: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    @promise(OURS, name, f"{name} turns the output's gradient into those of the inputs")
    def check(implementation: Implementation) -> None:
        random = np.random.default_rng(0)
        for scale in (0, 1):  # ones, which are easy to follow, then random numbers
            arrays = [np.ones(shape) + scale * random.standard_normal(shape) for shape in shapes]
            output, saved = forward(*arrays)
            gradient = np.ones_like(output) + scale * random.standard_normal(output.shape)
            example = f"inputs of shape {' and '.join(map(str, shapes))}, {'random' if scale else 'all 1'}"
            came = implementation.run(name, example, saved, gradient.copy())
            if not isinstance(came, (tuple, list)) or len(came) != len(shapes):
                raise Broken(example, f"{name} must return a tuple with a gradient for each input, came {came!r}")
            for k, (ours, right) in enumerate(zip(came, vjp(saved, gradient), strict=True)):
                if np.shape(ours) != right.shape:
                    raise Broken(example, f"gradient {k} has shape {np.shape(ours)}, should have {right.shape}")
                require_close(example, [(f"gradient {k}", np.asarray(ours), right)], 100 * EPS, lambda: None)


def _tanh(x):
    y = np.tanh(x)
    return y, (y,)


_vjp("tanh_vjp", _tanh, own.tanh_vjp, (2, 3))
_vjp("matmul_vjp", lambda a, b: (a @ b, (a, b)), own.matmul_vjp, (2, 3), (3, 4))


def _records() -> list[Any]:
    """Slots 0 and 1 are given; 2 = 0 * 1, 3 = 0 + 2, and 4 is of no use to slot 3."""
    two, three = np.array(2.0), np.array(3.0)
    return [
        (lambda saved, g: (g * saved[1], g * saved[0]), (two, three), [0, 1], 2),
        (lambda saved, g: (g,), (), [1], 4),
        (lambda saved, g: (g, g), (), [0, 2], 3),
    ]


@promise(OURS, "walk back", "walk_back delivers all shares, and adds those of a value that is used twice")
def _walks_back(implementation: Implementation) -> None:
    example = "x = 2, w = 3, y = x + x w; records of x w, of a copy of w that nobody uses, and of the sum"
    came = implementation.run("walk_back", example, _records(), {3: np.array(1.0)})
    if not isinstance(came, dict) or not {0, 1} <= came.keys():
        raise Broken(example, f"walk_back must return {{slot: gradient}} with slots 0 and 1, came {came!r}")
    for slot, name, right in ((0, "x", 4.0), (1, "w", 2.0)):
        if came[slot] != right:
            lost = (
                "the second share has overwritten the first: add them" if slot == 0 and came[0] in (1.0, 3.0) else None
            )
            raise Broken(example, f"dy/d{name} = {came[slot]}, should be {right}", lost)


@promise(
    OURS, "walk back lets go", "walk_back gives up each record before the next one, so that memory falls on the way"
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


# 04


def _chain(depth: int, rows: int = 3, features: int = 4) -> tuple[list[Dense], np.ndarray, np.ndarray]:
    random = np.random.default_rng(depth)
    functions = [Dense.random(features, random) for _ in range(depth)]
    return functions, random.standard_normal((rows, features)), random.standard_normal((rows, features))


def _flat(example: object, name: str, result: Any, depth: int) -> np.ndarray:
    if not isinstance(result, (tuple, list)) or len(result) != 2 or len(result[1]) != depth:
        raise Broken(example, f"{name} must return dL/dx_0 and a list of {depth} entries, came {result!r:.200}")
    return np.concatenate([result[0].ravel(), *(array.ravel() for entry in result[1] for array in entry)])


@promise(OURS, "stored", "stored_backward returns the gradients of a chain of layers")
def _stores(implementation: Implementation) -> None:
    for depth in (1, 2, 7):
        functions, x, dx = _chain(depth)
        example = f"a chain of {depth} layers tanh(x W + b)"
        came = _flat(
            example, "stored_backward", implementation.run("stored_backward", example, functions, x, dx), depth
        )
        right = _flat(example, "", own.stored_backward(functions, x, dx), depth)
        require_close(example, [("dL/dx_0 and gradients, in a row,", came, right)], 1e-12, lambda: None)


@promise(OURS, "checkpointed", "checkpointed_backward gives the bits of stored activations, for any length of segments")
def _checkpoints(implementation: Implementation) -> None:
    for depth, every in ((1, 1), (6, 2), (7, 3), (7, 10)):
        functions, x, dx = _chain(depth)
        example = f"a chain of {depth} layers, a checkpoint every {every}"
        result = implementation.run("checkpointed_backward", example, functions, x, dx, every)
        came = _flat(example, "checkpointed_backward", result, depth)
        if not np.array_equal(came, _flat(example, "", own.stored_backward(functions, x, dx), depth)):
            raise Broken(
                example, "gradients are not those of stored activations", "which x does each segment start from?"
            )


@promise(OURS, "checkpoints are few", "checkpointed_backward holds one x a segment, and the pullbacks of one segment")
def _holds_little(implementation: Implementation) -> None:
    depth, every = 36, 6
    functions, x, dx = _chain(depth, 64, 64)
    example, watch = f"a chain of {depth} layers, a checkpoint every {every}", Watch()
    for f in functions:
        f.watch = watch
    tracemalloc.start()
    try:
        implementation.run("checkpointed_backward", example, functions, x, dx, every)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if watch.most_alive > every:
        raise Broken(example, f"{watch.most_alive} pullbacks were held at once, {every} are needed")
    weights = depth * x.nbytes  # the gradients of all weights, as large as x each
    allowed = weights + (depth // every + 3 * every + 10) * x.nbytes
    if peak > allowed:
        raise Broken(
            example, f"{peak // 1024:,} KiB were held, {allowed // 1024:,} are enough", "keep x at checkpoints only"
        )


# 06


@promise(OURS, "product", "multiply gives v num/den, off by less than num units")
def _multiplies(implementation: Implementation) -> None:
    for num, den in ((2, 3), (9, 10), (1, 2)):
        for v, b in ((-8, 0), (23, 0), (-23, 5), (10**12, 7)):
            example = f"multiply({v}, {b}, {num}, {den})"
            came = implementation.run("multiply", example, v, b, num, den)
            if not isinstance(came, tuple) or len(came) != 2:
                raise Broken(example, f"multiply must return (v, b), came {came!r}")
            if abs(came[0] - v * num / den) >= num:
                raise Broken(example, f"v = {came[0]}, should be near {v * num / den:.1f}")


@promise(OURS, "product undone", "multiply with den and num undoes multiply with num and den, for either sign of v")
def _undoes_products(implementation: Implementation) -> None:
    for num, den in ((2, 3), (9, 10), (1, 2), (99, 100)):
        v = np.concatenate([np.arange(-60, 60), [10**15 + 7, -(10**15) - 7]])
        b = np.arange(len(v)) % 41
        example = f"v = -60, ..., 59 with buffers 0, ..., 40, times {num}/{den} and back"
        pair = implementation.run("multiply", example, v.copy(), b.copy(), num, den)
        back = implementation.run("multiply", example, *pair, den, num)
        off = (back[0] != v) | (back[1] != b)
        if off.any():
            k = int(off.argmax())
            came = f"v = {v[k]}, b = {b[k]} came back as v = {back[0][k]}, b = {back[1][k]}"
            raise Broken(example, came, "push v mod den onto b, divide v, multiply it by num, pop b mod num into it")


@promise(OURS, "spilling", "spill_schedule moves bytes as late as is safe for 32 bits")
def _spills(implementation: Implementation) -> None:
    for num, den, layers in ((9, 10, 500), (1, 2, 100), (99, 100, 2500), (1, 1000, 20)):
        example = f"spill_schedule({num}, {den}, {layers})"
        came = implementation.run("spill_schedule", example, num, den, layers)
        right = own.spill_schedule(num, den, layers)
        if not hasattr(came, "__len__") or list(came) != right:
            if not hasattr(came, "__len__") or len(came) != layers:
                raise Broken(example, f"it must return {layers} numbers, one for each layer, came {came!r:.80}")
            n = next(n for n in range(layers) if came[n] != right[n])
            raise Broken(
                example, f"{came[n]} spills before layer {n}, should be {right[n]}", "b < B: B <- ceil(B den/num)"
            )


# 07: the capstone

LAYERS, WIDTH, LIMIT = 60, 64, 1024 * 1024
"""The network of the capstone, and the bytes that its training step may take at once beside weights and gradients."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """What became of a network that was trained on the digits."""

    losses: list[float]
    accuracy: float  # on images that it has not seen
    peak: int  # bytes at once in a step, without weights and their gradients


def train(training_step, forward_exact, steps=60, num=9, den=10, batch=64, rate=0.02) -> Trained:
    """Train 60 layers on the digits by steps that are given as a function."""
    random = np.random.default_rng(0)
    functions = [
        Dense(0.3 * random.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5, np.zeros(WIDTH)) for _ in range(LAYERS)
    ]
    head = random.standard_normal((WIDTH, 10)) / WIDTH
    split = digits()
    flat = [images.reshape(len(images), -1).astype(float) for images in (split.train_images, split.test_images)]
    losses, peak = [], 0
    for step in range(steps):
        rows = random.integers(0, len(flat[0]), batch)
        is_measured = step == 1
        if is_measured:
            tracemalloc.start()
        loss, by_head, gradients = training_step(functions, head, num, den, flat[0][rows], split.train_labels[rows])
        if is_measured:
            held = sum(array.nbytes for entry in gradients for array in entry)
            peak = tracemalloc.get_traced_memory()[1] - held
            tracemalloc.stop()
        losses.append(float(loss))
        head = head - rate * by_head
        for f, by_parameters in zip(functions, gradients, strict=True):
            f.parameters = [theta - rate * by for theta, by in zip(f.parameters, by_parameters, strict=True)]
    x = np.rint(flat[1] * 2.0**40).astype(np.int64)
    features = forward_exact(functions, num, den, x, np.zeros_like(x))[0] * 2.0**-40
    accuracy = np.mean((features @ head).argmax(axis=1) == split.test_labels)
    return Trained(losses, float(accuracy), peak)


@promise(OURS, "digits", f"{LAYERS} layers learn the digits in exact arithmetic, a step within {LIMIT // 1024} KiB")
def _learns_the_digits(implementation: Implementation) -> None:
    example = f"60 steps of {LAYERS} layers of width {WIDTH} on 64 digits each"

    def step(*given):
        came = implementation.run("training_step", example, *given)
        if not isinstance(came, tuple) or len(came) != 3 or len(came[2]) != len(given[0]):
            raise Broken(example, "training_step must return the loss, its gradient by head, and a list for the layers")
        return came

    came = train(step, own.forward_exact)
    if came.peak > LIMIT:
        raise Broken(example, f"a step took {came.peak // 1024:,} KiB", "is something stored for each layer?")
    if not came.accuracy > 0.85:
        raise Broken(example, f"{came.accuracy:.0%} of the digits it has not seen are right, should be over 85 %")


CHAPTER_PROMISES: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "02": [
        (("tanh_vjp",), ("tanh_vjp",)),
        (("matmul_vjp",), ("matmul_vjp",)),
        (("walk_back",), ("walk back", "walk back lets go")),
    ],
    "04": [
        (("stored_backward",), ("stored",)),
        (("checkpointed_backward",), ("checkpointed", "checkpoints are few")),
    ],
    "05": [(("forward",), ("forward",)), (("invert",), ("inversion",))],
    "06": [
        (("multiply",), ("product", "product undone")),
        (("spill_schedule",), ("spilling",)),
        (("forward_exact", "invert_exact"), ("exact forward", "exact inversion", "side information")),
    ],
    "07": [
        (
            ("backward",),
            (
                "gradients", "gradient of v_0", "finite differences", "tied functions", "float32", "inputs",
                "running statistics", "twice", "memory",
            ),
        ),
        (
            ("backward_exact",),
            ("exact gradients", "same bits", "exact inputs", "exact statistics", "exact memory"),
        ),
        (("training_step",), ("digits",)),
    ],
}  # fmt: skip
"""For each chapter its pieces: the functions, which are written together, and the names of what they promise."""

BY_NAME = {each.name: each for each in [*PROMISES, *OURS]}
