"""Chapter 07: the capstone, a network of 60 layers that learns the digits."""

import dataclasses
import functools
from typing import Any

import numpy as np

from ...datasets import digits
from ...grader import PROMISES as BLOCK
from ...grader.contract import Broken, Implementation
from ...grader.layers import Dense
from ...grader.promises import Promise, peak_of, promise, require_close
from ...grader.report import BROKEN, try_promise
from .. import own
from .comparing import explaining, pair

PROMISES: list[Promise] = []
LAYERS, WIDTH, LIMIT = 60, 64, 1024 * 1024
"""The network of the capstone, and the bytes that its training step may take at once beside weights and gradients."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """What became of a network that was trained on the digits."""

    losses: list[float]
    accuracy: float  # on images that it has not seen
    peak: int  # bytes at once in a step, without weights and their gradients


def train(training_step, forward_exact) -> Trained:
    """Train 60 layers on the digits, 60 steps of 64 images, by steps that are given as a function."""
    num, den, rate = 9, 10, 0.02
    random = np.random.default_rng(0)
    functions = [
        Dense(0.3 * random.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5, np.zeros(WIDTH)) for _ in range(LAYERS)
    ]
    head = random.standard_normal((WIDTH, 10)) / WIDTH
    split = digits()
    flat = [images.reshape(len(images), -1).astype(float) for images in (split.train_images, split.test_images)]

    def step_on(rows, head):
        return training_step(functions, head, num, den, flat[0][rows], split.train_labels[rows])

    losses, peak = [], 0
    for step in range(60):
        rows = random.integers(0, len(flat[0]), 64)
        if step == 1:
            peak = peak_of(functools.partial(step_on, rows, head))
            peak -= sum(theta.nbytes for f in functions for theta in f.parameters)
        loss, by_head, gradients = step_on(rows, head)
        losses.append(float(loss))
        head = head - rate * by_head
        for f, by_parameters in zip(functions, gradients, strict=True):
            f.parameters = [theta - rate * by for theta, by in zip(f.parameters, by_parameters, strict=True)]
    x = np.rint(flat[1] * 2.0**40).astype(np.int64)
    features = forward_exact(functions, num, den, x, np.zeros_like(x))[0] * 2.0**-40
    accuracy = np.mean((features @ head).argmax(axis=1) == split.test_labels)
    return Trained(losses, float(accuracy), peak)


@promise(PROMISES, "digits", f"{LAYERS} layers learn the digits in exact arithmetic, a step within {LIMIT // 1024} KiB")
def _learns_the_digits(implementation: Implementation) -> None:
    with explaining(lambda error: _broken_before(implementation)):
        _require_small_step(implementation)
    example = f"60 steps of {LAYERS} layers of width {WIDTH} on 64 digits each"
    came = train(functools.partial(_step, implementation, example), own.forward_exact)
    if came.peak > LIMIT:
        raise Broken(example, f"a step took {came.peak // 1024:,} KiB", "is something stored for each layer?")
    if not came.accuracy > 0.85:
        raise Broken(example, f"{came.accuracy:.0%} of the digits it has not seen are right, should be over 85 %")


def _broken_before(implementation: Implementation) -> str | None:
    """Is a piece wrong that training_step calls?"""
    for function, used in (("forward_exact", "exact forward"), ("backward_exact", "exact gradients")):
        (kept,) = (each for each in BLOCK if each.name == used)
        if try_promise(kept, implementation).status == BROKEN:
            return f"{function}, which it calls, breaks its own promise, {used!r}: mend that first"
    return None


PARTS = ("the loss", "its gradient by head", "gradients")


def _step(implementation: Implementation, example: str, functions: list[Dense], head: np.ndarray, *given: Any) -> Any:
    came = implementation.run("training_step", example, functions, head, *given)
    pair(example, "what training_step returns", came, (0.0, head, [f.parameters for f in functions]), PARTS)
    return came


def _require_small_step(implementation: Implementation) -> None:
    """Compare one step of two layers with the course's own."""
    example = f"2 layers tanh(x W + b) of width {WIDTH}, 3 images, labels 3, 1, 4"
    random = np.random.default_rng(0)
    functions = [Dense.random(WIDTH, random) for _ in range(2)]
    head, images, labels = random.standard_normal((WIDTH, 10)), random.standard_normal((3, WIDTH)), np.array([3, 1, 4])
    given = functions, head, 9, 10, images, labels
    by_scores = "backward_exact takes dL/dx_N, in the shape of x_N: by_scores @ head.T"
    with explaining(lambda error: by_scores if "(3,10)" in error.came and "(3,64)" in error.came else None):
        came = _step(implementation, example, *given)
    loss, by_head, gradients = own.training_step(*given)
    results = pair(example, "what training_step returns", came, (loss, by_head, gradients), PARTS)
    exchanged = pair(example, "the right results", (loss, by_head, gradients[::-1]), (loss, by_head, gradients), PARTS)
    for (name, ours, right), (_, other, _) in zip(results, exchanged, strict=True):
        mistakes = {
            "it is summed over the batch, and must be the mean": len(labels) * right,
            "its sign is wrong: the gradient by the scores is (softmax - one-hot) / batch": -right,
            "the last layer's gradients come first in the list: f_0's must": other,
        }
        fits = [each for each, wrong in mistakes.items() if np.allclose(ours, wrong, rtol=1e-6, atol=1e-9)]
        cause = fits[0] if fits else "by hand: the scores, their softmax, the mean of -log at the labels"
        require_close(example, [(name, ours, right)], 1e-6 * np.abs(right).max(), functools.partial(str, cause))
