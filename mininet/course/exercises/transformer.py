"""Exercises of notebook 12, A transformer that stores nothing."""

import numpy as np

from ..checking import expect, is_near, require, returned


def exercise_1(attention_weights):
    """The weights of causal attention for q and k (time, d)."""
    random = np.random.default_rng(0)
    q, k = random.standard_normal((2, 5, 4))
    scores = q @ k.T / 2
    right = np.exp(scores) * np.tri(5)
    right /= right.sum(axis=1, keepdims=True)
    answer = returned(attention_weights(q, k), "attention_weights")
    everywhere = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    require(not is_near(answer, everywhere), "each position looks at later ones, too: where is the mask?")
    require(not is_near(answer, everywhere * np.tri(5)), "mask before the softmax, so that each row still sums to 1")
    unscaled = np.exp(q @ k.T) * np.tri(5)
    require(not is_near(answer, unscaled / unscaled.sum(axis=1, keepdims=True)), "divide the scores by sqrt(d)")
    expect("the weights", answer, right, within=1e-12)
    large = returned(attention_weights(1e3 * q, 1e3 * k), "attention_weights")
    require(
        np.isfinite(large).all(),
        "large scores overflow: subtract the largest of each row that may be looked at, after the mask",
    )


def exercise_2(merge):
    """The largest number and the sum of exponentials of two blocks together."""
    random = np.random.default_rng(0)
    for shift in (0.0, 800.0):
        scores = random.standard_normal(7) + shift * (np.arange(7) > 3)
        (m, one), (n, other) = ((part.max(), np.exp(part - part.max()).sum()) for part in (scores[:4], scores[4:]))
        right = [scores.max(), np.exp(scores - scores.max()).sum()]
        with np.errstate(over="ignore", invalid="ignore"):
            answer = returned(merge(m, one, n, other), "merge", 2, "the largest score and the sum")
        require(
            not is_near(answer, [right[0], one + other]), "the sums are relative to different numbers: rescale both"
        )
        expect(f"blocks {shift:g} apart", answer, right, within=1e-12)


def exercise_3(compressed_bytes):
    """The size of a text that is compressed by a model of a loss in nats per character."""
    for loss, characters in ((np.log(2), 80), (1.5, 1213010)):
        right = loss / np.log(2) * characters / 8
        answer = compressed_bytes(loss, characters)
        require(not is_near(answer, 8 * right), "that is in bits")
        require(not is_near(answer, loss * characters / 8), "the loss is in nats, and bits are shorter")
        expect(f"{characters:,} characters", answer, right, within=1e-6)
