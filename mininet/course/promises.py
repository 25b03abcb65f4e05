"""What the pieces of ``mine.py`` promise, chapter by chapter; those of the momentum block are the grader's."""

import dataclasses
import functools
import re
import tracemalloc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..datasets import digits
from ..grader import PROMISES
from ..grader.cases import Case, ExactCase, case_with_statistics, deep_exact_case
from ..grader.contract import Broken, Implementation
from ..grader.layers import Dense, Watch
from ..grader.promises import Promise, promise, require_close
from ..grader.report import BROKEN, try_promise
from . import own
from .own import multiply, spill_schedule

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
            try:
                came = implementation.run(name, example, saved, gradient.copy())
            except Broken as error:
                raise _in_shapes(error, saved, gradient) from None
            if not isinstance(came, (tuple, list)) or len(came) != len(shapes):
                raise Broken(example, f"{name} must return a tuple with a gradient for each input, came {came!r}")
            for k, (ours, right) in enumerate(zip(came, vjp(saved, gradient), strict=True)):
                if np.shape(ours) != right.shape:
                    raise Broken(example, f"gradient {k} has shape {np.shape(ours)}, should have {right.shape}")
                cause = "take one element: which outputs does it touch, and with what factor? saved holds all you need"
                require_close(
                    example, [(f"gradient {k}", np.asarray(ours), right)], 100 * EPS, functools.partial(str, cause)
                )


def _in_shapes(error: Broken, saved: Sequence[np.ndarray], gradient: np.ndarray) -> Broken:
    """If matrices could not be multiplied, say so in words; NumPy speaks of a gufunc signature."""
    sizes = re.search(r"matmul: .*size (\d+) is different from (\d+)\)", error.came)
    if not sizes:
        return error
    came = error.came.replace(sizes[0], f"{sizes[2]} columns cannot be multiplied by {sizes[1]} rows")
    shapes = " and ".join(str(array.shape) for array in saved)
    return Broken(
        error.example,
        came,
        f"saved has shapes {shapes}, gradient {gradient.shape}: which matrix needs a .T, and where?",
    )


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
    try:
        came = implementation.run("walk_back", example, _records(), {3: np.array(1.0)})
    except Broken as error:
        skipped = "skip a record whose output has no gradient" if "KeyError: 4" in error.came else error.cause
        raise Broken(example, error.came, skipped) from None
    if not isinstance(came, dict) or not {0, 1} <= came.keys():
        raise Broken(example, f"walk_back must return {{slot: gradient}} with slots 0 and 1, came {came!r}")
    for slot, name, right in ((0, "x", 4.0), (1, "w", 2.0)):
        if came[slot] != right:
            lost = (
                "the second share has overwritten the first: add them" if slot == 0 and came[0] in (1.0, 3.0) else None
            )
            raise Broken(example, f"dy/d{name} = {came[slot]}, should be {right}", lost)
    if came.keys() > {0, 1}:
        left = ", ".join(map(str, sorted(came.keys() - {0, 1})))
        raise Broken(example, f"gradients of slot {left} are still there", "gradients.pop(output) looks up and removes")
    example = "z = (a + b) + a, where each sum hands the same array to both of its inputs"
    both = (lambda saved, g: (g, g), ())
    came = implementation.run("walk_back", example, [(*both, [0, 1], 2), (*both, [2, 0], 3)], {3: np.ones(1)})
    for slot, name, right in ((0, "a", 2.0), (1, "b", 1.0)):
        if came[slot] != right:
            cause = "+= changes an array that another slot holds, too: gradients[slot] = gradients[slot] + share"
            raise Broken(example, f"dz/d{name} = {came[slot][0]}, should be {right}", cause)


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
        result = implementation.run("stored_backward", example, functions, x, dx)
        came, right = _flat(example, "stored_backward", result, depth), own.stored_backward(functions, x, dx)
        for cause, mistaken in _stored_mistakes(functions, x, dx).items():
            wrong = _flat(example, "", mistaken, depth)
            if np.allclose(came, wrong) and not np.allclose(wrong, _flat(example, "", right, depth)):
                raise Broken(example, "gradients are wrong", cause)
        parts = [("dL/dx_0", result[0], right[0])]
        for n in range(depth):
            parts += [
                (f"gradients[{n}][{k}]", *pair) for k, pair in enumerate(zip(result[1][n], right[1][n], strict=True))
            ]
        require_close(example, parts, 1e-12, lambda: "go through it by hand: which x does each layer see, which dx?")


def _stored_mistakes(functions: list[Dense], x: np.ndarray, dx: np.ndarray) -> dict[str, Any]:
    by_x, gradients = own.stored_backward(functions, x, dx)
    not_passed_on = []
    for f in functions:
        x, pullback = f.vjp(x)
        not_passed_on.append(pullback(dx))
    return {
        "the last layer's gradients come first in the list: f_0's must; write gradients.insert(0, by_parameters)": (
            by_x, gradients[::-1]
        ),
        "dx is not passed on: what a pullback returns goes into the one below, and at last is dL/dx_0": (
            dx, [by_parameters for _, by_parameters in not_passed_on]
        ),
    }  # fmt: skip


@promise(OURS, "checkpointed", "checkpointed_backward gives the bits of stored activations, for any length of segments")
def _checkpoints(implementation: Implementation) -> None:
    for depth, every in ((1, 1), (6, 2), (7, 3), (7, 10)):
        functions, x, dx = _chain(depth)
        example = f"a chain of {depth} layers, a checkpoint every {every}"
        result = implementation.run("checkpointed_backward", example, functions, x, dx, every)
        came = _flat(example, "checkpointed_backward", result, depth)
        by_x, gradients = own.stored_backward(functions, x, dx)
        if not np.array_equal(came, _flat(example, "", (by_x, gradients), depth)):
            last_first = [each for n in range(0, depth, every)[::-1] for each in gradients[n : n + every]]
            cause = "which x does each segment start from?"
            if any(
                np.array_equal(came, _flat(example, "", (by_x, order), depth))
                for order in (last_first, gradients[::-1])
            ):
                cause = "the last segment's gradients come first in the list: write gradients = of_segment + gradients"
            raise Broken(example, "gradients are not those of stored activations", cause)


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


# 05


def _require_clean(
    implementation: Implementation, name: str, case: Case | ExactCase, *given: Any, may_change: tuple[str, ...] = ()
) -> Any:
    """Call a function; raise `Broken` if it writes into its arguments, or does not say what it repeats."""
    overwritten: list[str] = []
    before = [f.moves for f in case.functions]
    result = implementation.call(name, case, *given, overwritten=overwritten)
    changed = [each for each in overwritten if each not in may_change]
    if changed:
        cause = "x += v and x -= v write into the array that you were given; x = x + v makes a new one"
        if "functions" in changed:
            cause = "functions.reverse() and functions.pop() change the caller's list: use reversed(functions)"
        raise Broken(case, f"{name} has overwritten its argument {' and '.join(changed)}", cause)
    for n, (f, moves) in enumerate(zip(case.functions, before, strict=True)):
        if name.startswith("invert") and f.moves != moves:
            raise Broken(case, f"{name} called f_{n} without replay=True", "on the way back, call f(x, replay=True)")
        if name.startswith("forward") and f.moves != moves + 1:
            came = f"{name} called f_{n} {f.moves - moves} times without replay=True, should be once"
            raise Broken(case, came, "going forward, call f(x) once for each layer")
    return result


@promise(OURS, "forward is clean", "forward leaves x, v and functions as they are, and calls each f(x) once")
def _forward_is_clean(implementation: Implementation) -> None:
    case = case_with_statistics()
    _require_clean(implementation, "forward", case, case.x, case.v)


@promise(OURS, "invert is clean", "invert leaves x, v and functions as they are, and says replay=True")
def _invert_is_clean(implementation: Implementation) -> None:
    case = case_with_statistics()
    _require_clean(implementation, "invert", case, *case.final)


# 06


@promise(OURS, "exact is clean", "forward_exact and invert_exact leave what they are given, and the latter replays")
def _exact_is_clean(implementation: Implementation) -> None:
    floats = case_with_statistics()
    case = dataclasses.replace(deep_exact_case(floats.depth, 9, 10, floats.x.shape), functions=floats.functions)
    state = _require_clean(implementation, "forward_exact", case, case.x, case.v)
    _require_clean(implementation, "invert_exact", case, state, may_change=("state",))


@promise(OURS, "product", "multiply gives v num/den, off by less than num units")
def _multiplies(implementation: Implementation) -> None:
    for num, den in ((2, 3), (9, 10), (1, 2)):
        for v, b in ((-8, 0), (23, 0), (-23, 5), (10**12, 7)):
            example = f"multiply({v}, {b}, {num}, {den})"
            came = implementation.run("multiply", example, v, b, num, den)
            if not isinstance(came, tuple) or len(came) != 2:
                raise Broken(example, f"multiply must return (v, b), came {came!r}")
            if abs(came[0] - v * num / den) >= num:
                swapped = "return (v, b), in this order" if came == own.multiply(v, b, num, den)[::-1] else None
                raise Broken(example, f"v = {came[0]}, should be near {v * num / den:.1f}", swapped)


_READ_LATE: dict[str, Callable[..., Any]] = {
    "b was divided before its digit was read: v * num + b % num must come before b // num": lambda v, b, num, den: (
        v // den * num + (b * den + v % den) // num % num, (b * den + v % den) // num
    ),
    "v was divided before its digit was read: b * den + v % den must come before v // den": lambda v, b, num, den: (
        v // den * num + (b * den + v // den % den) % num, (b * den + v // den % den) // num
    ),
}  # fmt: skip


@promise(OURS, "product undone", "multiply with den and num undoes multiply with num and den, for either sign of v")
def _undoes_products(implementation: Implementation) -> None:
    for num, den in ((2, 3), (9, 10), (1, 2), (99, 100)):
        v = np.concatenate([np.arange(-60, 60), [10**15 + 7, -(10**15) - 7]])
        b = np.arange(len(v)) % 41
        example = f"v = -60, ..., 59 with buffers 0, ..., 40, times {num}/{den} and back"
        given = v.copy(), b.copy()
        try:
            pair = implementation.run("multiply", example, *given, num, den)
        except Broken as error:
            cause = "v and b are int64 arrays here: // and % work for them, too, int(...) and math.floor(...) don't"
            raise Broken(example, error.came, cause) from None
        for name, now, before in zip("vb", given, (v, b), strict=True):
            if (now != before).any():
                cause = f"{name} //= den and the like write into the array that you were given: {name} = {name} // den"
                raise Broken(example, f"multiply has overwritten its argument {name}", cause)
        back = implementation.run("multiply", example, *pair, den, num)
        off = (back[0] != v) | (back[1] != b)
        if off.any():
            k = int(off.argmax())
            came = f"v = {v[k]}, b = {b[k]} came back as v = {back[0][k]}, b = {back[1][k]}"
            cause = "push v mod den onto b, divide v, multiply it by num, pop b mod num into it"
            for read_late, wrong in _READ_LATE.items():
                if np.array_equal(pair, wrong(v, b, num, den)):
                    cause = read_late
            if not off[v >= 0].any():
                cause = (
                    "only negative v are lost: int(v / den) rounds them towards zero; v // den and v % den fit together"
                )
            raise Broken(example, came, cause)


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
                example, f"{came[n]} spills before layer {n}, should be {right[n]}", _why_schedule(implementation)
            )


def _schedule(num: int, den: int, layers: int, most: int = 2**32, at_once: int = 99, up: int = 1) -> list[int]:
    """Spill as `own.spill_schedule` does, or with a mistake."""
    bound, schedule = 1, []
    for _ in range(layers):
        spills = 0
        while (bound * den + up * (num - 1)) // num > most and spills < at_once:
            bound = (bound + up * (2**8 - 1)) // 2**8
            spills += 1
        schedule.append(spills)
        bound = (bound * den + up * (num - 1)) // num
    return schedule


def _why_schedule(implementation: Implementation) -> str:
    mistakes: dict[str, dict[str, int]] = {
        "one spill may not be enough: `while` the next bound is too large, not `if`": {"at_once": 1},
        "2**32 itself is allowed: spill while the next bound is larger, with >": {"most": 2**32 - 1},
        "bounds are rounded up: -(-a // b) is ceil(a / b)": {"up": 0},
    }
    for cause, wrong in mistakes.items():
        if all(
            list(implementation.run("spill_schedule", "", *each)) == _schedule(*each, **wrong)
            for each in ((9, 10, 500), (1, 2, 100), (99, 100, 2500), (1, 1000, 20))
        ):
            return cause
    return "before each layer: while ceil(B den/num) > 2**32, spill and B <- ceil(B / 2**8); then B <- ceil(B den/num)"


def _way_back(
    functions: Any, num: int, den: int, state: Any, fetches_first: bool = False, order: int = -1,
    product_first: bool = False, fetched: Callable[[Any, Any], Any] = lambda b, byte: (b << 8) + byte,
) -> Any:  # fmt: skip
    """Run back as `own.invert_exact` does, or with a mistake."""
    x, v, b, stack = state
    for f, spills in zip(functions[::-1], spill_schedule(num, den, len(functions))[::order], strict=True):
        for _ in range(spills if fetches_first else 0):
            b = fetched(b, stack.pop())
        x = x - v
        v, b = multiply(v, b, den, num) if product_first else (v, b)
        v = v - np.rint((den - num) / den * f(x * 2.0**-40, replay=True) * 2.0**40).astype(np.int64)
        v, b = (v, b) if product_first else multiply(v, b, den, num)
        for _ in range(0 if fetches_first else spills):
            b = fetched(b, stack.pop())
    return x, v


WAYS_BACK: dict[str, dict[str, Any]] = {
    "the product is undone first: v was multiplied, then pushed, so subtract the push, then divide": {
        "product_first": True
    },
    "bytes are fetched before the layer is undone: they went before the layer, so fetch them after it": {
        "fetches_first": True
    },
    "the schedule is read forward: the last layer's spills come first, spill_schedule(...)[::-1]": {"order": 1},
    "b << 8 + stack.pop() is b << (8 + stack.pop()): write (b << 8) + stack.pop()": {
        "fetched": lambda b, byte: b << 8 + byte
    },
}


def _why_not_back(implementation: Implementation) -> str | None:
    """Which mistake gives what invert_exact makes of the state, in few layers and in many?"""
    for depth in (2, 400):
        case = deep_exact_case(depth, 9, 10)
        state = implementation.forward_exact(case)
        came = implementation.invert_exact(case, state)
        if np.array_equal(came, (case.x, case.v)):
            continue
        for cause, wrong in WAYS_BACK.items():
            x, v, b, stack = state
            try:
                result = _way_back(case.functions, case.n, case.d, (x, v, b, list(stack)), **wrong)
            except IndexError:  # no byte is left
                continue
            if np.array_equal(came, result):
                return cause
    return None


def _why_so_large(implementation: Implementation) -> str | None:
    """Are bytes kept as 64-bit integers?"""
    stack = implementation.forward_exact(deep_exact_case(400, 9, 10))[3]
    if stack and all(each.dtype.itemsize > 1 and each.max() < 2**8 for each in stack):
        return f"the stack holds bytes as {stack[0].dtype}: append (b % 2**8).astype(np.uint8)"
    return None


def _explained(name: str, why: Callable[[Implementation], str | None]) -> Promise:
    """The grader's promise of this name, with a cause that fits the course's way to keep it, if there is one."""
    grader = next(each for each in PROMISES if each.name == name)

    def check(implementation: Implementation) -> None:
        try:
            grader.check(implementation)
        except Broken as error:
            try:
                cause = why(implementation)
            except Exception:  # whatever a learner's state is made of
                cause = None
            raise Broken(error.example, error.came, cause or error.cause) from None

    return grader._replace(check=check)


OURS += [_explained("exact inversion", _why_not_back), _explained("side information", _why_so_large)]


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
    try:
        _require_small_step(functools.partial(_step, implementation))
    except Broken as error:
        for function, used in (("forward_exact", "exact forward"), ("backward_exact", "exact gradients")):
            if try_promise(BY_NAME[used], implementation).status == BROKEN:
                cause = f"{function}, which it calls, breaks its own promise, {used!r}: mend that first"
                raise Broken(error.example, error.came, cause) from None
        raise
    came = train(functools.partial(_step, implementation, example), own.forward_exact)
    if came.peak > LIMIT:
        raise Broken(example, f"a step took {came.peak // 1024:,} KiB", "is something stored for each layer?")
    if not came.accuracy > 0.85:
        raise Broken(example, f"{came.accuracy:.0%} of the digits it has not seen are right, should be over 85 %")


def _step(implementation: Implementation, example: str, *given: Any) -> Any:
    came = implementation.run("training_step", example, *given)
    if not isinstance(came, tuple) or len(came) != 3 or len(came[2]) != len(given[0]):
        raise Broken(example, "training_step must return the loss, its gradient by head, and a list for the layers")
    return came


def _require_small_step(step: Callable[..., Any]) -> None:
    """Compare one step of two layers with the course's own."""
    example = f"2 layers tanh(x W + b) of width {WIDTH}, 3 images, labels 3, 1, 4"
    random = np.random.default_rng(0)
    functions = [Dense.random(WIDTH, random) for _ in range(2)]
    head, images, labels = random.standard_normal((WIDTH, 10)), random.standard_normal((3, WIDTH)), np.array([3, 1, 4])
    given = functions, head, 9, 10, images, labels
    try:
        loss, by_head, gradients = step(example, *given)
    except Broken as error:
        is_by_scores = "(3,10)" in error.came and "(3,64)" in error.came
        cause = "backward_exact takes dL/dx_N, in the shape of x_N: by_scores @ head.T" if is_by_scores else error.cause
        raise Broken(example, error.came, cause) from None
    right_loss, right_head, right_gradients = own.training_step(*given)
    results = [("the loss", loss, right_loss, right_loss), ("its gradient by head", by_head, right_head, right_head)]
    for n in range(2):
        for k, (came, right) in enumerate(zip(gradients[n], right_gradients[n], strict=True)):
            results.append((f"gradients[{n}][{k}]", came, right, right_gradients[1 - n][k]))
    for name, came, right, other in results:
        if np.shape(came) != np.shape(right):
            raise Broken(example, f"{name} has shape {np.shape(came)}, should have {np.shape(right)}")
        mistakes = {
            "it is summed over the batch, and must be the mean": len(labels) * right,
            "its sign is wrong: the gradient by the scores is (softmax - one-hot) / batch": -right,
            "the last layer's gradients come first in the list: f_0's must": other,
        }
        fits = [each for each, wrong in mistakes.items() if np.allclose(came, wrong, rtol=1e-6, atol=1e-9)]
        cause = fits[0] if fits else "by hand: the scores, their softmax, the mean of -log at the labels"
        pair = (name, np.asarray(came), np.asarray(right))
        require_close(example, [pair], 1e-6 * np.abs(right).max(), functools.partial(str, cause))


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
    "05": [(("forward",), ("forward", "forward is clean")), (("invert",), ("inversion", "invert is clean"))],
    "06": [
        (("multiply",), ("product", "product undone")),
        (("spill_schedule",), ("spilling",)),
        (("forward_exact", "invert_exact"), ("exact forward", "exact inversion", "side information", "exact is clean")),
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
